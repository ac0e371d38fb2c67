"""What can be wrong with one stored photo, told from its point alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.geometry import root_distance
from hiersearch.index.fields import (
    FOLDER,
    HASH,
    HEIGHT,
    MTIME,
    NAME,
    PATH,
    SIZE,
    TAKEN,
    WIDTH,
    photo_point,
)
from hiersearch.index.update.catalogue import KnownFile, file_payload
from hiersearch.qdrant import Record
from hiersearch.qdrant.points import ROOT_DISTANCE
from hiersearch.trees import CHAIN, CONCEPTS, LIKELY
from hiersearch.trees.chains import MASSES
from hiersearch.types import Floats

__all__ = [
    "TOLERANCE",
    "derived_fields",
    "distance_is_right",
    "has_direction",
    "labels_are_right",
    "wrong_fields",
]

TOLERANCE = 1e-4
"""How far a stored root distance may be off: float32 vectors near the root give no more."""

_UNIT = 2e-3
"""How far a length may be from 1, where vectors are stored in half precision."""


def has_direction(vector: Floats | None, dimension: int) -> bool:
    """Whether a vector is there, finite and of unit length."""
    if vector is None or vector.shape != (dimension,) or not np.isfinite(vector).all():
        return False
    return abs(float(np.linalg.norm(vector)) - 1) <= _UNIT


def distance_is_right(record: Record, root: Floats) -> bool:
    """Whether the stored root distance is that of the stored vector, which has a direction."""
    stored = record.payload.get(ROOT_DISTANCE)
    if isinstance(stored, bool) or not isinstance(stored, int | float) or record.vector is None:
        return False
    right = root_distance(record.vector.astype(np.float64), root.astype(np.float64))
    return abs(stored - float(right)) <= TOLERANCE


def wrong_fields(record: Record) -> list[str]:
    """The fields of a photo that only its file can tell again, and that are missing or wrong."""
    payload = record.payload
    wrong = [name for name, is_right in _RIGHT.items() if not is_right(payload.get(name))]
    if not wrong and len(payload[PATH]) != len(payload[MTIME]):
        wrong.append(MTIME)
    if HASH not in wrong and _point(payload[HASH]) != str(record.id):
        wrong.append(HASH)
    return wrong


def derived_fields(record: Record) -> dict[str, Any]:
    """What the names and folders should be, where they are not; the other fields are right."""
    payload = record.payload
    files = {
        path: KnownFile(str(record.id), payload[SIZE], mtime)
        for path, mtime in zip(payload[PATH], payload[MTIME], strict=True)
    }
    right = file_payload(files)
    return {key: right[key] for key in (NAME, FOLDER) if payload.get(key) != right[key]}


def labels_are_right(payload: Mapping[str, Any], vocabulary: Vocabulary, trees: bool) -> bool:
    """Whether a photo has labels, of concepts of the vocabulary, with all that is above them."""
    fields = (CHAIN, CONCEPTS, LIKELY) if trees else (CHAIN, CONCEPTS)
    listed = {key: payload.get(key) for key in fields}
    # A store may leave out a list that is empty.
    if not trees and listed[CHAIN] is None:
        return False
    chain, shown, likely = (listed.get(key) or [] for key in (CHAIN, CONCEPTS, LIKELY))
    for ids in (chain, shown, likely):
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            return False
        if any(one not in vocabulary for one in ids) or len(set(ids)) < len(ids):
            return False
    if not _masses_are_right(payload.get(MASSES), chain, vocabulary.has_parents):
        return False
    if not set(chain) <= set(shown) | set(likely):
        return False
    return all(set(vocabulary.ancestors(one)) <= set(shown) for one in shown)


def _masses_are_right(masses: Any, chain: list[str], has_parents: bool) -> bool:
    if not isinstance(masses, list | None):
        return False
    numbers = masses or []
    if len(numbers) != (len(chain) if has_parents else 0):
        return False
    return all(_is_number(one) and 0 <= one <= 1.0001 for one in numbers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_paths(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(one, str) and one for one in value) and len(set(value)) == len(value)


def _are_times(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_number, value))


def _is_moment(value: Any) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is None
    except ValueError:
        return False


def _point(content: str) -> str:
    try:
        return photo_point(content)
    except ValueError:
        return ""


_RIGHT: Mapping[str, Callable[[Any], bool]] = {
    PATH: _are_paths,
    MTIME: _are_times,
    SIZE: _is_count,
    HASH: lambda value: isinstance(value, str),
    WIDTH: lambda value: _is_count(value) and value > 0,
    HEIGHT: lambda value: _is_count(value) and value > 0,
    TAKEN: _is_moment,
}
