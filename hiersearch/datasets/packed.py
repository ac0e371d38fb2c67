"""Files that may be gzipped, opened so that what is wrong with one is said alike everywhere."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from hiersearch.errors import UsageError

__all__ = ["opened", "unreadable"]

GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked if its first ones say that it is gzipped.

    Args:
        path: The file.

    Raises:
        UsageError: It cannot be read or unpacked, now or while it is being read.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is damaged: {error}", hint="Get it again") from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> UsageError:
    """The error of a file that cannot be read."""
    return UsageError(
        f"{path} cannot be read: {error.strerror or error}", hint="Give a readable file"
    )
