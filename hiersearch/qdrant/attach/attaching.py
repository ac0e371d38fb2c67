"""Makes a collection that exists hierarchical, in place: one number per point, and what undoes it.

Nothing but the fields and indexes that are named in an `Attachment` is touched, and the metadata of
the collection says which those are before the first is added. A run that is cut off is finished by
the next one.

One run over a collection that is attached: what is refused, what is made, what comes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from qdrant_client import models

from hiersearch.errors import CollectionError, ModelMismatchError
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant.attach.fill import LABELS, Label, Placing, absent, having, right_distances
from hiersearch.qdrant.attach.record import (
    Attachment,
    read_attachment,
    remove_attachment,
    write_attachment,
)
from hiersearch.qdrant.connection import Client, client_errors
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, Record, checked_page, pages
from hiersearch.qdrant.schema import filterable
from hiersearch.qdrant.stored import StoredPoints

__all__ = [
    "PAGE",
    "AttachRun",
    "AttachSettings",
    "AttachSummary",
    "Check",
    "DetachSummary",
    "attach",
    "detach",
    "only_vector",
    "repair",
]


Check: TypeAlias = Callable[[Sequence[Record]], bool | None]
"""Whether points were encoded by the model that the root comes from; None if it cannot say."""

PAGE = 512
"""Points read and written at a time."""

SAMPLE = 64
"""Points that a check, and the comparison with distances that are there already, may look at."""

LOOKED_AT = 4096
"""Points that are read to find those for a check, where not all have the vector."""

_CLOSE = 2e-3
"""How far apart two distances from the same root may be, where vectors are of half precision."""

_INDEXES: Mapping[str, Any] = {
    ROOT_DISTANCE: models.FloatIndexParams(type=models.FloatIndexType.FLOAT, is_principal=True),
    "concepts": models.PayloadSchemaType.KEYWORD,
}


@dataclass(frozen=True)
class AttachSummary:
    """What `attach` or `repair` did, or in a dry run would do.

    Attributes:
        points: Number of points in the collection.
        attached: Number of points that were given a root distance.
        already: Number of points that had one.
        labelled: Number of points that were given a chain.
        corrected: Number of points whose root distance was another.
        without_vector: Number of points that have no such vector: hierarchical queries pass over
            them.
        unusable: Number of points whose vector has no length, or a number that is not finite:
            likewise.
        missing: Number of points that others added meanwhile: `repair` finds them.
        verified: Whether the root is known to come from the model that made the vectors.
        dry_run: Whether nothing was written.
    """

    points: int
    attached: int = 0
    already: int = 0
    labelled: int = 0
    corrected: int = 0
    without_vector: int = 0
    unusable: int = 0
    missing: int = 0
    verified: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class AttachSettings:
    """The arguments of `attach` and `repair`."""

    label: Label | None
    check: Check | None
    model: str
    vocabulary: str
    dry_run: bool
    page: int
    on_progress: Progress


class AttachRun:
    """What is known of a collection before anything is written."""

    def __init__(self, collection: StoredPoints, how: AttachSettings) -> None:
        self.collection = collection
        self.how = how
        checked_page(how.page)
        self.info = self._info()
        self.distance = _vector_params(collection, self.info).distance
        self.known = read_attachment(collection.client, collection.name, self.info)
        if self.known is not None:
            self.known.check_vector(collection.name, collection.vector_name)

    def go(self, *, recompute: bool = False) -> AttachSummary:
        """Looks, refuses or writes."""
        dry_run = self.how.dry_run
        dot = self.distance == models.Distance.DOT
        placing = Placing(
            self.collection, self.how.label, dot, recompute, self.how.page, self.how.on_progress
        )
        attachment = self._intended(placing, recompute)
        counts: Counter[str] = Counter()
        if dry_run or dot:
            # By dot product, any length is possible: all are looked at before one is written.
            counts = placing.go(filtered=self._filterable(*placing.fields), write=False)
        if not dry_run:
            self._make(attachment, placing.fields)
            counts = placing.go(filtered=True, write=True)
            if attachment.recomputing:
                self._remember(replace(attachment, recomputing=False))
        return self._summary(counts, attachment)

    def some_with(self, field: str) -> list[Record]:
        """Some points that have a payload field."""
        if self._filterable(field):
            found = self.collection.scroll(
                having(field), payload=[field], with_vectors=True, page=SAMPLE
            )
        else:
            everything = self.collection.scroll(payload=[field], with_vectors=True)
            found = (record for record in everything if not absent(record, field))
        return list(islice(found, SAMPLE))

    def _intended(self, placing: Placing, recompute: bool) -> Attachment:
        """What the metadata will say; raises for all that can be seen to be wrong before."""
        known = self.known or Attachment(self.collection.root, self.collection.vector_name)
        root_known = self.known is not None and known.has_root(self.collection.root)
        fields = list(known.fields)
        if self.known is None:
            there = self.some_with(ROOT_DISTANCE)
            if not there:
                fields.append(ROOT_DISTANCE)
            elif not recompute and not right_distances(there, self.collection.root, _CLOSE):
                raise CollectionError(
                    f"the points of {self.collection.name!r} have a field {ROOT_DISTANCE!r} that "
                    "is not their distance from this root",
                    hint="Use the model that it came from, or replace it with recompute",
                )
        if self.how.label is not None:
            fields += self._label_fields(known, recompute)
        missing = [field for field in placing.fields if field not in self.info.payload_schema]
        return replace(
            known,
            root=self.collection.root,
            model=self.how.model or known.model,
            verified=self._verified(root_known and known.verified),
            fields=tuple(fields),
            indexes=tuple(dict.fromkeys([*known.indexes, *missing])),
            vocabulary=self.how.vocabulary if self.how.label else known.vocabulary,
            recomputing=recompute and (known.recomputing or not root_known),
        )

    def _label_fields(self, known: Attachment, recompute: bool) -> list[str]:
        if known.vocabulary and known.vocabulary != self.how.vocabulary and not recompute:
            raise CollectionError(
                f"the collection {self.collection.name!r} was labelled with another vocabulary",
                hint="Detach it first, or replace the labels with recompute",
            )
        new = [field for field in LABELS if field not in known.fields]
        for field in new:
            if self.some_with(field):
                raise CollectionError(
                    f"the points of {self.collection.name!r} have a field {field!r} of their own",
                    hint="Leave the vocabulary out",
                )
        return new

    def _verified(self, before: bool) -> bool:
        if self.how.check is None:
            return before
        records = islice(self.collection.scroll(with_vectors=True, page=SAMPLE), LOOKED_AT)
        # Points with other vectors only may come first.
        sample = list(islice((one for one in records if one.vector is not None), SAMPLE))
        verdict = self.how.check(sample) if sample else None
        if verdict is False:
            raise ModelMismatchError(
                f"the vectors of {self.collection.name!r} were not made by "
                + (self.how.model or "the model of this root"),
                hint="Name the model that made them",
            )
        return before if verdict is None else verdict

    def _make(self, attachment: Attachment, fields: Sequence[str]) -> None:
        """The metadata first, so that whatever is added can be removed; then the indexes."""
        known = self.known
        if attachment != known or not known.has_root(attachment.root):
            self._remember(attachment)
        for field in fields:
            if field not in self.info.payload_schema:
                with client_errors(self.collection.client):
                    self.collection.client.create_payload_index(
                        self.collection.name, field, _INDEXES[field]
                    )

    def _remember(self, attachment: Attachment) -> None:
        write_attachment(self.collection.client, self.collection.name, attachment)

    def _summary(self, counts: Counter[str], attachment: Attachment) -> AttachSummary:
        points = self.collection.count()
        out = counts["without_vector"] + counts["unusable"]
        missing = 0
        if not self.how.dry_run:
            missing = max(0, self.collection.count_without_distance() - out)
        return AttachSummary(
            points=points,
            attached=counts["attached"],
            already=max(0, points - counts["attached"] - out - missing),
            labelled=counts["labelled"],
            corrected=counts["corrected"],
            without_vector=counts["without_vector"],
            unusable=counts["unusable"],
            missing=missing,
            verified=attachment.verified,
            dry_run=self.how.dry_run,
        )

    def _filterable(self, *fields: str) -> bool:
        """Whether the store lets points be chosen by fields as they are indexed so far."""
        return filterable(self.info, *fields)

    def _info(self) -> models.CollectionInfo:
        with client_errors(self.collection.client):
            return self.collection.client.get_collection(self.collection.name)


def _vector_params(collection: StoredPoints, info: models.CollectionInfo) -> models.VectorParams:
    """How the vectors are stored; raises for all that has no root distance."""
    params = info.config.params.vectors
    named = params if isinstance(params, dict) else {"": params} if params else {}
    found = named.get(collection.vector_name)
    called = repr(collection.vector_name) if collection.vector_name else "without a name"
    if found is None:
        raise CollectionError(
            f"the collection {collection.name!r} has no vector {called}",
            hint=f"It has: {', '.join(repr(name) for name in sorted(named)) or 'none'}",
        )
    if found.distance not in (models.Distance.COSINE, models.Distance.DOT):
        raise CollectionError(
            f"the collection {collection.name!r} compares vectors by {found.distance.value} "
            "distance: root distances are of unit vectors, compared by cosine or dot product",
            hint="Copy the points into a collection that compares by cosine",
        )
    if found.multivector_config is not None:
        raise CollectionError(
            f"the vector {called} of the collection {collection.name!r} is several per point",
            hint="Name another vector of it",
        )
    if found.size != len(collection.root):
        raise CollectionError(
            f"the collection {collection.name!r} holds vectors of {found.size} numbers, the root "
            f"has {len(collection.root)}",
            hint="Name the model that made them",
        )
    return found


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
