"""Points as a store returns them, and vectors checked before it gets them.

`root_distance` is spelled here and nowhere else.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiersearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    import qdrant_edge as edge
    from qdrant_client import models

__all__ = [
    "ROOT_DISTANCE",
    "Fields",
    "Hit",
    "Payloads",
    "PointId",
    "Record",
    "alike",
    "checked_page",
    "id_order",
    "pages",
    "plain_id",
    "same_distance",
    "selection",
    "settled",
    "slices",
    "unit_rows",
]

PointId: TypeAlias = int | str
"""An unsigned integer, or a UUID as text."""

Fields: TypeAlias = bool | Sequence[str]
"""Whether to fetch payloads, or which fields of them."""

Payloads: TypeAlias = Sequence[Mapping[str, Any]]
"""Payload fields, a mapping for each point."""

ROOT_DISTANCE = "root_distance"
"""The payload field with a point's distance from the root. A point that has it is attached."""

_SAME = 1.5e-5
"""How far apart two distances of a vector may be: both rounded, after a store normalised it."""


@dataclass(frozen=True)
class Record:
    """A point that was read.

    Attributes:
        id: The point's id.
        payload: Its payload, or the requested part.
        vector: (dim,), if requested and present.
    """

    id: PointId
    payload: dict[str, Any]
    vector: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, point: models.Record | edge.Record, vector_name: str) -> Record:
        """Convert a point that a client, or the embedded engine, read.

        Args:
            point: The point.
            vector_name: Which of its vectors to take; "" is the unnamed one.
        """
        vector: Any = point.vector
        if isinstance(vector, Mapping):
            vector = vector.get(vector_name)
        return cls(
            id=plain_id(point.id),
            payload=point.payload or {},
            vector=None if vector is None else _row(vector),
        )

    def lacks(self, field: str) -> bool:
        """Whether a payload field is missing; as in filters, null and empty lists count as that."""
        return self.payload.get(field) in (None, [])


@dataclass(frozen=True)
class Hit:
    """A point that was found.

    Attributes:
        id: The point's id.
        score: What it was ranked by, greater is better: the cosine similarity to the query, or the
            cosine of the exterior angle in rankings by angle.
        root_distance: Its distance from the root, in [0, 2]; None if the point is not attached.
        payload: Its payload, or the requested part.
        angle: The exterior angle in radians, in [0, π], with the more general side as the parent;
            None for a plain nearest search.
    """

    id: PointId
    score: float
    root_distance: float | None
    payload: dict[str, Any]
    angle: float | None = None

    @classmethod
    def of(cls, point: models.ScoredPoint | edge.ScoredPoint) -> Hit:
        """Convert a point that was found, with its score as a float32 in [−1, 1].

        That is what servers return. The client's local mode has more digits, but they differ
        between equal vectors.
        """
        payload = point.payload or {}
        distance = payload.get(ROOT_DISTANCE)
        return cls(
            id=plain_id(point.id),
            score=min(1.0, max(-1.0, float(np.float32(point.score)))),
            root_distance=None if distance is None else float(distance),
            payload=payload,
        )


def id_order(number: PointId) -> tuple[bool, PointId]:
    """Sort key: integers first, then UUIDs, as a server orders them."""
    return isinstance(number, str), number


def checked_page(size: int) -> int:
    """Check a number of points to read at a time.

    Raises:
        UsageError: It is less than 1, so that no page would ever be the last.
    """
    if size < 1:
        raise UsageError(f"{size} points cannot be read at a time", hint="Use a page of at least 1")
    return size


def alike(one: Any, other: Any) -> bool:
    """Whether two payloads mean the same.

    The last bit of a long number may change on its way into a store and back, and null fields may
    be dropped; neither counts as a difference.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(alike(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return bool(one == other)


def same_distance(stored: object, distance: float, tolerance: float = _SAME) -> bool:
    """Whether a stored distance is this one, but for rounding."""
    return isinstance(stored, (int, float)) and abs(stored - distance) <= tolerance


def pages(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    """Group points into lists of at most `size`."""
    while page := list(islice(records, size)):
        yield page


def settled(
    search: Callable[[int], list[Hit]], limit: int, spare: int = 8, most: int | None = None
) -> list[Hit]:
    """The best hits, with ties broken by id, whichever of equal hits the store returns.

    A store may cut a run of equal scores anywhere. So a few more hits than wanted are fetched, and
    twice as many again while the run reaches beyond them.

    Args:
        search: Returns up to a given number of best hits.
        limit: Number of hits wanted.
        spare: Number of hits to fetch beyond them.
        most: Greatest number of hits that the store returns at a time, at least `limit`. A longer
            run is in order as far as it was seen.
    """
    fetched = limit + spare
    while True:
        fetched = fetched if most is None else min(fetched, most)
        hits = sorted(search(fetched), key=lambda hit: (-hit.score, id_order(hit.id)))
        if len(hits) < fetched or fetched == most or hits[-1].score < hits[limit - 1].score:
            return hits[:limit]
        fetched *= 2


def selection(payload: Fields) -> bool | list[str]:
    """Which payload fields to fetch: those requested, and always `root_distance`."""
    if payload is True:
        return True
    return [*(payload or ()), ROOT_DISTANCE]


def slices(total: int, size: int) -> Iterator[slice]:
    """The parts of at most `size` of a sequence."""
    return (slice(start, start + size) for start in range(0, total, size))


def _row(vector: Any) -> NDArray[np.float32]:
    """A vector as an array. For a list of numbers this takes half as long as NumPy."""
    if not isinstance(vector, list):
        return np.asarray(vector, dtype=np.float32)
    try:
        packed = struct.pack(f"={len(vector)}f", *vector)
    except (struct.error, OverflowError):  # rows of numbers, or numbers beyond a float32
        return np.asarray(vector, dtype=np.float32)
    return np.frombuffer(bytearray(packed), dtype=np.float32)


def plain_id(value: object) -> PointId:
    """An id as an integer, or as text if it is a UUID."""
    return value if isinstance(value, int) else str(value)


MIN_LENGTH = 1e-12
"""Vectors shorter than this have no direction."""


def unit_rows(vectors: ArrayLike, what: str) -> NDArray[np.float32]:
    """Normalise rows to length 1. The engine itself would accept anything.

    Args:
        vectors: (n, dim), of any length but zero.
        what: What to call a row in an error.

    Returns:
        (n, dim), float32.

    Raises:
        VectorError: They are not a matrix of finite numbers, or a row has length zero.
    """
    try:
        rows = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise VectorError(f"{what} is not made of numbers ({error})") from error
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise VectorError(f"vectors of the shape {rows.shape} are not a row of numbers each")
    lengths = np.linalg.norm(rows, axis=1)
    for bad, problem in (
        (~np.isfinite(rows).all(axis=1), "holds a number that is not finite"),
        (~((lengths > MIN_LENGTH) & np.isfinite(lengths)), "has no length that can be made 1"),
    ):
        if bad.any():
            raise VectorError(f"{what} {problem} (row {int(bad.argmax())})")
    unit: NDArray[np.float32] = (rows / lengths[:, None]).astype(np.float32)
    return unit
