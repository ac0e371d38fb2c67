"""What an index remembers of itself: its manifest, vocabulary and tally, and a copy under way.

The files' formats are the dataclasses named `Stored...`; pydantic checks them when they are read.
"""

from __future__ import annotations

import gzip
import json
import logging
import shlex
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.encoder import current_name
from hiersearch.errors import IndexNotFoundError, StoreError, VocabularyError
from hiersearch.index.records import Records
from hiersearch.trees import Calibration
from hiersearch.types import Floats

__all__ = [
    "SCHEMA_VERSION",
    "CopyMark",
    "Manifest",
    "StoredTally",
    "committed_documents",
    "forget_manifest",
    "forget_mark",
    "forget_vocabularies",
    "has_manifest",
    "load_tally",
    "load_vocabulary",
    "read_manifest",
    "read_mark",
    "refuse_half_copy",
    "same_manifest",
    "save_tally",
    "save_vocabulary",
    "vocabulary_summary",
    "write_manifest",
    "write_mark",
]

SCHEMA_VERSION = 2
"""The newest format that is read, and that an index with trees has; all others have the first."""

_MANIFEST = "hiersearch-index.json"
_MARK = "hiersearch-copy.json"
_TALLY = "hiersearch-tally.json.gz"

Stored = TypeVar("Stored")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Manifest:
    """What every later command on an index must agree with.

    Attributes:
        model: The name or folder that the model was loaded by.
        model_id: Two models with one id give the same vectors.
        root: (dim,), float32, the model's entailment root.
        vocabulary_id: Identifies the vocabulary that the photos' chains come from.
        photo_size: Shortest edge in pixels that the model looks at.
        labelled: Whether every stored photo has its chain from this vocabulary.
        calibration: The model's, for the posterior descent; None until it is measured.
        calibrated_on: Number of photos it was measured on; None if the model states it.
        trees: The id of the statistics that the photos' trees were made with; None if they have
            chains alone. See `hiersearch.trees.PhotoStatistics`.
    """

    model: str
    model_id: str
    root: Floats
    vocabulary_id: str
    photo_size: int
    labelled: bool
    calibration: Calibration | None = None
    calibrated_on: int | None = None
    trees: str | None = None


@dataclass(frozen=True)
class StoredTally:
    """The tally of an index as it is kept.

    Attributes:
        photos: As in `Tally`.
        concepts: As from `Tally.to_rows`.
    """

    photos: int
    concepts: dict[str, list[float]]


def read_manifest(records: Records) -> Manifest:
    """Reads the manifest of an index.

    Raises:
        IndexNotFoundError: There is no index there.
        StoreError: The manifest is damaged, or written by a later version.
    """
    content = records.read(_MANIFEST)
    if content is None:
        raise IndexNotFoundError(
            f"no index at {records.place}", hint="Make one with 'hiersearch index FOLDER'"
        )
    advice = "index the photos again"
    version = _validated(records, _MANIFEST, content, _StoredVersion, advice).version
    if version not in range(1, SCHEMA_VERSION + 1):
        raise StoreError(
            f"the index at {records.place} has format {version}; this version reads up to "
            f"{SCHEMA_VERSION}",
            hint="Update hiersearch, or index the photos again into another store",
        )
    return _validated(records, _MANIFEST, content, _StoredManifest, advice).manifest()


def write_manifest(records: Records, manifest: Manifest) -> None:
    """Writes the manifest; a reader sees the old one or the new one, never a part.

    Raises:
        StoreError: It cannot be stored.
    """
    records.write(_MANIFEST, json.dumps(asdict(_StoredManifest.of(manifest)), indent=1).encode())


def same_manifest(one: Manifest, other: Manifest) -> bool:
    """Whether two manifests are equal."""
    return _StoredManifest.of(one) == _StoredManifest.of(other)


def has_manifest(records: Records) -> bool:
    """Whether there is an index."""
    return records.read(_MANIFEST) is not None


def forget_manifest(records: Records) -> None:
    """Removes the manifest: what is left is not an index."""
    records.delete([_MANIFEST])


def save_vocabulary(records: Records, vocabulary: Vocabulary) -> None:
    """Keeps a vocabulary beside the collections, under its id, until `forget_vocabularies`.

    Raises:
        StoreError: It cannot be stored.
    """
    content = gzip.compress(vocabulary.to_json().encode(), mtime=0)
    records.write(_vocabulary_document(vocabulary.id), content)


def forget_vocabularies(records: Records, keep: str) -> None:
    """Removes all kept vocabularies but one."""
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
    return _kept_vocabulary(records, vocabulary_id, Vocabulary.from_json)


def vocabulary_summary(records: Records, vocabulary_id: str) -> tuple[str, int]:
    """The name of a vocabulary that was kept, and how many concepts it has.

    Raises:
        StoreError: It is missing or damaged; what its concepts are is not looked at.
    """

    def summary(text: str) -> tuple[str, int]:
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content.get("concepts"), list):
            raise ValueError("it has no concepts")
        return str(content.get("name")), len(content["concepts"])

    return _kept_vocabulary(records, vocabulary_id, summary)


def _kept_vocabulary(records: Records, vocabulary_id: str, read: Callable[[str], Stored]) -> Stored:
    name = _vocabulary_document(vocabulary_id)
    content = records.read(name)
    try:
        if content is None:
            raise ValueError("it is not there")
        return read(gzip.decompress(content).decode())
    except (OSError, EOFError, zlib.error, ValueError, VocabularyError) as error:
        raise StoreError(
            f"cannot read the index's vocabulary {records.where(name)}: {error}",
            hint="Give it one again with 'hiersearch index --concepts FILE' (or builtin)",
        ) from error


