"""The collections of the embedded engine as folders: created, opened, described, deleted."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from hiersearch.errors import CollectionError, StoreError, StoreLockedError
from hiersearch.files import whole_file
from hiersearch.qdrant.edge.failures import check_room, edge_errors, refuse_damaged
from hiersearch.qdrant.edge.shard_settings import (
    CONFIG_FILE,
    METADATA_FILE,
    collection_info,
    shard_config,
    shard_layout,
    stored_metadata,
)

if TYPE_CHECKING:
    from qdrant_client import models

    from hiersearch.qdrant.layout import Layout

__all__ = ["Shards", "changed_path", "edition_path", "write_out"]

_MOST_NOTED = 100_000
"""Points up to which it is worth to know which were changed."""

_NOT_IN_NAMES = set('<>:"/\\|?*\x7f') | {chr(code) for code in range(32)}


class Shards:
    """The collections in a folder, each opened when it is first needed.

    Args:
        path: The folder that holds, or will hold, a folder per collection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[str, edge.EdgeShard] = {}
        self._written: set[str] = set()
        self._changes: dict[str, set[str] | None] = {}
        self._opening = Lock()

    def folder(self, name: str) -> Path:
        """The folder of a collection.

        Raises:
            CollectionError: The name is not allowed.
        """
        if not _is_name(name):
            raise CollectionError(
                f"{name!r} cannot be the name of a collection",
                hint='Use at most 255 characters, none of < > : " / \\ | ? *, and no dot in front',
            )
        return self.path / name

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name, even if it is damaged."""
        folder, replaced = self.folder(name), self._replaced(name)
        with edge_errors(folder):
            if replaced.is_dir() and not folder.exists():
                replaced.rename(folder)  # `replace` was killed
            return (folder / CONFIG_FILE).exists() or (folder / "segments").is_dir()

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        with edge_errors(self.path):
            folders = list(self.path.iterdir()) if self.path.is_dir() else []
        return sorted(
            folder.name for folder in folders if _is_name(folder.name) and self.exists(folder.name)
        )

    def create(
        self,
        name: str,
        vectors: models.VectorParams | Mapping[str, models.VectorParams],
        *,
        exact_up_to: int,
    ) -> None:
        """Create a collection, completely or not at all.

        Args:
            name: Its name.
            vectors: The parameters of the one unnamed vector, or of the named ones.
            exact_up_to: Number of points up to which the engine builds no graph.

        Raises:
            CollectionError: There is one of that name already.
            StoreError: The disk is full, the folder cannot be written to, or a parameter is not for
                the embedded store.
        """
        config = shard_config(vectors, exact_up_to)
        folder = self.folder(name)
        with edge_errors(folder):
            if self.exists(name):
                raise CollectionError(f"the collection {name!r} exists already in {self.path}")
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise CollectionError(
                    f"{folder} holds something else", hint="Move it away, or name another store"
                )
            self.path.mkdir(parents=True, exist_ok=True)
            check_room(self.path)
            self.note_changes(name, None)
            # Created elsewhere and moved, so that a kill leaves no partial collection.
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.path))
            try:
                edge.EdgeShard.create(str(draft), config).close()
                draft.chmod(self.path.stat().st_mode & 0o777)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def drop(self, name: str) -> bool:
        """Delete a collection; False if there is none.

        Raises:
            StoreLockedError: Another process has it open.
        """
        folder = self.folder(name)
        if not self.exists(name):
            return False
        with edge_errors(folder):
            self._make_ours(name)
            self.note_changes(name, None)
            doomed = Path(tempfile.mkdtemp(prefix=".deleted-", dir=self.path))
            folder.rename(doomed / "collection")
            shutil.rmtree(doomed)
        return True

    def shard(self, name: str) -> edge.EdgeShard:
        """The open collection.

        Raises:
            CollectionError: There is none of that name.
            StoreLockedError: Another process has it open.
            StoreError: It is damaged, or the disk is full.
        """
        with self._opening:  # of several threads that need it at once, one opens it
            if name not in self._open:
                self._open[name] = self._loaded(name)
            return self._open[name]

    def replace(self, name: str, other: Path) -> bool:
        """Puts another collection in the place of one that is open.

        Nobody may read or write it meanwhile. A kill or a power cut leaves one of the two.

        Args:
            name: The name of the one.
            other: The folder of the other, on the same disk, which nobody has open, after
                `write_out`.

        Returns:
            Whether it was done; False if another process got in between, and nothing was changed.

        Raises:
            StoreError: The other one cannot be opened; nothing was changed.
        """
        folder, replaced = self.folder(name), self._replaced(name)
        before = self.shard(name)
        with edge_errors(folder):
            self.clean(name)
            folder.rename(replaced)
            try:
                other.rename(folder)
            except OSError:
                return False  # another process has finished what it took for cut off
            try:
                self._open[name] = self._loaded(name)
            except BaseException:
                folder.rename(other)
                replaced.rename(folder)
                raise
            before.close()
            _sync(self.path)
            self.clean(name)
        return True

    def clean(self, name: str) -> None:
        """Removes what a replaced collection has left."""
        if self._replaced(name).is_dir():
            shutil.rmtree(self._replaced(name))

    def _replaced(self, name: str) -> Path:
        return self.path / f".replaced-{name}"

    def _loaded(self, name: str) -> edge.EdgeShard:
        folder = self.folder(name)
        with edge_errors(folder):
            # The engine itself would create files in any folder that it is asked to load.
            if not self.exists(name):
                raise CollectionError(f"there is no collection {name!r} in {self.path}")
            check_room(folder)
            refuse_damaged(folder)
            return edge.EdgeShard.load(str(folder))

    def size(self, name: str) -> int:
        """Bytes that a collection takes on the disk."""
        return sum(
            file.stat().st_blocks * 512 for file in self.folder(name).rglob("*") if file.is_file()
        )

    @contextmanager
    def opened(self, name: str) -> Iterator[edge.EdgeShard]:
        """The open collection, inside whose `with` block errors of the engine become ours.

        Raises:
            StoreError: As for `shard`; or whatever the engine raises.
        """
        shard = self.shard(name)
        with edge_errors(self.folder(name)):
            yield shard

    @contextmanager
    def written(self, name: str, ids: Iterable[object] | None = None) -> Iterator[edge.EdgeShard]:
        """The open collection, after checking that the disk has room for a write.

        Args:
            name: Its name.
            ids: The points that are written; None where that is not known.
        """
        with self.opened(name) as shard:
            check_room(self.folder(name))
            self.note_changes(name, ids)
            self._written.add(name)
            yield shard

    @contextmanager
    def tidied(self, name: str) -> Iterator[edge.EdgeShard]:
        """The open collection, after checking that the disk has room for a copy of it."""
        with self.opened(name) as shard:
            check_room(self.folder(name), needed=self.size(name))
            self._written.add(name)
            yield shard

    # What an edition lacks

    def note_changes(self, name: str, ids: Iterable[object] | None) -> None:
        """Notes which points are about to be changed, before they are; None for any.

        From then on a mark lies beside an edition of the collection, until `forget_changes`.
        """
        if name not in self._changes:
            is_marked = self.is_changed(name)
            self._changes[name] = None if is_marked else set()
            if not is_marked and edition_path(self.path, name).exists():
                changed_path(self.path, name).touch(mode=0o600)
                _sync(self.path)
        noted = self._changes[name]
        if noted is not None:
            noted.update(map(str, ids or ()))
            if ids is None or len(noted) > _MOST_NOTED:
                self._changes[name] = None

    def changes(self, name: str) -> set[str] | None:
        """The ids of all points that differ from the edition; None where that is not known."""
        if name not in self._changes:
            return None if self.is_changed(name) else set()
        return self._changes[name]

    def is_changed(self, name: str) -> bool:
        """Whether a collection was changed since its edition was published."""
        return changed_path(self.path, name).exists()

    def forget_changes(self, name: str) -> None:
        """An edition has been published: it lacks nothing."""
        changed_path(self.path, name).unlink(missing_ok=True)
        self._changes.pop(name, None)

    def info(self, name: str) -> models.CollectionInfo:
        """What the engine can say about a collection; everything else has its default."""
        with self.opened(name) as shard:
            return collection_info(self.folder(name), shard)

    def layout(self, name: str) -> Layout:
        """The same, as far as it matters to this package."""
        with self.opened(name) as shard:
            return shard_layout(self.folder(name), shard)

    def merge_metadata(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change the metadata of a collection, completely or not at all; null removes a key.

        Raises:
            StoreError: The metadata is not JSON.
        """
        folder = self.folder(name)
        with self.written(name, ()):
            merged = {**(stored_metadata(folder) or {}), **changes}
            merged = {key: value for key, value in merged.items() if value is not None}
            try:
                content = json.dumps(merged, ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise StoreError(f"the metadata of a collection is not JSON ({error})") from error
            with whole_file(folder / METADATA_FILE) as file:
                file.write(content)

    def close(self) -> None:
        """Write everything out and close all collections."""
        while self._open:
            name, shard = self._open.popitem()
            with edge_errors(self.folder(name)):
                try:
                    if name in self._written:
                        shard.flush()
                finally:
                    self._written.discard(name)
                    shard.close()

    def _make_ours(self, name: str) -> None:
        """Open and close the collection: then no other process can be using it."""
        if name not in self._open:
            try:
                refuse_damaged(self.folder(name))
                self.shard(name)
            except StoreLockedError:
                raise
            except StoreError:
                return  # damaged: nobody can be using it, so it may be deleted
        self._written.discard(name)
        self._open.pop(name).close()


def edition_path(folder: Path, name: str) -> Path:
    """Where the edition of a collection is, or would be."""
    return folder / f"{name}.edition"


def changed_path(folder: Path, name: str) -> Path:
    """The mark that a collection was changed since its edition was published."""
    return folder / f".changed-{name}"


def write_out(folder: Path) -> None:
    """Waits until all that is in a folder is on the disk, where a power cut leaves it.

    Raises:
        OSError: Something cannot be written.
    """
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_name(text: str) -> bool:
    return bool(text) and text[0] != "." and len(text) <= 255 and not set(text) & _NOT_IN_NAMES
