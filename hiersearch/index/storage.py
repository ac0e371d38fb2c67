"""The stored parts of an index: what it remembers of itself, and two collections.

In a folder the collections are called `photos` and `concepts`; on a server `NAME` and
`NAME-concepts`, since others are there too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import Vocabulary
from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.errors import StoreError
from hiersearch.index.copy_mark import refuse_half_copy
from hiersearch.index.manifest import (
    Manifest,
    forget_vocabularies,
    has_manifest,
    load_vocabulary,
    read_manifest,
    save_vocabulary,
    write_manifest,
)
from hiersearch.index.records import FolderRecords, Records, ServerRecords
from hiersearch.qdrant import Client, HierarchicalCollection, connect

__all__ = ["Connection", "IndexStore"]


class Connection:
    """A place where an index lies or may come to lie.

    Args:
        place: A folder, or a server and a name there.

    Raises:
        StoreUnreachableError: No server answers there, or it refuses the key.
    """

    def __init__(self, place: IndexPlace) -> None:
        self.place = place
        self.records: Records
        self.client: Client
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

    def lock(self, manifest: Manifest) -> None:
        """Takes the lock of a folder, before anything is done on its strength.

        A server has no lock: two that write there at a time are not prevented.

        Raises:
            StoreLockedError: Another process has it open.
        """
        if isinstance(self.place, Path):
            for collection in self.collections(manifest):
                if collection.exists():
                    collection.count()

    def refuse_others(self, manifest: Manifest) -> None:
        """Sees that an index may be made here.

        Raises:
            StoreError: A collection in its place is somebody else's.
        """
        if self.records.are_begun():
            return
        for collection in self.collections(manifest):
            if collection.exists():
                raise StoreError(
                    f"the collection {collection.name!r} belongs to no index, so that none can be "
                    f"made at {self.place}",
                    hint="Put another name at the end of the URL",
                )

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        self.client.close()


class IndexStore:
    """The stored parts of one index, which agree with each other.

    Args:
        connection: Open on where they lie.
        manifest: The manifest that lies there.
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
        """Opens what lies at a place.

        Raises:
            IndexNotFoundError: There is no index there.
            StoreLockedError: Another process has it open.
            StoreUnreachableError: No server answers there.
            StoreError: It is damaged, or a copy to there was cut off.
        """
        connection = Connection(place)
        try:
            refuse_half_copy(connection.records)
            manifest = read_manifest(connection.records)
            connection.lock(manifest)
            return cls(connection, manifest)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def create(cls, place: IndexPlace, manifest: Manifest, vocabulary: Vocabulary) -> Self:
        """Makes an empty index at a place, instead of another one if there is one.

        Raises:
            StoreLockedError: Another process has the other one open.
            StoreUnreachableError: No server answers there.
            StoreError: The place cannot be written to, or is somebody else's.
        """
        connection = Connection(place)
        try:
            connection.refuse_others(manifest)
            store = cls(connection, manifest)
            connection.records.begin()
            store.photos.drop()
            store.concepts.drop()
            # The manifest comes last: an index is there when its manifest is.
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

    def count(self) -> int:
        """Number of different photos."""
        return self.photos.count() if self.photos.exists() else 0

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return len(self._manifest.root)

    def remember(self, **changes: Any) -> None:
        """Stores a manifest that differs from the present one in some fields."""
        manifest = replace(self._manifest, **changes)
        write_manifest(self._records, manifest)
        self._manifest = manifest

    def take_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Stores a vocabulary; if it is another one, the photos count as not labelled."""
        save_vocabulary(self._records, vocabulary)
        if vocabulary.id != self._manifest.vocabulary_id:
            self.remember(vocabulary_id=vocabulary.id, labelled=False)
        self.__dict__.pop("vocabulary", None)

    def forget_vocabularies(self) -> None:
        """Removes the kept vocabularies but the present one."""
        forget_vocabularies(self._records, keep=self._manifest.vocabulary_id)

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        self.connection.close()
