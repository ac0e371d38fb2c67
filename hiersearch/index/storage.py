"""The stored parts of an index: a collection of photos, one of concepts, and its documents.

In a folder the collections are called `photos` and `concepts`; on a server, where there are others,
`NAME` and `NAME-concepts`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import ConceptNames, Vocabulary
from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.errors import StoreError
from hiersearch.index.fields import PATH, PHOTO_INDEXES
from hiersearch.index.manifest import (
    Manifest,
    StoredTally,
    forget_vocabularies,
    has_manifest,
    load_tally,
    load_vocabulary,
    read_manifest,
    refuse_half_copy,
    save_tally,
    save_vocabulary,
    vocabulary_summary,
    write_manifest,
)
from hiersearch.index.records import FolderRecords, Records, ServerRecords
from hiersearch.index.results import IndexInfo
from hiersearch.qdrant import Client, CollectionOptions, HierarchicalCollection, connect
from hiersearch.qdrant.edge.folder_lock import FolderLock
from hiersearch.trees import CHAIN, Chain, Tally

__all__ = ["Connection", "IndexStore", "read_info"]


class Connection:
    """An open connection to a place where an index is, or can be made.

    Args:
        place: A folder, or a server and a name there.

    Raises:
        StoreUnreachableError: No server answers there, or it refuses the key.
    """

    def __init__(self, place: IndexPlace) -> None:
        self.place = place
        self.records: Records
        self.client: Client
        self._lock: FolderLock | None = None
        if isinstance(place, ServerPlace):
            self.client = connect(place.url)
            self.records = ServerRecords(self.client, place)
            self._names = (place.name, f"{place.name}-concepts")
        else:
            self.client = connect(place)
            self.records = FolderRecords(place)
            self._names = ("photos", "concepts")

    def collections(self, manifest: Manifest) -> tuple[HierarchicalCollection, ...]:
        """The collections of photos and of concepts, which need not exist yet."""
        photos, concepts = self._names
        return (
            HierarchicalCollection(self.client, photos, root=manifest.root),
            HierarchicalCollection(self.client, concepts, root=manifest.root),
        )

    @property
    def options(self) -> CollectionOptions:
        """How new collections are stored.

        In a folder vectors are read when they are searched, not whenever the index is opened.
        """
        return CollectionOptions(on_disk=True if isinstance(self.place, Path) else None)

    def claim(self) -> None:
        """Takes the lock of a folder, so that no other process makes or changes an index there.

        A server has no lock: nothing prevents two processes from writing there at once.

        Raises:
            StoreLockedError: Another process has it.
            StoreUnreachableError: The folder cannot be made or written to.
        """
        if isinstance(self.place, Path) and self._lock is None:
            self._lock = FolderLock(self.place)

    def lock(self, manifest: Manifest) -> None:
        """Claims a folder, and takes the engine's lock of its photos, or else of its concepts.

        Raises:
            StoreLockedError: Another process has it open.
        """
        self.claim()
        if isinstance(self.place, Path):
            for collection in self.collections(manifest):
                if collection.exists():
                    collection.count()
                    return

    def refuse_others(self, manifest: Manifest) -> None:
        """Makes sure that an index may be made here.

        Raises:
            StoreError: A collection of that name belongs to something else.
        """
        if self.records.are_begun():
            return
        for collection in self.collections(manifest):
            # Asked again: another run may have begun the index meanwhile.
            if collection.exists() and not self.records.are_begun():
                raise StoreError(
                    f"the collection {collection.name!r} belongs to no index, so none can be "
                    f"made at {self.place}",
                    hint="Put another name at the end of the URL",
                )

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        try:
            self.client.close()
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None


class IndexStore:
    """The stored parts of one index.

    Args:
        connection: To the place of the index.
        manifest: Its manifest.
    """

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self.connection = connection
        self.place = connection.place
        self._records = connection.records
        self._manifest = manifest
        self.photos, self.concepts = connection.collections(manifest)

    @classmethod
    def exists(cls, place: IndexPlace) -> bool:
        """Whether there is an index.

        Raises:
            StoreUnreachableError: No server answers there.
            StoreError: A copy to there was cut off.
        """
        connection = Connection(place)
        try:
            refuse_half_copy(connection.records)
            return has_manifest(connection.records)
        finally:
            connection.close()

    @classmethod
    def open(cls, place: IndexPlace) -> Self:
        """Opens the index at a place.

        Raises:
            IndexNotFoundError: There is no index there.
            StoreLockedError: Another process has it open.
            StoreUnreachableError: No server answers there.
            StoreError: It is damaged, or a copy to there was cut off.
        """
        connection = Connection(place)
        try:
            refuse_half_copy(connection.records)
            connection.lock(read_manifest(connection.records))
            # Read again: who had the folder until now may have changed it.
            return cls(connection, read_manifest(connection.records))
        except BaseException:
            connection.close()
            raise

    @classmethod
    def create(cls, place: IndexPlace, manifest: Manifest, vocabulary: Vocabulary) -> Self:
        """Makes an empty index at a place, replacing one without photos.

        One with photos is opened instead: another run has made it since the caller looked. Of
        several runs that make an index on a server at once, one does, and the others open it.

        Raises:
            StoreLockedError: Another process has the index there open.
            StoreUnreachableError: No server answers there.
            StoreError: The place cannot be written to, or belongs to something else.
        """
        connection = Connection(place)
        try:
            connection.claim()
            connection.refuse_others(manifest)
            present = _with_photos(connection)
            if present is not None:
                connection.lock(present)
                return cls(connection, present)
            store = cls(connection, manifest)
            if not connection.records.begin():
                there = _made_meanwhile(connection, manifest)
                if there is not None:
                    return cls(connection, there)
            store.photos.drop()
            store.concepts.drop()
            # The manifest comes last: an index exists when its manifest does.
            save_vocabulary(connection.records, vocabulary)
            write_manifest(connection.records, manifest)
        except BaseException:
            connection.close()
            raise
        return store

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is stored."""
        return self._manifest

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the photos' chains come from."""
        return load_vocabulary(self._records, self._manifest.vocabulary_id)

    def vocabulary_summary(self) -> tuple[str, int]:
        """Its name, and how many concepts it has, without making it."""
        if "vocabulary" in self.__dict__:
            return self.vocabulary.name, len(self.vocabulary)
        return vocabulary_summary(self._records, self._manifest.vocabulary_id)

    @cached_property
    def names(self) -> ConceptNames:
        """The names of the vocabulary's concepts, to be found in texts."""
        return ConceptNames(self.vocabulary)

    @cached_property
    def tally(self) -> Tally | None:
        """The sums of the photos' memberships; None where none were kept."""
        kept = load_tally(self._records, self._manifest) if self._manifest.trees else None
        if kept is None:
            return None
        return Tally.from_rows(kept.photos, kept.concepts, [one.id for one in self.vocabulary])

    def keep_tally(self, tally: Tally | None) -> None:
        """Stores the sums of the photos' memberships; None forgets them."""
        kept = None
        if tally is not None:
            kept = StoredTally(tally.photos, tally.to_rows([one.id for one in self.vocabulary]))
        save_tally(self._records, self._manifest, kept)
        self.__dict__.pop("tally", None)

    def make_photos(self) -> None:
        """Creates the collection of photos, or the indexes that it lacks."""
        self.photos.create(payload_indexes=PHOTO_INDEXES, options=self.connection.options)

    def count(self) -> int:
        """Number of different photos."""
        return self.photos.count() if self.photos.exists() else 0

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return len(self._manifest.root)

    def remember(self, **changes: Any) -> None:
        """Stores the manifest with some fields changed."""
        manifest = replace(self._manifest, **changes)
        write_manifest(self._records, manifest)
        self._manifest = manifest

    def take_vocabulary(self, vocabulary: Vocabulary, *, trees: str | None) -> None:
        """Stores a vocabulary, and how photos' trees are made.

        Where either is new, the photos count as not labelled.
        """
        save_vocabulary(self._records, vocabulary)
        now = (self._manifest.vocabulary_id, self._manifest.trees)
        if (vocabulary.id, trees) != now:
            self.remember(vocabulary_id=vocabulary.id, trees=trees, labelled=False)
        for kept in ("vocabulary", "names", "tally"):
            self.__dict__.pop(kept, None)

    def forget_vocabularies(self) -> None:
        """Removes all kept vocabularies but the current one."""
        forget_vocabularies(self._records, keep=self._manifest.vocabulary_id)

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        self.connection.close()


