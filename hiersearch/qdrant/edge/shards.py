"""The collections of the embedded engine as folders: made, opened, locked, dropped."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import qdrant_edge as edge

from hiersearch.errors import CollectionError, StoreError, StoreLockedError
from hiersearch.qdrant.edge.failures import check_room, edge_errors, refuse_damaged

__all__ = ["Shards"]

_NOT_IN_NAMES = set('<>:"/\\|?*\x7f') | {chr(code) for code in range(32)}


class Shards:
    """The collections below a folder, each opened when it is first needed.

    Args:
        path: The folder that holds, or will hold, a folder per collection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[str, edge.EdgeShard] = {}

    def folder(self, name: str) -> Path:
        """The folder of a collection.

        Raises:
            CollectionError: No collection can have that name.
        """
        if not _is_name(name):
            raise CollectionError(
                f"{name!r} cannot be the name of a collection",
                hint='Use at most 255 characters, none of < > : " / \\ | ? *, and no dot in front',
            )
        return self.path / name

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name, be it damaged."""
        folder = self.folder(name)
        with edge_errors(folder):
            return (folder / "edge_config.json").exists() or (folder / "segments").is_dir()

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        with edge_errors(self.path):
            folders = list(self.path.iterdir()) if self.path.is_dir() else []
        return sorted(
            folder.name for folder in folders if _is_name(folder.name) and self.exists(folder.name)
        )

    def create(self, name: str, config: edge.EdgeConfig) -> None:
        """Create a collection, whole or not at all.

        Raises:
            CollectionError: There is one of that name.
            StoreError: The disk is full, or the folder cannot be written to.
        """
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
            # Made elsewhere and moved, so that a kill half-way leaves no half collection.
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.path))
            try:
                edge.EdgeShard.create(str(draft), config).close()
                draft.chmod(0o755)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def drop(self, name: str) -> bool:
        """Delete a collection; False where there is none.

        Raises:
            StoreLockedError: Another process has it open.
        """
        folder = self.folder(name)
        if not self.exists(name):
            return False
        with edge_errors(folder):
            self._make_ours(name)
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
        if name not in self._open:
            folder = self.folder(name)
            with edge_errors(folder):
                # The engine itself would create files in any folder that it is asked to load.
                if not self.exists(name):
                    raise CollectionError(f"there is no collection {name!r} in {self.path}")
                check_room(folder)
                refuse_damaged(folder)
                self._open[name] = edge.EdgeShard.load(str(folder))
        return self._open[name]

    def close(self) -> None:
        """Write everything out and let go of all collections."""
        while self._open:
            name, shard = self._open.popitem()
            with edge_errors(self.folder(name)):
                try:
                    shard.flush()
                finally:
                    shard.close()

    def _make_ours(self, name: str) -> None:
        """Close the collection, having had it open: no other process can be using it."""
        if name not in self._open:
            try:
                refuse_damaged(self.folder(name))
                self.shard(name)
            except StoreLockedError:
                raise
            except StoreError:
                return  # damaged: nobody can be using it, and it may be deleted
        self._open.pop(name).close()


def _is_name(text: str) -> bool:
    return bool(text) and text[0] != "." and len(text) <= 255 and not set(text) & _NOT_IN_NAMES
