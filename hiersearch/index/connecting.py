"""Where an index lies, opened: its collections and documents, and the lock of a folder.

In a folder the collections are called `photos` and `concepts`; on a server, where there are others,
`NAME` and `NAME-concepts`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import cast

from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.errors import StoreError
from hiersearch.index.manifest import Manifest, has_manifest, read_manifest, refuse_half_copy
from hiersearch.index.records import CommittedRecords, FolderRecords, Records, ServerRecords
from hiersearch.qdrant import (
    Client,
    CollectionOptions,
    EdgeClient,
    HierarchicalCollection,
    connect,
)
from hiersearch.qdrant.clients.patience import patient
from hiersearch.qdrant.edge.folder_lock import FolderLock
from hiersearch.qdrant.edge.folder_modes import settle_modes
from hiersearch.qdrant.edition.edition_client import EditionClient
from hiersearch.qdrant.edition.edition_file import EditionFile

__all__ = ["PHOTOS", "Connection", "made_meanwhile", "with_photos"]

PHOTOS = "photos"
"""The collection of photos in a folder."""


class Connection:
    """An open connection to a place where an index is, or can be made.

    Args:
        place: A folder, or a server and a name there.
        edition: What was last committed in that folder, to read nothing else.

    Raises:
        StoreUnreachableError: No server answers there, or it refuses the key.
    """

    def __init__(self, place: IndexPlace, edition: EditionFile | None = None) -> None:
        self.place = place
        self.records: Records
        self.client: Client
        self.edition = edition
        self._lock: FolderLock | None = None
        self._own_concepts: EdgeClient | None = None
        self._names = (PHOTOS, "concepts")
        if edition is not None and isinstance(place, Path):
            self.client = cast(Client, EditionClient(edition, PHOTOS))
            self.records = CommittedRecords(place, edition.document)
        elif isinstance(place, ServerPlace):
            self.client = patient(connect(place.url, timeout=place.timeout))
            self.records = ServerRecords(self.client, place)
            self._names = (place.name, f"{place.name}-concepts")
        else:
            self.client = connect(place)
            self.records = FolderRecords(place)

    def collections(self, manifest: Manifest) -> tuple[HierarchicalCollection, ...]:
        """The collections of photos and of concepts, which need not exist yet."""
        photos, concepts = self._names
        return (
            HierarchicalCollection(self.client, photos, root=manifest.root),
            HierarchicalCollection(self.client, concepts, root=manifest.root),
        )

    def concepts(self, manifest: Manifest) -> HierarchicalCollection:
        """The collection of concepts; a reader has one of its own, in a temporary folder."""
        if self.edition is None:
            return self.collections(manifest)[1]
        if self._own_concepts is None:
            self._own_concepts = EdgeClient(tempfile.mkdtemp(prefix="hiersearch-"))
        return HierarchicalCollection(self._own_concepts, "concepts", root=manifest.root)

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
            if self._lock is not None and isinstance(self.place, Path):
                settle_modes(self.place)  # the engine has made its last files
                self._lock.close()
                self._lock = None
            if self._own_concepts is not None:
                self._own_concepts.close()
                shutil.rmtree(self._own_concepts.path)
                self._own_concepts = None


def with_photos(connection: Connection) -> Manifest | None:
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


def made_meanwhile(connection: Connection, wanted: Manifest) -> Manifest | None:
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
