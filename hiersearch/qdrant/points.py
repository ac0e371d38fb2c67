"""Points as they come back from a store.

Vectors from outside, made unit rows or refused: the engine itself would take anything.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qdrant_client import models

from hiersearch.errors import UsageError, VectorError

__all__ = [
    "ROOT_DISTANCE",
    "Hit",
    "PointId",
    "Record",
    "checked_page",
    "id_order",
    "pages",
    "plain_id",
    "settled",
    "unit_rows",
]

PointId: TypeAlias = int | str
"""An unsigned integer or a UUID in text."""

ROOT_DISTANCE = "root_distance"
"""The payload field that makes a collection hierarchical."""


@dataclass(frozen=True)
class Record:
    """A point that was read.

    Attributes:
        id: Its id.
        payload: Its payload, or the part that was asked for.
        vector: (dim,), where it was asked for.
    """

    id: PointId
    payload: dict[str, Any]
    vector: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, point: models.Record, vector_name: str) -> Record:
        """From a point of a client.

        Args:
            point: The point.
            vector_name: Which of its vectors is meant; "" is the unnamed one.
        """
        vector: Any = point.vector
        if isinstance(vector, Mapping):
            vector = vector.get(vector_name)
        return cls(
            id=plain_id(point.id),
            payload=point.payload or {},
            vector=None if vector is None else _row(vector),
        )


@dataclass(frozen=True)
class Hit:
    """A point that was found.

    Attributes:
        id: Its id.
        score: What it was ranked by, greater is better: the cosine similarity to the query, or the
            cosine of the exterior angle where angles were asked for.
        root_distance: Its distance from the root, in [0, 2]; None where the point has none.
        payload: Its payload, or the part that was asked for.
        angle: The exterior angle in radians, in [0, π], with the more general side as the parent;
            None for a plain nearest search.
    """

    id: PointId
    score: float
    root_distance: float | None
    payload: dict[str, Any]
    angle: float | None = None

    @classmethod
    def of(cls, point: models.ScoredPoint) -> Hit:
        """From a point that a client found; its score as a float32 in [−1, 1], as servers give it.

        The client's local mode gives more digits, but not the same ones to equal vectors.
        """
        payload = point.payload or {}
        distance = payload.get(ROOT_DISTANCE)
        return cls(
            id=plain_id(point.id),
            score=min(1.0, max(-1.0, float(np.float32(point.score)))),
            root_distance=None if distance is None else float(distance),
            payload=payload,
        )


def id_order(point: Hit | Record) -> tuple[bool, PointId]:
    """Sort key: integers first, then UUIDs, as a server orders them."""
    return isinstance(point.id, str), point.id


def checked_page(size: int) -> int:
    """A number of points to read at a time.

    Raises:
        UsageError: It is less than 1: no page would ever be the last.
    """
    if size < 1:
        raise UsageError(f"{size} points cannot be read at a time", hint="Use a page of at least 1")
    return size


def pages(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    """The points in lists of some size."""
    while page := list(islice(records, size)):
        yield page


def settled(
    search: Callable[[int], list[Hit]], limit: int, spare: int = 8, most: int | None = None
) -> list[Hit]:
    """The best hits, those of equal score in the order of their ids, whatever the store does.

    A store cuts a run of equal scores anywhere. So a few more than wanted are fetched, and more
    again where the run reaches beyond them.

    Args:
        search: Gives up to that many best hits.
        limit: Number of hits wanted.
        spare: Number of hits fetched beyond them.
        most: Greatest number that the store gives at a time, at least the limit. A run that reaches
            beyond it is in order as far as it was seen.
    """
    fetched = limit + spare
    while True:
        fetched = fetched if most is None else min(fetched, most)
        hits = sorted(search(fetched), key=lambda hit: (-hit.score, id_order(hit)))
        if len(hits) < fetched or fetched == most or hits[-1].score < hits[limit - 1].score:
            return hits[:limit]
        fetched *= 2


def _row(vector: Any) -> NDArray[np.float32]:
    """A vector as an array; of a list of numbers, in half the time that NumPy takes."""
    if not isinstance(vector, list):
        return np.asarray(vector, dtype=np.float32)
    try:
        packed = struct.pack(f"={len(vector)}f", *vector)
    except (struct.error, OverflowError):  # rows of numbers, or numbers beyond a float32
        return np.asarray(vector, dtype=np.float32)
    return np.frombuffer(bytearray(packed), dtype=np.float32)


def plain_id(value: object) -> PointId:
    """An id as an integer, or a UUID as text."""
    return value if isinstance(value, int) else str(value)


MIN_LENGTH = 1e-12
"""Vectors shorter than this have no direction."""


def unit_rows(vectors: ArrayLike, what: str) -> NDArray[np.float32]:
    """The rows at length 1.

    Args:
        vectors: (n, dim), of any length but zero.
        what: What they are, for the error.

    Returns:
        (n, dim), float32.

    Raises:
        VectorError: They are not a matrix of finite numbers, or one has no length.
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
