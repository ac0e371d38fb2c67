"""Reads photo files ahead of the encoder, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import Photo, PhotoFile, content_hash, read_photo

__all__ = ["ReadFile", "read_file", "reading_ahead", "worker_threads"]

_READERS = 2
_AHEAD = 96


@dataclass(frozen=True)
class ReadFile:
    """A file that was read.

    Attributes:
        file: The file.
        point: Id of its photo's point; empty if it could not be read.
        photo: Its photo; None where that is stored already.
        reason: Why it could not be read; empty if it could.
    """

    file: PhotoFile
    point: str = ""
    photo: Photo | None = None
    reason: str = ""


def read_file(file: PhotoFile, equals: frozenset[str], min_side: int) -> ReadFile:
    """Reads a file.

    Args:
        file: The file.
        equals: Points whose photo it could equal; if it does, it is hashed and not decoded.
        min_side: Shortest edge in pixels that will be looked at.

    Returns:
        What was read; a file that cannot be read gives a reason, not an error.
    """
    try:
        if equals and (point := _point_id(content_hash(file.path))) in equals:
            return ReadFile(file, point)
        photo = read_photo(file.path, min_side=min_side)
    except UnreadablePhotoError as error:
        return ReadFile(file, reason=error.message)
    return ReadFile(file, _point_id(photo.content_hash), photo)


def _point_id(content: str) -> str:
    """The hash of a file's content as a UUID, which is what stores take for an id."""
    return str(UUID(hex=content))


@contextmanager
def worker_threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that, when the block is left for whatever reason, only end what they have begun."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def reading_ahead(
    files: Sequence[PhotoFile], known: Mapping[int, frozenset[str]], min_side: int
) -> Iterator[Iterator[ReadFile]]:
    """Reads files ahead in threads, in order; leaving early cancels what was not begun.

    Args:
        files: The files.
        known: Points of the stored photos, by their file's size in bytes.
        min_side: Shortest edge in pixels that will be looked at.

    Yields:
        The files that were read, in the order of `files`.
    """
    with worker_threads(_READERS, "read-photos") as pool:
        yield _read_ahead(pool, files, known, min_side)


def _read_ahead(
    pool: ThreadPoolExecutor,
    files: Sequence[PhotoFile],
    known: Mapping[int, frozenset[str]],
    min_side: int,
) -> Iterator[ReadFile]:
    waiting = iter(files)
    pending: deque[Future[ReadFile]] = deque()
    while True:
        pending.extend(
            pool.submit(read_file, file, known.get(file.size, frozenset()), min_side)
            for file in islice(waiting, _AHEAD - len(pending))
        )
        if not pending:
            return
        yield pending.popleft().result()
