"""Carries out a plan over some files: reads, encodes, labels and stores their photos.

Files are read ahead in processes, and a batch is stored while the next one is encoded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL.Image import Image

from hiersearch.errors import UnreadablePhotoError
from hiersearch.index.fields import photo_payload, photo_point
from hiersearch.index.results import IngestSummary, Skip
from hiersearch.index.update.catalogue import (
    KnownFile,
    Plan,
    StoredFiles,
    file_payload,
)
from hiersearch.photos import Photo, PhotoFile, PhotoReaders, path_to_text
from hiersearch.qdrant import HierarchicalCollection
from hiersearch.trees import Labeller, Tally
from hiersearch.types import Floats

__all__ = ["Ingest", "batches"]


_SMALLEST, _LARGEST = 8, 64
_SECONDS = 1.0
"""How long a batch should take: longer ones cost less to store, shorter ones report progress and
react to an interrupt sooner."""

_READERS = 2
_AHEAD = 96
"""Files that are being read, or were read and wait for the encoder."""

_AHEAD_BYTES = 32 * 2**20
"""Bytes of pixels that wait for the encoder before no more files are read."""
_BATCH_BYTES = 40 * 2**20
"""Bytes of pixels after which a batch ends, however few photos it has."""
_PIXEL_BYTES = 4

_LONG = 5.0
"""Seconds after which a file that is being read is named."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Batch:
    """Files that were read, and those of their photos that need encoding."""

    reads: list[_ReadFile]
    photos: dict[str, Photo]


