"""What lies in the folder of an index: its manifest, its vocabulary and two collections."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hiersearch.concepts import Vocabulary
from hiersearch.errors import StoreError
from hiersearch.index.manifest import (
    Manifest,
    has_manifest,
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
        return cls(folder, read_manifest(folder), connect(folder))

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, vocabulary: Vocabulary) -> Self:
        """Makes an empty index in a folder.

        Raises:
            StoreError: There is one already, or the folder cannot be written to.
        """
        if has_manifest(folder):
            raise StoreError(
                f"there is an index at {folder} already", hint="Open it, or name another store"
            )
        # The manifest comes last: an index is there when its manifest is.
        save_vocabulary(folder, vocabulary)
        write_manifest(folder, manifest)
        return cls(folder, manifest, connect(folder))

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is stored."""
        return self._manifest

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the photos' chains come from."""
        return load_vocabulary(self.folder, self._manifest.vocabulary_id)

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
        """Stores another vocabulary; until the photos are relabelled the index says so."""
        save_vocabulary(self.folder, vocabulary)
        self.remember(vocabulary_id=vocabulary.id, labelled=False)
        self.__dict__.pop("vocabulary", None)

    def close(self) -> None:
        """Closes the collections, so that another process can open them."""
        self._client.close()
