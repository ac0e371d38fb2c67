"""Copies an index between folders and servers; resumes if interrupted.

A note (`CopyMark`) is written to the destination first and deleted last, after the manifest is
written: until then nobody finds an index there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hiersearch.config import IndexPlace, index_place
from hiersearch.errors import StoreError, StoreLockedError, StoreUnreachableError, UsageError
from hiersearch.index.connecting import Connection
from hiersearch.index.fields import PHOTO_INDEXES
from hiersearch.index.manifest import (
    CopyMark,
    Manifest,
    forget_manifest,
    forget_mark,
    forget_vocabularies,
    has_manifest,
    load_tally,
    read_manifest,
    read_mark,
    same_manifest,
    save_tally,
    save_vocabulary,
    write_manifest,
    write_mark,
)
from hiersearch.index.storage import IndexStore
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant import (
    CopiedPoints,
    HierarchicalCollection,
    copy_points,
    same_points,
)

__all__ = [
    "CopySummary",
    "copy_index",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CopySummary:
    """What a copy did.

    Attributes:
        copied: Number of photos that were new or different at the destination.
        removed: Number of photos that only the destination had.
        unchanged: Number of photos that were there already.
    """

    copied: int
    removed: int
    unchanged: int


def copy_index(
    source: str | IndexPlace,
    destination: str | IndexPlace,
    *,
    overwrite: bool = False,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> CopySummary:
    """Copies an index: photos' points and concepts as they are stored, vocabulary, calibration.

    An interrupted copy resumes when it is run again, and writes only what is missing. Until it is
    complete, the destination is not an index. An index there that holds other photos is left alone
    unless `overwrite` is given; it is then made equal to the source, and if the model is the same
    only the differences are written. Photo files are not touched.

    Args:
        source: A folder, or a server and a name, like "http://localhost:6333/photos".
        destination: Likewise. On a server, nothing else may write there meanwhile.
        overwrite: Replace the index, or the unfinished copy of another one, at the destination.
        on_progress: Told about work that takes time.
        environ: The environment, for the user's settings.

    Raises:
        IndexNotFoundError: There is no index at the source.
        StoreLockedError: Another process has one of the two open.
        StoreUnreachableError: No server answers, or it refuses the key.
        UsageError: Both are the same place.
        StoreError: Something else lies at the destination, or the source changed meanwhile.
    """
    here, there = index_place(source, environ), index_place(destination, environ)
    if _resolved(here) == _resolved(there):
        raise UsageError(f"{here} cannot be copied to itself", hint="Name another folder or server")
    store = _opened(here)
    try:
        target = Connection(there)
        try:
            return _Copy(store, target, on_progress).run(overwrite=overwrite)
        finally:
            target.close()
    finally:
        store.close()


def _opened(place: IndexPlace) -> IndexStore:
    """The index to copy; where its folder cannot be written to, as it was committed last."""
    try:
        return IndexStore.open(place)
    except StoreLockedError:
        raise
    except StoreUnreachableError as error:
        store = IndexStore.open_to_read(place)
        logger.info("%s: copied as it was committed last", error.message)
        return store


class _Copy:
    """One run.

    Args:
        store: The index to copy.
        target: Where to.
        on_progress: Told about work that takes time.
    """

    def __init__(self, store: IndexStore, target: Connection, on_progress: Progress) -> None:
        self._store = store
        self._manifest = store.manifest
        self._target = target
        self._records = target.records
        self._on_progress = on_progress
        self._photos, self._concepts = target.collections(store.manifest)
        self._mark = CopyMark(
            source=str(store.place),
            model_id=store.manifest.model_id,
            vocabulary_id=store.manifest.vocabulary_id,
        )

    def run(self, *, overwrite: bool) -> CopySummary:
        self._target.claim()
        self._target.refuse_others(self._manifest)
        found = read_mark(self._records)
        if found is not None:
            mark, cleared = found
            if mark != self._mark and not overwrite:
                raise StoreError(
                    f"a copy of {mark.source} to {self._target.place} was cut off, and it was not "
                    "a copy of this index as it is now",
                    hint="Name another destination, or replace it with --overwrite",
                )
            self._begin(cleared=cleared and mark.model_id == self._mark.model_id)
        elif has_manifest(self._records):
            present = read_manifest(self._records)
            self._target.lock(present)
            photos_there, _ = self._target.collections(present)
            if not overwrite and _count(photos_there):
                return self._nothing_to_do(present)
            self._begin(cleared=present.model_id == self._mark.model_id)
        else:
            self._begin(cleared=False)
        self._copy(self._store.concepts, self._concepts, "copying the vocabulary")
        photos = self._copy(self._store.photos, self._photos, "copying photos", PHOTO_INDEXES)
        self._finish()
        return CopySummary(photos.written, photos.removed, photos.unchanged)

    def _nothing_to_do(self, present: Manifest) -> CopySummary:
        """The summary, if the destination is a complete copy already.

        Raises:
            StoreError: The destination is another index.
        """
        if same_manifest(present, self._manifest) and all(
            _same(one, other)
            for one, other in (
                (self._store.photos, self._photos),
                (self._store.concepts, self._concepts),
            )
        ):
            return CopySummary(copied=0, removed=0, unchanged=_count(self._photos))
        raise StoreError(
            f"there is another index at {self._target.place}",
            hint="Name another destination, or make it equal to the source with --overwrite",
        )

    def _begin(self, *, cleared: bool) -> None:
        """Takes the place.

        Args:
            cleared: Whether all points there are of the same model.
        """
        self._records.begin()
        write_mark(self._records, self._mark, cleared=cleared)
        forget_manifest(self._records)
        if not cleared:
            self._photos.drop()
            self._concepts.drop()
            write_mark(self._records, self._mark, cleared=True)

    def _copy(
        self,
        source: HierarchicalCollection,
        target: HierarchicalCollection,
        task: str,
        indexes: Mapping[str, str] | None = None,
    ) -> CopiedPoints:
        if not source.exists():
            target.drop()
            return CopiedPoints(0, 0, 0)
        target.create(payload_indexes=indexes, options=self._target.options)
        total = source.count()
        done = copy_points(
            source, target, on_progress=lambda done: self._on_progress(task, done, max(done, total))
        )
        target.optimize()
        return done

    def _finish(self) -> None:
        if not same_manifest(read_manifest(self._store.connection.records), self._manifest):
            raise StoreError(
                f"the index at {self._store.place} was changed while it was copied",
                hint="Copy it again, with --overwrite, when nothing writes to it",
            )
        save_vocabulary(self._records, self._store.vocabulary)
        tally = load_tally(self._store.connection.records, self._manifest)
        save_tally(self._records, self._manifest, tally)
        write_manifest(self._records, self._manifest)
        forget_vocabularies(self._records, keep=self._manifest.vocabulary_id)
        forget_mark(self._records)
        IndexStore(self._target, self._manifest).commit()


def _count(collection: HierarchicalCollection) -> int:
    return collection.count() if collection.exists() else 0


def _same(one: HierarchicalCollection, other: HierarchicalCollection) -> bool:
    if one.exists() and other.exists():
        return same_points(one, other)
    return not one.exists() and not other.exists()


def _resolved(place: IndexPlace) -> str:
    return str(place.resolve() if isinstance(place, Path) else place)
