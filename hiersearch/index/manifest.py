"""What an index remembers of itself: small files beside its collections, written atomically."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiersearch.concepts import Vocabulary
from hiersearch.errors import IndexNotFoundError, StoreError, VocabularyError
from hiersearch.levels import Calibration

__all__ = [
    "SCHEMA_VERSION",
    "Manifest",
    "forget_vocabularies",
    "has_manifest",
    "load_vocabulary",
    "read_manifest",
    "save_vocabulary",
    "write_manifest",
]

SCHEMA_VERSION = 1
_FILE = "hiersearch-index.json"


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


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of the index in a folder.

    Args:
        folder: The index's own folder.

    Raises:
        IndexNotFoundError: There is no index in the folder.
        StoreError: The manifest is damaged, or written by a later version.
    """
    path = folder / _FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise IndexNotFoundError(
            f"no index at {folder}", hint="Make one with 'hiersearch index FOLDER'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}", hint="Check its permissions") from error
    try:
        stored = json.loads(text)
        version = stored["version"]
        if version == SCHEMA_VERSION:
            return _from_stored(stored)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged ({error!r})",
            hint="Delete the index's folder and index the photos again",
        ) from error
    raise StoreError(
        f"the index at {folder} has format {version}; this version reads {SCHEMA_VERSION}",
        hint="Update hiersearch, or index the photos again into another store",
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest; a reader sees the old one or the new one, never a part.

    Args:
        folder: The index's own folder; made if it is missing.
        manifest: What to write.

    Raises:
        StoreError: The folder cannot be written to.
    """
    calibration = manifest.calibration
    stored = {
        "version": SCHEMA_VERSION,
        **vars(manifest),
        "root": manifest.root.tolist(),
        "calibration": calibration and {**vars(calibration), "centre": calibration.centre.tolist()},
    }
    _write_atomically(folder / _FILE, json.dumps(stored, indent=1).encode())


def has_manifest(folder: Path) -> bool:
    """Whether a folder holds an index."""
    return (folder / _FILE).exists()


def save_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    """Keeps a vocabulary beside the collections, under its id, until `forget_vocabularies`.

    Raises:
        StoreError: The folder cannot be written to.
    """
    content = gzip.compress(vocabulary.to_json().encode(), mtime=0)
    _write_atomically(_vocabulary_file(folder, vocabulary.id), content)


def forget_vocabularies(folder: Path, keep: str) -> None:
    """Removes the kept vocabularies but one."""
    for path in folder.glob(_vocabulary_file(Path(), "*").name):
        if path != _vocabulary_file(folder, keep):
            path.unlink(missing_ok=True)


def load_vocabulary(folder: Path, vocabulary_id: str) -> Vocabulary:
    """Reads a vocabulary that was kept.

    Raises:
        StoreError: It is missing or damaged.
    """
    path = _vocabulary_file(folder, vocabulary_id)
    try:
        vocabulary = Vocabulary.from_json(gzip.decompress(path.read_bytes()).decode())
    except (OSError, EOFError, zlib.error, ValueError, VocabularyError) as error:
        raise StoreError(
            f"cannot read the index's vocabulary {path}: {error}",
            hint="Give it one again with 'hiersearch index --concepts FILE' (or builtin)",
        ) from error
    return vocabulary


def _vocabulary_file(folder: Path, vocabulary_id: str) -> Path:
    return folder / f"vocabulary-{vocabulary_id}.json.gz"


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


def _write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file's content in one step that survives a kill and a power cut.

    Raises:
        StoreError: The file cannot be written; the old one is untouched.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
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
