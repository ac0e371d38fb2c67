"""Errors of the embedded engine turned into ours, and checks that prevent the worst of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from hiersearch.errors import (
    CollectionError,
    HiersearchError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    VectorError,
)

__all__ = ["check_room", "edge_errors", "refuse", "refuse_damaged"]

ROOM = 64 * 1024 * 1024
"""Bytes that must be free before the engine runs. It writes through memory maps: on a full disk the
system would kill the whole process with SIGBUS instead of letting a call fail."""


@contextmanager
def edge_errors(folder: Path) -> Iterator[None]:
    """Turn whatever the engine raises inside into a `StoreError` that names the collection.

    Args:
        folder: The folder of the collection.
    """
    try:
        yield
    except (HiersearchError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    # The engine raises bare Exception for nearly everything; its panics are of a class that derives
    # from BaseException and cannot be imported.
    except BaseException as error:
        raise _translated(error, folder) from error


def refuse(**arguments: object) -> None:
    """Refuse arguments that are set, rather than ignore them.

    Raises:
        StoreError: An argument is not None.
    """
    for name, value in arguments.items():
        if value is not None:
            raise StoreError(
                f"the embedded store does not take {name}={value!r}",
                hint="Leave it out, or use a Qdrant server",
            )


def check_room(folder: Path, needed: int = 0) -> None:
    """Check that the disk has room for a write.

    Args:
        folder: An existing folder on that disk.
        needed: Bytes that the write takes.

    Raises:
        StoreError: The disk is nearly full.
    """
    free = shutil.disk_usage(folder).free
    if free < ROOM + needed:
        raise StoreError(
            f"the disk that holds {folder} is full ({free // 1024**2} MB free)",
            hint=f"Make at least {(ROOM + needed) // 1024**2 + 1} MB free there",
        )


def refuse_damaged(folder: Path) -> None:
    """Find damage that would make the engine panic and print a trace, rather than raise.

    Raises:
        StoreError: A status file is empty.
    """
    for status in folder.glob("segments/**/status.dat"):
        if status.stat().st_size < 8:
            raise _damaged(folder, f"{status.relative_to(folder)} is cut short")


def _damaged(folder: Path, reason: str) -> StoreError:
    return StoreError(
        f"the collection in {folder} is damaged ({reason})",
        hint="Delete that folder and index again; the photos themselves are not touched",
    )


def _translated(error: BaseException, folder: Path) -> StoreError:
    reason = shorten(str(error).removeprefix("Service runtime error: "), 200)
    if "WouldBlock" in reason:
        return StoreLockedError(
            f"another process has {folder} open", hint="Wait until it ends, or end it"
        )
    if any(sign in reason for sign in _SIGNS_OF_NO_ACCESS):
        return StoreUnreachableError(
            f"{folder} cannot be opened ({reason})",
            hint="Check that it is a folder you may write to",
        )
    if "No space left" in reason or "File too large" in reason:
        return StoreError(
            f"the disk that holds {folder} is full",
            hint=f"Make at least {ROOM // 1024**2 + 1} MB free there; what was reported as stored "
            "is kept",
        )
    if "Vector dimension error" in reason:
        return VectorError(f"the vectors do not fit the collection in {folder} ({reason})")
    if "Not existing vector name" in reason:
        return CollectionError(f"the collection in {folder} has no such vector ({reason})")
    if _is_panic(error) or any(sign in reason for sign in _SIGNS_OF_DAMAGE):
        return _damaged(folder, reason)
    return StoreError(f"the store in {folder} refused the request ({reason})")


_SIGNS_OF_NO_ACCESS = (
    "Permission denied",
    "Read-only file system",
    "Not a directory",
    "File exists",
)

_SIGNS_OF_DAMAGE = (
    "failed to load segment",
    "failed to open WAL",
    "Can't init WAL",
    "Failed to deserialize",
    "IO Error",
    "IO error",
    "is not readable from",
    "Failed to decode",
    "Can't parse version",
    "no segments were loaded",
)


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"