def save_tally(records: Records, manifest: Manifest, tally: StoredTally | None) -> None:
    """Keeps the tally of the photos' memberships; None forgets an earlier one.

    Raises:
        StoreError: It cannot be stored.
    """
    if tally is None:
        records.delete([_TALLY])
        return
    content = {**asdict(tally), "vocabulary_id": manifest.vocabulary_id, "trees": manifest.trees}
    records.write(_TALLY, gzip.compress(json.dumps(content).encode(), mtime=0))


def load_tally(records: Records, manifest: Manifest) -> StoredTally | None:
    """The tally that was kept; None if it is of other labels than the photos have now.

    It is a help to count by, and made again with the labels: a damaged one is none, with a warning.
    """
    content = records.read(_TALLY)
    if content is None:
        return None
    try:
        plain = gzip.decompress(content)
        stored = _validated(records, _TALLY, plain, _LabelledTally, "index the photos again")
    except (OSError, EOFError, zlib.error, StoreError) as error:
        logger.warning(
            "%s is damaged (%s); photos are counted without it until they are labelled again with "
            "'hiersearch index --concepts FILE' (or builtin)",
            records.where(_TALLY),
            error,
        )
        return None
    if (stored.vocabulary_id, stored.trees) != (manifest.vocabulary_id, manifest.trees):
        return None
    return StoredTally(stored.photos, {one: list(row) for one, row in stored.concepts.items()})


def committed_documents(records: Records, manifest: Manifest) -> dict[str, bytes]:
    """What readers must find as it belongs together with the photos: by name, what is there."""
    names = (_MANIFEST, _TALLY, _vocabulary_document(manifest.vocabulary_id))
    found = {name: records.read(name) for name in names}
    return {name: content for name, content in found.items() if content is not None}


def _vocabulary_document(vocabulary_id: str) -> str:
    return f"vocabulary-{vocabulary_id}.json.gz"


@dataclass(frozen=True)
class CopyMark:
    """Which copy is under way.

    Attributes:
        source: Where the copied index lies.
        model_id: Its model's id.
        vocabulary_id: Its vocabulary's id.
    """

    source: str
    model_id: str
    vocabulary_id: str


def read_mark(records: Records) -> tuple[CopyMark, bool] | None:
    """The copy that is under way, and whether the points there belong to it.

    Raises:
        StoreError: The note is damaged.
    """
    content = records.read(_MARK)
    if content is None:
        return None
    stored = _validated(records, _MARK, content, _StoredMark, "copy the index again")
    return CopyMark(stored.source, stored.model_id, stored.vocabulary_id), stored.cleared


def write_mark(records: Records, mark: CopyMark, *, cleared: bool) -> None:
    """Notes that a copy is under way.

    Args:
        records: Where the note goes.
        mark: Which copy it is.
        cleared: Whether all points there belong to this copy or to an earlier state of the index;
            False while the collections of something else may still be there.
    """
    stored = _StoredMark(**asdict(mark), cleared=cleared)
    records.write(_MARK, json.dumps(asdict(stored), indent=1).encode())


def forget_mark(records: Records) -> None:
    """Notes that the copy is complete."""
    records.delete([_MARK])


def refuse_half_copy(records: Records) -> None:
    """Makes sure that no copy is under way.

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


@dataclass(frozen=True)
class _StoredVersion:
    version: int | str


@dataclass(frozen=True)
class _StoredCalibration:
    centre: list[float]
    temperature: float
    text_temperature: float

    @classmethod
    def of(cls, calibration: Calibration) -> _StoredCalibration:
        return cls(**{**vars(calibration), "centre": calibration.centre.tolist()})

    def calibration(self) -> Calibration:
        centre = np.asarray(self.centre, dtype=np.float32)
        return Calibration(centre, self.temperature, self.text_temperature)


@dataclass(frozen=True)
class _StoredManifest:
    version: int
    model: str
    model_id: str
    root: list[float]
    vocabulary_id: str
    photo_size: int
    labelled: bool
    calibration: _StoredCalibration | None
    calibrated_on: int | None
    trees: str | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> _StoredManifest:
        calibration = manifest.calibration
        values: dict[str, Any] = {
            **vars(manifest),
            "root": manifest.root.tolist(),
            "calibration": calibration and _StoredCalibration.of(calibration),
        }
        # What has no trees can be read by versions that know none.
        return cls(version=1 if manifest.trees is None else SCHEMA_VERSION, **values)

    def manifest(self) -> Manifest:
        calibration = None if self.calibration is None else self.calibration.calibration()
        return Manifest(
            model=current_name(self.model, self.model_id),
            model_id=self.model_id,
            root=np.asarray(self.root, dtype=np.float32),
            vocabulary_id=self.vocabulary_id,
            photo_size=self.photo_size,
            labelled=self.labelled,
            calibration=calibration,
            calibrated_on=self.calibrated_on,
            trees=self.trees,
        )


@dataclass(frozen=True)
class _LabelledTally:
    photos: int
    concepts: dict[str, tuple[float, float, float, float, float]]
    vocabulary_id: str
    trees: str | None


@dataclass(frozen=True)
class _StoredMark:
    source: str
    model_id: str
    vocabulary_id: str
    cleared: bool


def _validated(
    records: Records, name: str, content: bytes, form: type[Stored], advice: str
) -> Stored:
    """The content of a document, of which unknown fields are ignored.

    Args:
        records: Where it lies.
        name: Its name.
        content: What it holds.
        form: A dataclass of its fields.
        advice: What to do if it is damaged, after removing the index.

    Raises:
        StoreError: It is damaged.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{records.where(name)} is damaged ({where + ': ' if where else ''}{first['msg']})",
            hint=f"{records.how_to_remove} and {advice}",
        ) from error
