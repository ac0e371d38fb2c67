"""Detaching a collection: removing what `attach` added, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hiersearch.errors import CollectionError
from hiersearch.progress import Progress
from hiersearch.qdrant.attachment import attachment_in, remove_attachment
from hiersearch.qdrant.connection import client_errors
from hiersearch.qdrant.filters import Filter, has_field
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, checked_page, pages
from hiersearch.qdrant.schema import filterable
from hiersearch.qdrant.stored import StoredPoints

__all__ = ["DetachSummary", "detach"]


@dataclass(frozen=True)
class DetachSummary:
    """What `detach` removed.

    Attributes:
        points: Number of points that something was removed from.
        fields: The payload fields.
        indexes: The payload indexes.
    """

    points: int
    fields: tuple[str, ...]
    indexes: tuple[str, ...]


def detach(points: StoredPoints, *, page: int, on_progress: Progress) -> DetachSummary:
    """Remove what `attach` added; see `HierarchicalCollection.detach`."""
    checked_page(page)
    schema = points.schema
    info = schema.info()
    known = attachment_in(info.config.metadata, schema.name)
    if known is None:
        raise CollectionError(
            f"the collection {schema.name!r} is not attached", hint="There is nothing to undo"
        )
    done = 0
    if known.fields:
        # Labelled points are attached too; their labels may be empty, which no filter finds.
        chosen = has_field(ROOT_DISTANCE) if filterable(info, ROOT_DISTANCE) else None
        total = points.count(chosen)
        for ids in _attached_ids(points, chosen, page):
            on_progress("detaching", done, total)
            points.remove_fields(ids, known.fields)
            done += len(ids)
        on_progress("detaching", done, done)
    for field in known.indexes:
        if field in info.payload_schema:
            with client_errors(schema.client):
                schema.client.delete_payload_index(schema.name, field)
    remove_attachment(schema.client, schema.name)
    return DetachSummary(done, known.fields, known.indexes)


def _attached_ids(
    points: StoredPoints, chosen: Filter | None, page: int
) -> Iterator[list[PointId]]:
    """Page by page, the ids of the points that are attached."""
    if chosen is not None:
        yield from points.scroll_ids(chosen, page=page)
        return
    # An interrupted run has removed the index, and strict mode filters by no other field.
    records = points.scroll(payload=[ROOT_DISTANCE], page=page)
    found = (record for record in records if not record.lacks(ROOT_DISTANCE))
    yield from ([record.id for record in part] for part in pages(found, page))
