"""Opens files that are meant to be photos; neither a pipe nor an endless file holds it up."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import IO, TYPE_CHECKING

from hiersearch.errors import UnreadablePhotoError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_FILE_BYTES", "file_hash", "file_reason", "open_regular"]

MAX_FILE_BYTES = 512 * 2**20
"""The most bytes that a photo's file may have."""

_HASH_DIGITS = 32
_CHUNK = 2**20

# Opening a pipe without a writer returns at once, and so does reading from what has nothing yet.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_regular(path: Path) -> IO[bytes]:
    """Opens a regular file for reading.

    Raises:
        UnreadablePhotoError: It is not there, not a regular file, or may not be read; the message
            is just the reason.
    """
    try:
        # Before it is opened, which can do something to a device; and again afterwards, for the
        # path may lead elsewhere by then.
        _check_regular(path.stat())
        descriptor = os.open(path, _FLAGS)
        try:
            _check_regular(os.fstat(descriptor))
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:
        raise UnreadablePhotoError(file_reason(error)) from error


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadablePhotoError("not a regular file")


def file_hash(file: IO[bytes], limit: int | None = None) -> str:
    """The first half of the SHA-256 of an open file's bytes, from where it is read next.

    Args:
        file: The file.
        limit: The most bytes that are read; a file that grows meanwhile ends there.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    left = limit
    # In pieces, so that an interrupt is heard between them.
    while left is None or left > 0:
        piece = file.read(_CHUNK if left is None else min(_CHUNK, left))
        if not piece:
            break
        digest.update(piece)
        left = None if left is None else left - len(piece)
    return digest.hexdigest()[:_HASH_DIGITS]


def file_reason(error: Exception) -> str:
    """Why a file cannot be opened or read, in a few plain words."""
    match error:
        case OSError(errno=errno.ENOENT | errno.ENOTDIR):
            return "not there any more"
        case OSError(strerror=str(text)):
            return text.lower()
        case MemoryError():
            return "too large for this machine's memory"
    return "not a path that can be opened"