class Ingest:
    """One run over some files.

    Args:
        photos: Where the points go.
        stored: The files that the index knows; updated as points are stored.
        encode: Yields for each list of upright RGB images their vectors, (n, dim) float32 unit
            rows; takes the next list before it yields the vectors of the last.
        labeller: Returns the labeller; called with the first vectors of the run.
        min_side: Shortest edge in pixels that the encoder looks at.
        on_progress: Called with the number of files that are stored.

    Attributes:
        tally: Of the memberships of the photos that were stored; None if there are none.
    """

    def __init__(
        self,
        photos: HierarchicalCollection,
        stored: StoredFiles,
        *,
        encode: Callable[[Iterable[Sequence[Image]]], Generator[Floats]],
        labeller: Callable[[Floats], Labeller],
        min_side: int,
        on_progress: Callable[[int], None],
    ) -> None:
        self._photos = photos
        self._catalogue = stored.catalogue
        self._stale = stored.stale
        self._encode = encode
        self._labeller = labeller
        self._min_side = min_side
        self._on_progress = on_progress
        self._batch_size = _SMALLEST
        self._arrived: set[str] = set()
        self._summary = IngestSummary()
        self.tally: Tally | None = None

    def run(self, plan: Plan, *, prune: bool = False) -> IngestSummary:
        """Carries out a plan. What was reported as done stays done even if the run fails later.

        Args:
            plan: What to do.
            prune: Also drop photos whose folder is missing or suddenly empty.

        Returns:
            What was done.
        """
        self._summary.unchanged = plan.unchanged
        self._sync_files(self._stale)
        missing = {path for paths in (plan.gone, *plan.lost.values()) for path in paths}
        if plan.read:  # else no model is needed
            self._read(plan.read, missing)
        self._drop(plan.gone)
        for folder, paths in plan.lost.items():
            left = [path for path in paths if prune or self._has_moved(path)]
            self._drop(left)
            if len(left) < len(paths):
                self._summary.lost[folder] = len(paths) - len(left)
        return self._summary

    def _read(self, files: Sequence[PhotoFile], missing: set[str]) -> None:
        """Reads, encodes and stores files."""
        from threadpoolctl import threadpool_limits  # comes with whatever encodes

        done = 0
        with (
            # NumPy's own second thread would spin for a while after every product.
            threadpool_limits(1, user_api="blas"),
            PhotoReaders(_READERS) as self._readers,
            _reading_ahead(
                files, self._catalogue.snapshot(), self._min_side, self._readers
            ) as reads,
        ):
            for batch, vectors in self._encoded(_batches(reads, lambda: self._batch_size)):
                self._store(batch, vectors, missing)
                done += len(batch.reads)
                self._on_progress(done)

    def _encoded(self, reads: Iterator[list[_ReadFile]]) -> Iterator[tuple[_Batch, Floats]]:
        """Encodes each batch while the one before it is stored."""
        waiting: deque[_Batch] = deque()

        def images() -> Iterator[list[Image]]:
            for batch in reads:
                photos = {read.point: read.photo for read in batch if read.photo is not None}
                for point in list(photos):
                    if self._catalogue.files_of(point) or any(point in b.photos for b in waiting):
                        del photos[point]
                waiting.append(_Batch(batch, photos))
                yield [photo.image for photo in photos.values()]

        begun = time.perf_counter()
        with closing(self._encode(images())) as found:
            for vectors in found:
                now = time.perf_counter()
                if len(vectors):
                    fitting = len(vectors) * _SECONDS / (now - begun)
                    self._batch_size = max(_SMALLEST, min(_LARGEST, int(fitting)))
                begun = now
                yield waiting.popleft(), vectors

    def _settle(self, read: _ReadFile) -> _ReadFile:
        """Decodes a file after all, if the photo that it was equal to has been dropped since."""
        if read.photo or read.reason or self._catalogue.files_of(read.point):
            return read
        return _read_file(read.file, frozenset(), self._min_side, self._readers)

    def _store(self, batch: _Batch, vectors: Floats, missing: set[str]) -> None:
        reads = [self._settle(read) for read in batch.reads]
        fresh: dict[str, Photo] = {}
        for read in reads:
            if read.photo is not None and not self._catalogue.files_of(read.point):
                fresh.setdefault(read.point, read.photo)
        touched: set[str] = set()
        for read in reads:
            if read.reason:
                # What was stored of it stays: a file on a failing disk is not a deleted one.
                self._summary.skipped.append(Skip(read.file.path, read.reason))
                continue
            if read.photo is not None and read.photo.note:
                self._summary.note(read.file.path, read.photo.note)
            path = path_to_text(read.file.path)
            before = self._catalogue.remove(path)
            if before is not None:
                touched.add(before.photo)
            self._count(read, before, missing)
            self._catalogue.put(path, KnownFile.of(read.file, read.point))
            touched.add(read.point)
        if fresh:
            self._upsert(fresh, batch, vectors)
        self._sync_files(touched - fresh.keys())

    def _count(self, read: _ReadFile, before: KnownFile | None, missing: set[str]) -> None:
        others = self._catalogue.files_of(read.point).keys()
        if before is not None and before.photo == read.point:
            self._summary.unchanged += 1
            return
        self._arrived.add(read.point)
        if before is not None:
            self._summary.updated += 1
        elif not others:
            self._summary.added += 1
        elif others & missing:
            # Each file that is gone can have moved to one place only.
            missing.discard(min(others & missing))
            self._summary.moved += 1
        else:
            self._summary.copies += 1

    def _upsert(self, fresh: dict[str, Photo], batch: _Batch, vectors: Floats) -> None:
        encoded = dict(zip(batch.photos, vectors, strict=True))
        # Photos that were known when the batch was encoded, and dropped by the batch before it.
        late = [point for point in fresh if point not in encoded]
        if late:
            with closing(self._encode([[fresh[point].image for point in late]])) as found:
                encoded.update(zip(late, next(found), strict=True))
        rows = np.stack([encoded[point] for point in fresh])
        labelled, tally = self._labeller(rows).labels(rows)
        if tally is not None:
            self.tally = tally if self.tally is None else self.tally + tally
        payloads = [
            {
                **photo_payload(photo),
                **file_payload(self._catalogue.files_of(point)),
                **labels,
            }
            for (point, photo), labels in zip(fresh.items(), labelled, strict=True)
        ]
        self._photos.upsert(list(fresh), rows, payloads)

    def _drop(self, paths: Iterable[str]) -> None:
        removed = [file for path in paths if (file := self._catalogue.remove(path))]
        # A photo that moved to another path was counted there.
        self._summary.removed += sum(file.photo not in self._arrived for file in removed)
        self._sync_files({file.photo for file in removed})

    def _has_moved(self, path: str) -> bool:
        file = self._catalogue.get(path)
        return file is not None and file.photo in self._arrived

    def _sync_files(self, photos: Iterable[str]) -> None:
        """Updates the stored files of some photos to those of the catalogue."""
        files = {photo: self._catalogue.files_of(photo) for photo in photos}
        kept = {photo: file_payload(known) for photo, known in files.items() if known}
        self._photos.set_payload(list(kept), list(kept.values()))
        self._photos.delete([photo for photo, known in files.items() if not known])


