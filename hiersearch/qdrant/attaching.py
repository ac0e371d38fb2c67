"""Makes a collection that exists hierarchical, in place: one number per point, and what undoes it.

Nothing but the fields and indexes that are named in an `Attachment` is touched, and the metadata of
the collection says which those are before the first is added. A run that is cut off is finished by
the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hiersearch.errors import CollectionError
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant.attach_run import PAGE, AttachRun, AttachSettings, AttachSummary, Check
from hiersearch.qdrant.attachment import read_attachment, remove_attachment
from hiersearch.qdrant.connect import Client, client_errors
from hiersearch.qdrant.placing import Label, having
from hiersearch.qdrant.points import ROOT_DISTANCE, pages
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
    known, collection = run.known, run.collection
    if known is not None and known.recomputing:
        raise CollectionError(
            f"replacing the root distances of the collection {collection.name!r} was cut off",
            hint="Finish it with recompute",
        )
    if known is not None and not known.has_root(collection.root):
        raise CollectionError(
            f"the collection {collection.name!r} was attached with another root"
            + (f", that of {known.model}" if known.model else ""),
            hint="Detach it first, or replace its root distances with recompute",
        )
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
        CollectionError: There is no such collection, or it is not attached.
    """
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
        total = collection.count(having(ROOT_DISTANCE))
        records = collection.scroll(having(ROOT_DISTANCE), payload=[], page=page)
        for part in pages(records, page):
            on_progress("detaching", points, total)
            with client_errors(collection.client):
                collection.client.delete_payload(
                    collection.name, list(known.fields), [record.id for record in part]
                )
            points += len(part)
        on_progress("detaching", points, points)
    for field in known.indexes:
        if field in info.payload_schema:
            with client_errors(collection.client):
                collection.client.delete_payload_index(collection.name, field)
    remove_attachment(collection.client, collection.name)
    return DetachSummary(points, known.fields, known.indexes)