def _with_photos(connection: Connection) -> Manifest | None:
    """The manifest of an index in a folder that this process has claimed; None without photos.

    Raises:
        StoreError: A copy to there was cut off, or the manifest is damaged.
    """
    if not isinstance(connection.place, Path):
        return None
    refuse_half_copy(connection.records)
    if not has_manifest(connection.records):
        return None
    present = read_manifest(connection.records)
    photos, _ = connection.collections(present)
    return present if photos.exists() and photos.count() else None


_MAKING = 10.0
"""Seconds within which a run that has begun an index has written its manifest."""


def _made_meanwhile(connection: Connection, wanted: Manifest) -> Manifest | None:
    """The manifest of an index that another run is making; None if it gave up, or has no photos.

    Raises:
        StoreError: It has photos, and another model or vocabulary.
    """
    records, end = connection.records, time.monotonic() + _MAKING
    while True:
        refuse_half_copy(records)
        if has_manifest(records):
            break
        if time.monotonic() > end:
            return None
        time.sleep(0.1)
    there = read_manifest(records)
    if (there.model_id, there.vocabulary_id) == (wanted.model_id, wanted.vocabulary_id):
        return there
    photos, _ = connection.collections(there)
    if photos.exists() and photos.count():
        raise StoreError(
            f"another run has made an index at {connection.place} meanwhile, with another model "
            "or vocabulary",
            hint="Run it again to use that one, or name another store",
        )
    return None


def read_info(store: IndexStore) -> IndexInfo:
    """Counts what is stored."""
    records = store.photos.scroll(payload=[PATH, CHAIN]) if store.photos.exists() else ()
    photos = files = chained = 0
    for record in records:
        photos += 1
        files += len(record.payload[PATH])
        chained += bool(record.payload.get(CHAIN) or Chain.from_payload(record.payload))
    vocabulary, concepts = store.vocabulary_summary()
    return IndexInfo(
        store=store.place if isinstance(store.place, Path) else str(store.place),
        photos=photos,
        files=files,
        chained=chained,
        model=store.manifest.model,
        model_id=store.manifest.model_id,
        dimension=store.dimension,
        vocabulary=vocabulary,
        concepts=concepts,
        trees=store.manifest.trees,
    )
