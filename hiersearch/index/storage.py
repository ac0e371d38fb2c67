"""The stored parts of an index: a collection of photos, one of concepts, and its documents."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import ConceptNames, Vocabulary
from hiersearch.config import IndexPlace
from hiersearch.errors import (
    PhotosNotFoundError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    UsageError,
)
from hiersearch.index.connecting import PHOTOS, Connection, made_meanwhile, with_photos
from hiersearch.index.fields import PATH, PHOTO_INDEXES
from hiersearch.index.manifest import (
    Manifest,
    StoredTally,
    committed_documents,
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
from hiersearch.index.records import FolderRecords
from hiersearch.index.results import IndexInfo
from hiersearch.qdrant import (
    EdgeClient,
    HierarchicalCollection,
)
from hiersearch.qdrant.edge.folder_modes import settle_modes
from hiersearch.qdrant.edge.shards import changed_path
from hiersearch.qdrant.edition.edition_file import EditionFile
from hiersearch.qdrant.edition.publishing import Editions, open_edition
from hiersearch.trees import CHAIN, CONCEPTS, LIKELY, Chain, Tally

__all__ = ["Connection", "IndexStore", "read_info"]

_COUNTED = (CONCEPTS, LIKELY)
"""The fields of photos that are counted for every answer."""

logger = logging.getLogger(__name__)


class IndexStore:
    """The stored parts of one index.

    Args:
        connection: To the place of the index.
        manifest: Its manifest.

    Attributes:
        only_reads: Whether it was opened never to be written to.
    """

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self.connection = connection
        self.place = connection.place
        self._records = connection.records
        self._manifest = manifest
        self.photos, _ = connection.collections(manifest)
        self.only_reads = connection.edition is not None

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
            present = with_photos(connection)
            if present is not None:
                connection.lock(present)
                return cls(connection, present)
            store = cls(connection, manifest)
            if not connection.records.begin():
                there = made_meanwhile(connection, manifest)
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

    @classmethod
    def open_to_read(cls, place: IndexPlace) -> Self:
        """Opens the index at a place, never to write to it.

        In a folder, that is what was last committed, which takes no lock and no right to write.
        Where the last run was cut off, or nothing was committed yet, it is opened as for writing.

        Raises:
            IndexNotFoundError: There is no index there.
            StoreLockedError: Another process has it open, and nothing was committed yet.
            StoreUnreachableError: No server answers there; or the folder cannot be written to, and
                nothing was committed yet.
            StoreError: It is damaged, or a copy to there was cut off.
        """
        edition = _edition(place)
        if edition is None or not isinstance(place, Path):
            return cls._opened_only_to_read(place)
        connection = Connection(place, edition)
        try:
            refuse_half_copy(FolderRecords(place))
            if changed_path(place, PHOTOS).exists():
                try:
                    store = cls._opened_only_to_read(place)
                except (StoreLockedError, StoreUnreachableError) as error:
                    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(edition.made))
                    logger.warning("%s; this is what was committed on %s", error.message, moment)
                else:
                    connection.close()
                    return store
            return cls(connection, read_manifest(connection.records))
        except BaseException:
            connection.close()
            raise

    @classmethod
    def _opened_only_to_read(cls, place: IndexPlace) -> Self:
        store = cls.open(place)
        store.only_reads = True
        return store

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is stored."""
        return self._manifest

    @cached_property
    def concepts(self) -> HierarchicalCollection:
        """The concepts as points, which radial paths are searched among."""
        return self.connection.concepts(self._manifest)

    def commit(self) -> None:
        """Lets readers of a folder see what is stored now.

        That is a help for readers: where it fails, they are told of an earlier state.
        """
        client, folder = self.connection.client, self.place
        if not isinstance(client, EdgeClient) or not isinstance(folder, Path):
            return
        editions = Editions(client)
        try:
            if not self.photos.exists():
                editions.withdraw(PHOTOS)
                return
            documents = committed_documents(self._records, self._manifest)
            if editions.are_due(PHOTOS, documents):
                editions.publish(PHOTOS, fields=_COUNTED, documents=documents)
                settle_modes(folder)
        except StoreError as error:
            logger.warning(
                "what was stored was not published for other processes to read: %s", error
            )

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

    def refuse_replacing(self, vocabulary: Vocabulary | None, exist_ok: bool, since: str) -> None:
        """Makes sure that there are no photos, or that they may be used as they are.

        Raises:
            StoreError: There are, and none were expected.
            UsageError: They are labelled from another vocabulary.
        """
        if not self.count():
            return
        if not exist_ok:
            raise StoreError(
                f"there is an index at {self.place} {since}", hint="Open it, or name another store"
            )
        if vocabulary is not None and vocabulary.id != self._manifest.vocabulary_id:
            raise UsageError(
                f"the index at {self.place} has another vocabulary",
                hint="Give it this one with add(concepts=...)",
            )

    def require_labels(self) -> None:
        """Makes sure that there are photos, and that all have labels.

        Raises:
            StoreError: A change of vocabulary was cut off.
            PhotosNotFoundError: There are none.
        """
        if not self._manifest.labelled:
            raise StoreError(
                f"the change of vocabulary of the index at {self.place} was cut off",
                hint="Run 'hiersearch index FOLDER' again, with any folder of its photos",
            )
        if not self.count():
            raise PhotosNotFoundError(
                f"the index at {self.place} holds no photos yet",
                hint="Add some with 'hiersearch index FOLDER'",
            )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return len(self._manifest.root)

    def remember(self, **changes: Any) -> None:
        """Stores the manifest with some fields changed."""
        manifest = replace(self._manifest, **changes)
        if self.connection.edition is None:  # a reader knows it for itself
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


def _edition(place: IndexPlace) -> EditionFile | None:
    """What was last committed at a place; None where nothing was, or it cannot be read."""
    if not isinstance(place, Path) or not has_manifest(FolderRecords(place)):
        return None
    try:
        return open_edition(place, PHOTOS)
    except StoreError as error:
        logger.warning("%s; the index itself is read instead", error.message)
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
