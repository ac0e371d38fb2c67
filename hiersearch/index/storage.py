"""The stored parts of an index: what it remembers of itself, and two collections.

In a folder the collections are called `photos` and `concepts`; on a server `NAME` and
`NAME-concepts`, since others are there too.

What an index holds, in a few numbers.

The note that lies at a place while an index is being copied there: it is no index until then.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import Vocabulary
from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.errors import StoreError
from hiersearch.index.manifest import (
    FolderRecords,
    Manifest,
    Records,
    ServerRecords,
    forget_vocabularies,
    has_manifest,
    load_vocabulary,
    read_manifest,
    save_vocabulary,
    write_manifest,
)
from hiersearch.qdrant import Client, HierarchicalCollection, connect

__all__ = [
    "Connection",
    "CopyMark",
    "IndexInfo",
    "IndexStore",
    "forget_mark",
    "read_info",
    "read_mark",
    "refuse_half_copy",
    "write_mark",
]


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


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds.

    Attributes:
        store: The index's folder, or its URL.
        photos: Number of different photos.
        files: Number of files; equal files are one photo.
        chained: Number of photos that some concept fits.
        model: The name or folder that the model was loaded by.
        model_id: What the model is.
        dimension: Length of a vector.
        vocabulary: Name of the vocabulary.
        concepts: Number of its concepts.
    """

    store: Path | str
    photos: int
    files: int
    chained: int
    model: str
    model_id: str
    dimension: int
    vocabulary: str
    concepts: int


def read_info(store: IndexStore) -> IndexInfo:
    """Counts what is stored."""
    records = store.photos.scroll(payload=["path", "chain"]) if store.photos.exists() else ()
    photos = files = chained = 0
    for record in records:
        photos += 1
        files += len(record.payload["path"])
        chained += bool(record.payload["chain"])
    return IndexInfo(
        store=store.place if isinstance(store.place, Path) else str(store.place),
        photos=photos,
        files=files,
        chained=chained,
        model=store.manifest.model,
        model_id=store.manifest.model_id,
        dimension=store.dimension,
        vocabulary=store.vocabulary.name,
        concepts=len(store.vocabulary),
    )


_DOCUMENT = "hiersearch-copy.json"


@dataclass(frozen=True)
class CopyMark:
    """Which copy is under way.

    Attributes:
        source: Where the copied index lies.
        model_id: What its model is.
        vocabulary_id: What its vocabulary is.
    """

    source: str
    model_id: str
    vocabulary_id: str


def read_mark(records: Records) -> tuple[CopyMark, bool] | None:
    """The copy that is under way, and whether what lay there before it is out of its way.

    Raises:
        StoreError: The note is damaged.
    """
    content = records.read(_DOCUMENT)
    if content is None:
        return None
    try:
        stored = json.loads(content.decode())
        return (
            CopyMark(
                source=str(stored["source"]),
                model_id=str(stored["model_id"]),
                vocabulary_id=str(stored["vocabulary_id"]),
            ),
            bool(stored["cleared"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{records.where(_DOCUMENT)} is damaged ({error!r})",
            hint=f"{records.how_to_remove} and copy the index again",
        ) from error


def write_mark(records: Records, mark: CopyMark, *, cleared: bool) -> None:
    """Notes that a copy is under way.

    Args:
        records: Where it goes.
        mark: Which copy it is.
        cleared: Whether the points there are of this copy or of an earlier state of it; False
            while the collections of something else may still be there.
    """
    records.write(_DOCUMENT, json.dumps({**asdict(mark), "cleared": cleared}, indent=1).encode())


def forget_mark(records: Records) -> None:
    """Notes that no copy is under way any more."""
    records.delete([_DOCUMENT])


def refuse_half_copy(records: Records) -> None:
    """Sees that no copy is under way.

    Raises:
        StoreError: One is.
    """
    found = read_mark(records)
    if found is not None:
        mark, _ = found
        raise StoreError(
            f"a copy to {records.place} is under way, or was cut off",
            hint=f"Finish it with 'hiersearch copy {shlex.join([mark.source, records.place])}'",
        )
