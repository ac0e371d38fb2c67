"""Makes one collection the copy of another, by writing only what is missing or different."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hiersearch.qdrant.points import PointId, Record, pages
from hiersearch.qdrant.stored import BATCH, StoredPoints

__all__ = ["CopiedPoints", "alike", "copy_points", "same_points"]

_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class CopiedPoints:
    """What was done to the points of a copy.

    Attributes:
        written: Number of points that were missing or different.
        removed: Number of points that the source does not have.
        unchanged: Number of points that were right already.
    """

    written: int
    removed: int
    unchanged: int


def copy_points(
    source: StoredPoints, target: StoredPoints, *, on_progress: Callable[[int], None]
) -> CopiedPoints:
    """Gives a collection the points of another and no others; run again, it goes on.

    Payloads and vectors are taken as they are stored: nothing is computed anew.

    Args:
        source: What to copy; nothing should write to it meanwhile.
        target: A collection that exists, for the same kind of vectors.
        on_progress: Called with the number of points that are right at the target.

    Raises:
        StoreError: One of the stores failed; what was reported stays.
    """
    written = removed = done = 0
    for size, records in _differences(source, target):
        target.put(_read(source, records))
        written += len(records)
        done += size
        on_progress(done)
    # Every point of the source is at the target now: as many there means no others.
    if target.count() != source.count():
        for ids in _surplus(source, target):
            target.delete(ids)
            removed += len(ids)
    return CopiedPoints(written, removed, done - written)


def same_points(source: StoredPoints, target: StoredPoints) -> bool:
    """Whether two collections hold the same points; stops at the first difference."""
    if source.count() != target.count():
        return False
    return not any(records for _, records in _differences(source, target))


def alike(one: Any, other: Any) -> bool:
    """Whether two payloads say the same.

    The last bit of a long number changes on its way into a store and back, and fields without a
    value may be dropped; those are no differences.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(alike(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return bool(one == other)


def _differences(source: StoredPoints, target: StoredPoints) -> Iterator[tuple[int, list[Record]]]:
    """Page by page, its size and those of its points that the target has not, or otherwise."""
    for page in pages(source.scroll(page=BATCH), BATCH):
        there = {record.id: record for record in target.retrieve([record.id for record in page])}
        # A store that sorts its points otherwise, or by another copy of them, makes no difference.
        yield (
            len(page),
            [
                record
                for record in page
                if record.id not in there or not alike(record.payload, there[record.id].payload)
            ],
        )


def _surplus(source: StoredPoints, target: StoredPoints) -> Iterator[list[PointId]]:
    """Page by page, the ids of points that only the target has."""
    for ids in target.scroll_ids(page=_IDS_AT_ONCE):
        known = {record.id for record in source.retrieve(ids, payload=[])}
        only = [number for number in ids if number not in known]
        if only:
            yield only


def _read(source: StoredPoints, records: list[Record]) -> list[Record]:
    """The points with their vectors; those that are not there any more are left out."""
    vectors = {
        record.id: record.vector
        for record in source.retrieve(
            [record.id for record in records], payload=[], with_vectors=True
        )
    }
    return [
        replace(record, vector=vectors[record.id]) for record in records if record.id in vectors
    ]
