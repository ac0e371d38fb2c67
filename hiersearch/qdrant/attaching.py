"""Makes a collection that exists hierarchical, in place: one number per point, and what undoes it.

Nothing but the fields and indexes that are named in an `Attachment` is touched, and the metadata of
the collection says which those are before the first is added. A run that is cut off is finished by
the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qdrant_client import models

from hiersearch.errors import CollectionError
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant.attach_run import PAGE, AttachRun, AttachSettings, AttachSummary, Check
from hiersearch.qdrant.attachment import read_attachment, remove_attachment
from hiersearch.qdrant.connect import Client, client_errors
from hiersearch.qdrant.limits import filterable
from hiersearch.qdrant.placing import Label, absent, having
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, checked_page, pages
from hiersearch.qdrant.stored import StoredPoints

__all__ = [
    "PAGE",
    "AttachSummary",
    "Check",
    "DetachSummary",
    "attach",
    "detach",
    "only_vector",
    "repair",
]


@dataclass(frozen=True)
class DetachSummary:
    """What `detach` removed.

    Attributes:
        points: Number of points that it was removed from.
        fields: The payload fields.
        indexes: The payload indexes.
    """

    points: int
    fields: tuple[str, ...]
    indexes: tuple[str, ...]


def only_vector(client: Client, name: str) -> str:
    """The name of the vector of a collection whose points have just one; "" is the unnamed one.

    Raises:
        CollectionError: There is no such collection, or its points have several.
    """
    known = read_attachment(client, name)
    if known is not None:
        return known.vector
    with client_errors(client):
        params = client.get_collection(name).config.params.vectors
    named = list(params) if isinstance(params, dict) else [""]
    if len(named) == 1:
        return named[0]
    raise CollectionError(
        f"the points of the collection {name!r} have several vectors",
        hint=f"Name one of them: {', '.join(repr(one) for one in sorted(named))}",
    )


def attach(
    collection: StoredPoints,
    *,
    label: Label | None = None,
    check: Check | None = None,
    model: str = "",
    vocabulary: str = "",
    dry_run: bool = False,
    page: int = PAGE,
    on_progress: Progress = tell_nobody,
) -> AttachSummary:
    """Gives every point of a collection that exists its `root_distance`.

    Run again, it gives it to those that still lack it: after a kill, or when points were added.
    The index on `root_distance` is made before the first of them. A search graph that was built
    before knows nothing of that index: see `hnsw_ef` if filtered searches miss points.

    Args:
        collection: The collection, with the root of the model that made its vectors.
        label: Gives points concepts too, so that they can be counted and filtered.
        check: Called with some points before anything is written. Where it says no, nothing is.
        model: The name of the model, to be remembered.
        vocabulary: The id of the vocabulary behind `label`, to be remembered.
        dry_run: Whether to look and to count only.
        page: Number of points to read at a time.
        on_progress: Told about work that takes time.

    Raises:
        UsageError: A page is to be of less than one point.
        CollectionError: There is no such collection or vector, it is compared by neither cosine nor
            dot product, it was attached with another root, or has fields of those names.
        ModelMismatchError: The check says that another model made the vectors.
        VectorError: Vectors compared by dot product are not of length 1. Nothing was written.
        StoreError: The store failed; what was written stays, and a rerun goes on.
    """
    run = AttachRun(
        collection, AttachSettings(label, check, model, vocabulary, dry_run, page, on_progress)
    )
    return _fill(run)


def _fill(run: AttachRun) -> AttachSummary:
    if run.known is not None:
        run.known.check_root(run.collection.name, run.collection.root)
    return run.go()


def repair(
    collection: StoredPoints,
    *,
    label: Label | None = None,
    check: Check | None = None,
    model: str = "",
    vocabulary: str = "",
    recompute: bool = False,
    dry_run: bool = False,
    page: int = PAGE,
    on_progress: Progress = tell_nobody,
) -> AttachSummary:
    """Gives `root_distance` to points that were added since the collection became hierarchical.

    Args:
        collection: A collection that was attached or created by us.
        label: Gives points concepts too; with `recompute`, all of them.
        check: As for `attach`.
        model: As for `attach`.
        vocabulary: As for `attach`.
        recompute: Whether to read all vectors and correct distances that are not theirs: vectors
            have been replaced by others since, or the root was another.
        dry_run: Whether to look and to count only.
        page: Number of points to read at a time.
        on_progress: Told about work that takes time.

    Raises:
        UsageError: As for `attach`.
        CollectionError: As for `attach`; or it is not hierarchical yet.
        ModelMismatchError: As for `attach`.
        VectorError: As for `attach`.
        StoreError: As for `attach`.
    """
    run = AttachRun(
        collection, AttachSettings(label, check, model, vocabulary, dry_run, page, on_progress)
    )
    if run.known is None and not run.some_with(ROOT_DISTANCE):
        raise CollectionError(
            f"no point of the collection {collection.name!r} has a root distance",
            hint="Attach it first",
        )
    return run.go(recompute=True) if recompute else _fill(run)


def detach(
    collection: StoredPoints, *, page: int = PAGE, on_progress: Progress = tell_nobody
) -> DetachSummary:
    """Removes what `attach` added: fields, indexes and what the metadata says of them.

    A field that points had before stays, and so does an index that was there. Run again after a
    kill, it goes on.

    Args:
        collection: The collection.
        page: Number of points to write at a time.
        on_progress: Told about work that takes time.

    Raises:
        UsageError: A page is to be of less than one point.
        CollectionError: There is no such collection, or it is not attached.
    """
    checked_page(page)
    with client_errors(collection.client):
        info = collection.client.get_collection(collection.name)
    known = read_attachment(collection.client, collection.name, info)
    if known is None:
        raise CollectionError(
            f"the collection {collection.name!r} is not attached", hint="There is nothing to undo"
        )
    points = 0
    if known.fields:
        # Every labelled point has a distance; its labels may be empty, which no filter finds.
        chosen = having(ROOT_DISTANCE) if filterable(info, ROOT_DISTANCE) else None
        total = collection.count(chosen)
        for part in _placed_ids(collection, chosen, page):
            on_progress("detaching", points, total)
            with client_errors(collection.client):
                collection.client.delete_payload(collection.name, list(known.fields), list(part))
            points += len(part)
        on_progress("detaching", points, points)
    for field in known.indexes:
        if field in info.payload_schema:
            with client_errors(collection.client):
                collection.client.delete_payload_index(collection.name, field)
    remove_attachment(collection.client, collection.name)
    return DetachSummary(points, known.fields, known.indexes)


def _placed_ids(
    collection: StoredPoints, chosen: models.Filter | None, page: int
) -> Iterator[list[PointId]]:
    """Page by page, the ids of the points that have a root distance."""
    if chosen is not None:
        yield from collection.scroll_ids(chosen, page=page)
        return
    # A run that was cut off has removed the index, and strict mode filters by no other field.
    records = collection.scroll(payload=[ROOT_DISTANCE], page=page)
    found = (record for record in records if not absent(record, ROOT_DISTANCE))
    yield from ([record.id for record in part] for part in pages(found, page))
