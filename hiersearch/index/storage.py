"""What lies in the folder of an index: its manifest, its vocabulary and two collections."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import Vocabulary
from hiersearch.index.manifest import (
    Manifest,
    load_vocabulary,
    read_manifest,
    save_vocabulary,
    write_manifest,
)
from hiersearch.qdrant import Client, HierarchicalCollection, connect

__all__ = ["IndexStore"]


class IndexStore:
    """The stored parts of one index, which agree with each other.

    Args:
        folder: The index's own folder.
        manifest: The manifest that lies there.
        client: Open on the collections that lie there.
    """

    def __init__(self, folder: Path, manifest: Manifest, client: Client) -> None:
        self.folder = folder
        self._manifest = manifest
        self._client = client
        self.photos = HierarchicalCollection(client, "photos", root=manifest.root)
        self.concepts = HierarchicalCollection(client, "concepts", root=manifest.root)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens what lies in a folder.

        Raises:
            IndexNotFoundError: There is no index there.
            StoreLockedError: Another process has it open.
            StoreError: It is damaged.
        """
        manifest = read_manifest(folder)
        client = connect(folder)
        try:
            store = cls(folder, manifest, client)
            for collection in (store.photos, store.concepts):
                if collection.exists():
                    collection.count()  # takes the lock, before anything is done on its strength
        except BaseException:
            client.close()
            raise
        return store

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, vocabulary: Vocabulary) -> Self:
        """Makes an empty index in a folder, in the place of another one if there is one.

        Raises:
            StoreLockedError: Another process has the other one open.
            StoreError: The folder cannot be written to.
        """
        client = connect(folder)
        try:
            store = cls(folder, manifest, client)
            store.photos.drop()
            store.concepts.drop()
            # The manifest comes last: an index is there when its manifest is.
            save_vocabulary(folder, vocabulary)
            write_manifest(folder, manifest)
        except BaseException:
            client.close()
            raise
        return store

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is stored."""
        return self._manifest

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the photos' chains come from."""
        return load_vocabulary(self.folder, self._manifest.vocabulary_id)

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
        write_manifest(self.folder, manifest)
        self._manifest = manifest

    def take_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Stores a vocabulary; if it is another one, the photos count as not labelled."""
        save_vocabulary(self.folder, vocabulary)
        if vocabulary.id != self._manifest.vocabulary_id:
            self.remember(vocabulary_id=vocabulary.id, labelled=False)
        self.__dict__.pop("vocabulary", None)

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        self._client.close()
