"""Where an index keeps its documents: files in its folder, or points on its server."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from hiersearch.config import ServerPlace
from hiersearch.errors import StoreError
from hiersearch.files import whole_file
from hiersearch.qdrant import Client, Documents

__all__ = ["CommittedRecords", "FolderRecords", "Records", "ServerRecords"]


class Records(Protocol):
    """Small documents by name, each written whole or not at all."""

    @property
    def place(self) -> str:
        """Where the index lies, for messages."""

    @property
    def how_to_remove(self) -> str:
        """How a user removes the index, as the beginning of a hint."""

    def where(self, name: str) -> str:
        """Where a document lies, for messages."""

    def are_begun(self) -> bool:
        """Whether collections that are there belong to this index.

        In its own folder all do; on a server, collections of its name without records do not.
        """

    def begin(self) -> bool:
        """Prepares the place for documents, if that is needed.

        Returns:
            Whether the index is this run's to make; False if another run began it, perhaps just
            now. A folder is always: its lock keeps others out.

        Raises:
            CollectionError: Something else is in the way.
        """

    def read(self, name: str) -> bytes | None:
        """The content of a document; None if there is none.

        Raises:
            StoreError: It cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """Stores a document, after `begin`: a reader sees the old one or the new one, never a part.

        Raises:
            StoreError: It cannot be stored; the old one is untouched.
        """

    def delete(self, names: Collection[str]) -> None:
        """Removes documents; missing ones are ignored."""

    def names(self) -> list[str]:
        """The names of the documents; in a folder, of all other files too."""


class FolderRecords:
    """Files beside the collections.

    Args:
        folder: The index's own folder; made when something is written.
    """

    how_to_remove = "Delete the index's folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def where(self, name: str) -> str:
        """See `Records`."""
        return str(self.folder / name)

    def are_begun(self) -> bool:
        """See `Records`."""
        return True

    def begin(self) -> bool:
        """See `Records`."""
        return True

    def read(self, name: str) -> bytes | None:
        """See `Records`."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(
                f"cannot read {self.where(name)}: {error.strerror or error}",
                hint="Check its permissions",
            ) from error

    def write(self, name: str, content: bytes) -> None:
        """See `Records`. Survives a power cut."""
        path = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                file.write(content)
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror or error}",
                hint="Check the folder's permissions and the free space, or name another --store",
            ) from error

    def delete(self, names: Collection[str]) -> None:
        """See `Records`."""
        try:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot delete from {self.folder}: {error.strerror or error}",
                hint="Check the folder's permissions",
            ) from error

    def names(self) -> list[str]:
        """See `Records`."""
        return [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []


class CommittedRecords(FolderRecords):
    """Files beside the collections, as they belong to what was committed last. Never written.

    Args:
        folder: The index's own folder.
        committed: Returns a document as it was committed; None if it was not.
    """

    def __init__(self, folder: Path, committed: Callable[[str], bytes | None]) -> None:
        super().__init__(folder)
        self._committed = committed

    def read(self, name: str) -> bytes | None:
        """See `Records`."""
        content = self._committed(name)
        return super().read(name) if content is None else content

    def write(self, name: str, content: bytes) -> None:  # noqa: ARG002 - of any
        """Refuse."""
        raise StoreError(
            f"the index in {self.folder} is open for reading only", hint="Open it for writing"
        )


class ServerRecords:
    """Points of the collection `NAME-index` on the index's server.

    Args:
        client: Open on the server.
        place: The index.
    """

    def __init__(self, client: Client, place: ServerPlace) -> None:
        self._client = client
        self._at = place
        self._documents = Documents(client, f"{place.name}-index")
        self.place = str(place)
        self.how_to_remove = (
            f"Delete the collections {place.name}, {place.name}-concepts and {place.name}-index"
        )

    def where(self, name: str) -> str:
        """See `Records`."""
        return f"{name} in the collection {self._documents.collection} at {self._at.url}"

    def are_begun(self) -> bool:
        """See `Records`."""
        return self._documents.exists()

    def begin(self) -> bool:
        """See `Records`."""
        return self._documents.create()

    def read(self, name: str) -> bytes | None:
        """See `Records`."""
        return self._documents.read(name)

    def write(self, name: str, content: bytes) -> None:
        """See `Records`."""
        self._documents.write(name, content)

    def delete(self, names: Collection[str]) -> None:
        """See `Records`."""
        self._documents.delete(names)

    def names(self) -> list[str]:
        """See `Records`."""
        return list(self._documents.names())
