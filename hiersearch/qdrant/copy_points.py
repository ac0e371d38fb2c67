"""Making one collection a copy of another, by writing only what is missing or different."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hiersearch.qdrant.collection import HierarchicalCollection
from hiersearch.qdrant.points import PointId, Record, alike, pages
from hiersearch.qdrant.stored import BATCH

__all__ = ["CopiedPoints", "copy_points", "same_points"]

_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class CopiedPoints:
    """What was done to the points of a copy.

    Attributes:
        written: Number of points that were missing or different.
        removed: Number of points that the source does not have.
        unchanged: Number of points that were the same already.
    """

    written: int
    removed: int
    unchanged: int


def copy_points(
    source: HierarchicalCollection,
    target: HierarchicalCollection,
    *,
    on_progress: Callable[[int], None],
) -> CopiedPoints:
    """Give a collection the points of another, and no others. Resumes if interrupted.

    Payloads and vectors are copied as they are stored: nothing is recomputed.

    Args:
        source: What to copy; nothing should write to it meanwhile.
        target: An existing collection for the same kind of vectors.
        on_progress: Called with the number of points that the target has so far.

    Raises:
        StoreError: One of the stores failed; what was written stays.
    """
    written = removed = done = 0
    for size, records in _differences(source, target):
        target.put(_read(source, records))
        written += len(records)
        done += size
        on_progress(done)
    # The target has every point of the source now: equal counts mean that it has no others.
    if target.count() != source.count():
        for ids in _surplus(source, target):
            target.delete(ids)
            removed += len(ids)
    return CopiedPoints(written, removed, done - written)


def same_points(source: HierarchicalCollection, target: HierarchicalCollection) -> bool:
    """Whether two collections hold the same points; stops at the first page that differs."""
    if source.count() != target.count():
        return False
    return not any(records for _, records in _differences(source, target))


def _differences(
    source: HierarchicalCollection, target: HierarchicalCollection
) -> Iterator[tuple[int, list[Record]]]:
    """Page by page, its size and the points of it that the target lacks or has differently."""
    for page in pages(source.scroll(page=BATCH), BATCH):
        there = {record.id: record for record in target.retrieve([record.id for record in page])}
        yield (
            len(page),
            [
                record
                for record in page
                if record.id not in there or not alike(record.payload, there[record.id].payload)
            ],
        )


def _surplus(
    source: HierarchicalCollection, target: HierarchicalCollection
) -> Iterator[list[PointId]]:
    """Page by page, the ids of points that only the target has."""
    for ids in target.scroll_ids(page=_IDS_AT_ONCE):
        known = {record.id for record in source.retrieve(ids, payload=[])}
        only = [number for number in ids if number not in known]
        if only:
            yield only


def _read(source: HierarchicalCollection, records: list[Record]) -> list[Record]:
    """The points with their vectors, without those deleted meanwhile."""
    vectors = {
        record.id: record.vector
        for record in source.retrieve(
            [record.id for record in records], payload=[], with_vectors=True
        )
    }
    return [
        replace(record, vector=vectors[record.id]) for record in records if record.id in vectors
    ]