def batches(items: Iterator[T], size: Callable[[], int]) -> Iterator[list[T]]:
    """Yields the items in order, in lists of `size()`; the last may be shorter."""
    while batch := list(islice(items, size())):
        yield batch


@dataclass(frozen=True)
class _ReadFile:
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

    @property
    def held(self) -> int:
        """Bytes of its pixels."""
        if self.photo is None:
            return 0
        return _PIXEL_BYTES * self.photo.image.width * self.photo.image.height


def _batches(reads: Iterator[_ReadFile], size: Callable[[], int]) -> Iterator[list[_ReadFile]]:
    """As `batches`, each of so few photos that their pixels take little memory."""
    batch: list[_ReadFile] = []
    held = 0
    for read in reads:
        batch.append(read)
        held += read.held
        if len(batch) >= size() or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _read_file(
    file: PhotoFile, equals: frozenset[str], min_side: int, readers: PhotoReaders
) -> _ReadFile:
    """Reads a file.

    Args:
        file: The file.
        equals: Points whose photo it could equal; if it does, it is hashed and not decoded.
        min_side: Shortest edge in pixels that will be looked at.
        readers: Read it.

    Returns:
        What was read; a file that cannot be read gives a reason, not an error.
    """
    try:
        if equals and (point := photo_point(readers.content_hash(file.path))) in equals:
            return _ReadFile(file, point)
        photo = readers.read(file.path, min_side=min_side)
    except UnreadablePhotoError as error:
        return _ReadFile(file, reason=error.message)
    return _ReadFile(file, photo_point(photo.content_hash), photo)


@contextmanager
def _worker_threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that finish only what they have begun once the block is left."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Held:
    """How many bytes of pixels wait for the encoder; whoever would read more waits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._bytes = 0
        self._stopped = False

    def wait(self) -> None:
        """Waits until little enough is held.

        Files are begun in the order in which they are used: what is held is used before what waits.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._bytes < self._limit)

    def add(self, count: int) -> None:
        """Holds more bytes, or fewer."""
        with self._changed:
            self._bytes += count
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


@contextmanager
def _reading_ahead(
    files: Sequence[PhotoFile],
    known: Mapping[int, frozenset[str]],
    min_side: int,
    readers: PhotoReaders,
) -> Iterator[Iterator[_ReadFile]]:
    """Reads files ahead, in order; leaving early gives up what was begun, too.

    Args:
        files: The files.
        known: Points of the stored photos, by their file's size in bytes.
        min_side: Shortest edge in pixels that will be looked at.
        readers: Read the files; closed if the block is left by an error.

    Yields:
        The files that were read, in the order of `files`.
    """
    held = _Held(_AHEAD_BYTES)

    def read(file: PhotoFile) -> _ReadFile:
        held.wait()
        done = _read_file(file, known.get(file.size, frozenset()), min_side, readers)
        held.add(done.held)
        return done

    with _worker_threads(_READERS, "read-photos") as pool:
        try:
            yield _read_ahead(lambda file: pool.submit(read, file), files, held, readers)
        except BaseException:
            readers.close()  # else the threads would be waited for
            raise
        finally:
            held.stop()


def _read_ahead(
    submit: Callable[[PhotoFile], Future[_ReadFile]],
    files: Sequence[PhotoFile],
    held: _Held,
    readers: PhotoReaders,
) -> Iterator[_ReadFile]:
    waiting = iter(files)
    pending: deque[Future[_ReadFile]] = deque()
    named: set[object] = set()
    while True:
        pending.extend(map(submit, islice(waiting, _AHEAD - len(pending))))
        if not pending:
            return
        read = _awaited(pending.popleft(), readers, named)
        held.add(-read.held)
        yield read


def _awaited(future: Future[_ReadFile], readers: PhotoReaders, named: set[object]) -> _ReadFile:
    """What was read; a file that takes long is named meanwhile, unless it was already."""
    while not wait([future], timeout=_LONG).done:
        slow = readers.waiting_for()
        if slow is not None and slow[1] >= _LONG and slow[0] not in named:
            named.add(slow[0])
            logger.warning("%a takes long to decode", str(slow[0]))
    return future.result()
