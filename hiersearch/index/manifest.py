"""What an index remembers of itself: its manifest and its vocabulary.

Where an index keeps what it remembers: files in its folder, or points on its server.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hiersearch.concepts import Vocabulary
from hiersearch.config import ServerPlace
from hiersearch.descent import Calibration
from hiersearch.errors import IndexNotFoundError, StoreError, VocabularyError
from hiersearch.qdrant import Client, Documents

__all__ = [
    "SCHEMA_VERSION",
    "FolderRecords",
    "Manifest",
    "Records",
    "ServerRecords",
    "forget_manifest",
    "forget_vocabularies",
    "has_manifest",
    "load_vocabulary",
    "read_manifest",
    "same_manifest",
    "save_vocabulary",
    "write_manifest",
]

SCHEMA_VERSION = 1
_DOCUMENT = "hiersearch-index.json"


@dataclass(frozen=True, eq=False)
class Manifest:
    """The facts that every later command on an index must agree with.

    Attributes:
        model: The name or folder that the model was loaded by.
        model_id: What the model is; two models with one id give the same vectors.
        root: (dim,), float32, the model's entailment root.
        vocabulary_id: Identifies the vocabulary that the photos' chains come from.
        photo_size: Shortest edge in pixels that the model looks at.
        labelled: Whether every stored photo has its chain from this vocabulary.
        calibration: What the posterior descent knows of the model; None until it is measured.
        calibrated_on: Number of photos it was measured on; None if the model states it.
    """

    model: str
    model_id: str
    root: NDArray[np.float32]
    vocabulary_id: str
    photo_size: int
    labelled: bool
    calibration: Calibration | None = None
    calibrated_on: int | None = None


def read_manifest(records: Records) -> Manifest:
    """Reads the manifest of an index.

    Raises:
        IndexNotFoundError: There is no index there.
        StoreError: The manifest is damaged, or written by a later version.
    """
    content = records.read(_DOCUMENT)
    if content is None:
        raise IndexNotFoundError(
            f"no index at {records.place}", hint="Make one with 'hiersearch index FOLDER'"
        )
    try:
        stored = json.loads(content.decode())
        version = stored["version"]
        if version == SCHEMA_VERSION:
            return _from_stored(stored)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{records.where(_DOCUMENT)} is damaged ({error!r})",
            hint=f"{records.how_to_remove} and index the photos again",
        ) from error
    raise StoreError(
        f"the index at {records.place} has format {version}; this version reads {SCHEMA_VERSION}",
        hint="Update hiersearch, or index the photos again into another store",
    )


def write_manifest(records: Records, manifest: Manifest) -> None:
    """Writes the manifest; a reader sees the old one or the new one, never a part.

    Raises:
        StoreError: It cannot be stored.
    """
    records.write(_DOCUMENT, json.dumps(_to_stored(manifest), indent=1).encode())


def same_manifest(one: Manifest, other: Manifest) -> bool:
    """Whether two manifests say the same."""
    return _to_stored(one) == _to_stored(other)


def has_manifest(records: Records) -> bool:
    """Whether there is an index."""
    return records.read(_DOCUMENT) is not None


def forget_manifest(records: Records) -> None:
    """Removes the manifest: what is left is no index."""
    records.delete([_DOCUMENT])


def save_vocabulary(records: Records, vocabulary: Vocabulary) -> None:
    """Keeps a vocabulary beside the collections, under its id, until `forget_vocabularies`.

    Raises:
        StoreError: It cannot be stored.
    """
    content = gzip.compress(vocabulary.to_json().encode(), mtime=0)
    records.write(_vocabulary_document(vocabulary.id), content)


def forget_vocabularies(records: Records, keep: str) -> None:
    """Removes the kept vocabularies but one."""
    before, after = _vocabulary_document("*").split("*")
    kept = _vocabulary_document(keep)
    records.delete(
        [
            name
            for name in records.names()
            if name.startswith(before) and name.endswith(after) and name != kept
        ]
    )


def load_vocabulary(records: Records, vocabulary_id: str) -> Vocabulary:
    """Reads a vocabulary that was kept.

    Raises:
        StoreError: It is missing or damaged.
    """
    name = _vocabulary_document(vocabulary_id)
    content = records.read(name)
    try:
        if content is None:
            raise ValueError("it is not there")
        vocabulary = Vocabulary.from_json(gzip.decompress(content).decode())
    except (OSError, EOFError, zlib.error, ValueError, VocabularyError) as error:
        raise StoreError(
            f"cannot read the index's vocabulary {records.where(name)}: {error}",
            hint="Give it one again with 'hiersearch index --concepts FILE' (or builtin)",
        ) from error
    return vocabulary


def _vocabulary_document(vocabulary_id: str) -> str:
    return f"vocabulary-{vocabulary_id}.json.gz"


def _to_stored(manifest: Manifest) -> dict[str, Any]:
    calibration = manifest.calibration
    return {
        "version": SCHEMA_VERSION,
        **vars(manifest),
        "root": manifest.root.tolist(),
        "calibration": calibration and {**vars(calibration), "centre": calibration.centre.tolist()},
    }


def _from_stored(stored: dict[str, Any]) -> Manifest:
    calibration = stored["calibration"]
    return Manifest(
        model=str(stored["model"]),
        model_id=str(stored["model_id"]),
        root=np.asarray(stored["root"], dtype=np.float32),
        vocabulary_id=str(stored["vocabulary_id"]),
        photo_size=int(stored["photo_size"]),
        labelled=bool(stored["labelled"]),
        calibration=calibration
        and Calibration(
            centre=np.asarray(calibration["centre"], dtype=np.float32),
            temperature=float(calibration["temperature"]),
            text_temperature=float(calibration["text_temperature"]),
        ),
        calibrated_on=stored["calibrated_on"],
    )


class Records(Protocol):
    """Small documents by name, each written whole or not at all."""

    @property
    def place(self) -> str:
        """Where the index lies, for messages."""

    @property
    def how_to_remove(self) -> str:
        """How a user gets rid of the index, as the beginning of a hint."""

    def where(self, name: str) -> str:
        """Where a document lies, for messages."""

    def are_begun(self) -> bool:
        """Whether collections that are there belong to this index; in a folder of its own all do.

        On a server, collections of that name without records are somebody else's.
        """

    def begin(self) -> None:
        """Makes room for documents, where something has to be made for that.

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
        """Removes documents; those that are not there are passed over."""

    def names(self) -> list[str]:
        """The names of what is there; in a folder, other things may be among them."""


class FolderRecords:
    """Files beside the collections.

    Args:
        folder: The index's own folder; made if it is missing when something is written.
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

    def begin(self) -> None:
        """See `Records`."""

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
        """See `Records`. Survives a power cut too."""
        path, temporary = self.folder / name, ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self.folder, prefix=f".{name}.", delete=False
            ) as file:
                temporary = file.name
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
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

    def begin(self) -> None:
        """See `Records`."""
        self._documents.create()

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
