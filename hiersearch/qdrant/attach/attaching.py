"""Attaching a collection that exists: one number per point, added in place.

Nothing is touched but the fields and indexes that the `Attachment` in the collection's metadata
names, and it names them before the first is added. Another run completes an interrupted one, and
detaching removes what was added and nothing else.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.errors import CollectionError, ModelMismatchError, StoreError
from hiersearch.progress import Progress
from hiersearch.qdrant.attach.fill import LABELS, PAGE, Fill, Label
from hiersearch.qdrant.attachment import (
    Attachment,
    attachment_in,
    check_indexes,
    filterable,
    index_params,
    indexed,
    remove_attachment,
    write_attachment,
)
from hiersearch.qdrant.clients.connection import client_errors
from hiersearch.qdrant.filters import has_field, lacks_any
from hiersearch.qdrant.layout import DOT
from hiersearch.qdrant.points import (
    ROOT_DISTANCE,
    PointId,
    Record,
    checked_page,
    pages,
    same_distance,
    unit_rows,
)
from hiersearch.qdrant.stored import MIN_LENGTH, StoredPoints, root_distances
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.qdrant.filters import Filter

__all__ = [
    "AttachSettings",
    "AttachSummary",
    "Check",
    "DetachSummary",
    "attach",
    "detach",
    "repair",
]

Check: TypeAlias = Callable[[Sequence[Record]], bool | None]
"""Whether the model of the root encoded some points; None if that cannot be told."""

SAMPLE = 64
"""Points that a check gets, or whose existing distances are compared."""

LOOKED_AT = 4096
"""Points that are read to find a sample of points that have the vector."""

_REMOVALS = 3
"""How often a server is told to remove fields before that counts as failed."""

_STALLED = 60.0
"""Seconds without progress after which it is told again."""

_CLOSE = 2e-3
"""How far apart two distances from the same root may be, if vectors are of half precision."""


@dataclass(frozen=True)
class AttachSummary:
    """What `attach` or `repair` did, or in a dry run would do.

    Attributes:
        points: Number of points in the collection.
        attached: Number of points that were given a root distance.
        already: Number of points that were attached already.
        labelled: Number of points that were given a chain.
        corrected: Number of points whose root distance was wrong.
        without_vector: Number of points that lack the vector; hierarchical queries ignore them.
        unusable: Number of points whose vector has length zero, or a number that is not finite;
            hierarchical queries ignore them too.
        missing: Number of points that were added meanwhile; `repair` attaches them.
        gone: Number of points that others deleted between reading and writing.
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
    gone: int = 0
    verified: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class AttachSettings:
    """The arguments of `HierarchicalCollection.attach`, which documents them, and `repair`."""

    label: Label | None
    check: Check | None
    model: str
    vocabulary: str
    dry_run: bool
    page: int | None
    on_progress: Progress
    replace_index: bool = False


def attach(points: StoredPoints, settings: AttachSettings) -> AttachSummary:
    """Give every point its root distance; see `HierarchicalCollection.attach`."""
    return _Run(points, settings).attach()


def repair(points: StoredPoints, settings: AttachSettings, *, recompute: bool) -> AttachSummary:
    """Give points their root distances where others are; see `HierarchicalCollection.repair`."""
    run = _Run(points, settings)
    if run.known is None and not run.some_with(ROOT_DISTANCE):
        raise CollectionError(
            f"no point of the collection {points.schema.name!r} has a root distance",
            hint="Attach it first",
        )
    return run.go(recompute=True) if recompute else run.attach()


class _Run:
    """One run over a collection, as the store describes it before anything is written.

    Attributes:
        layout: The collection's.
        known: What was attached before; None if nothing was.

    Raises:
        CollectionError: Its vectors cannot have root distances, or another vector was attached.
    """

    def __init__(self, points: StoredPoints, settings: AttachSettings) -> None:
        checked_page(PAGE if settings.page is None else settings.page)
        self._points = points
        self._schema = points.schema
        self._settings = settings
        self._advised = False
        self.layout = self._schema.layout()
        self._distance = self._schema.vector(self.layout).distance
        self.known = attachment_in(self.layout.metadata, self._schema.name)
        if self.known is not None:
            self.known.check_vector(self._schema.name, self._schema.vector_name)

    def attach(self) -> AttachSummary:
        """Attach what is not attached yet, unless what is has another root."""
        if self.known is not None:
            self.known.check_root(self._schema.name, self._schema.root)
        return self.go(recompute=False)

    def go(self, *, recompute: bool) -> AttachSummary:
        """Check everything that can be checked beforehand, then write."""
        settings = self._settings
        dot = self._distance == DOT
        fill = Fill(
            points=self._points,
            label=settings.label,
            unit_only=dot,
            recompute=recompute,
            page=settings.page,
            on_progress=settings.on_progress,
            before_writing=self._advise,
        )
        if not settings.replace_index:
            check_indexes(self.layout, self._schema.name, fill.fields)
        attachment = self._intended(fill, recompute)
        counts: Counter[str] = Counter()
        if settings.dry_run or dot:
            # Vectors compared by dot product may have any length: check all before writing any.
            counts = fill.run(filtered=filterable(self.layout, *fill.fields), write=False)
        if not settings.dry_run:
            self._prepare(attachment, fill)
            counts = fill.run(filtered=True, write=True)
            if attachment.recomputing:
                self._record(replace(attachment, recomputing=False))
        return self._summary(counts, attachment)

    def some_with(self, field: str) -> list[Record]:
        """Some points that have a payload field."""
        if filterable(self.layout, field):
            found = self._points.scroll(
                has_field(field), payload=[field], with_vectors=True, page=SAMPLE
            )
        else:
            everything = self._points.scroll(payload=[field], with_vectors=True)
            found = (record for record in everything if not record.lacks(field))
        return list(islice(found, SAMPLE))

    def _intended(self, fill: Fill, recompute: bool) -> Attachment:
        """What the metadata will say; raises whatever can be known to be wrong by now."""
        schema, settings = self._schema, self._settings
        known = self.known or Attachment(schema.root, schema.vector_name)
        root_known = self.known is not None and known.has_root(schema.root)
        fields = list(known.fields)
        if self.known is None:
            present = self.some_with(ROOT_DISTANCE)
            if not present:
                fields.append(ROOT_DISTANCE)
            elif not recompute and not _correct_distances(present, schema.root, _CLOSE):
                raise CollectionError(
                    f"the points of {schema.name!r} have a field {ROOT_DISTANCE!r} that "
                    "is not their distance from this root",
                    hint="Use the model that it came from, or replace it with recompute",
                )
        if settings.label is not None:
            fields += self._label_fields(known, recompute)
        missing = [field for field in fill.fields if not indexed(self.layout, field)]
        return replace(
            known,
            root=schema.root,
            model=settings.model or known.model,
            verified=self._verified(root_known and known.verified),
            fields=tuple(fields),
            indexes=tuple(dict.fromkeys([*known.indexes, *missing])),
            vocabulary=settings.vocabulary if settings.label else known.vocabulary,
            recomputing=recompute and (known.recomputing or not root_known),
        )

    def _label_fields(self, known: Attachment, recompute: bool) -> list[str]:
        """The fields that labels add; raises if points have such fields of another origin."""
        name = self._schema.name
        if known.vocabulary and known.vocabulary != self._settings.vocabulary and not recompute:
            raise CollectionError(
                f"the collection {name!r} was labelled with another vocabulary",
                hint="Detach it first, or replace the labels with recompute",
            )
        new = [field for field in LABELS if field not in known.fields]
        for field in new:
            if self.some_with(field):
                raise CollectionError(
                    f"the points of {name!r} have a field {field!r} of their own",
                    hint="Attach it without a vocabulary",
                )
        return new

    def _verified(self, before: bool) -> bool:
        """Whether the root is known to be right, after the check; raises if it is wrong."""
        check, model = self._settings.check, self._settings.model
        if check is None:
            return before
        records = islice(self._points.scroll(with_vectors=True, page=SAMPLE), LOOKED_AT)
        # The first points may have other vectors only.
        sample = list(islice((one for one in records if one.vector is not None), SAMPLE))
        verdict = check(sample) if sample else None
        if verdict is False:
            raise ModelMismatchError(
                f"the vectors of {self._schema.name!r} were not made by "
                + (model or "the model of this root"),
                hint="Name the model that made them",
            )
        return before if verdict is None else verdict

    def _prepare(self, attachment: Attachment, fill: Fill) -> None:
        """The metadata first, so that whatever is added can be removed; then the indexes."""
        known, schema = self.known, self._schema
        if attachment != known or not known.has_root(attachment.root):
            self._record(attachment)
        for field in fill.fields:
            if not indexed(self.layout, field):
                with client_errors(schema.client):
                    schema.client.create_payload_index(schema.name, field, index_params(field))

    def _advise(self) -> None:
        """Advise once against a server that loses payload when fields are set."""
        if not self._advised and self._schema.server_version().startswith("1.18."):
            warnings.warn(
                "Qdrant 1.18 sometimes loses other payload fields of a point when fields are set "
                "while its optimizer works. Update it to 1.19, or wait until the collection is "
                "green and nothing else writes.",
                stacklevel=2,
            )
        self._advised = True

    def _record(self, attachment: Attachment) -> None:
        write_attachment(self._schema.client, self._schema.name, attachment)

    def _summary(self, counts: Counter[str], attachment: Attachment) -> AttachSummary:
        points = self._points.count()
        out = counts["without_vector"] + counts["unusable"]
        missing = 0
        if not self._settings.dry_run:
            missing = max(0, self._points.count(lacks_any([ROOT_DISTANCE])) - out)
        return AttachSummary(
            points=points,
            attached=counts["attached"],
            already=max(0, points - counts["attached"] - out - missing),
            labelled=counts["labelled"],
            corrected=counts["corrected"],
            without_vector=counts["without_vector"],
            unusable=counts["unusable"],
            missing=missing,
            gone=counts["gone"],
            verified=attachment.verified,
            dry_run=self._settings.dry_run,
        )


def _correct_distances(records: Sequence[Record], root: Floats, tolerance: float) -> bool:
    """Whether stored root distances are those from a root.

    Args:
        records: Points with root distances; those without a usable vector are ignored.
        root: (dim,).
        tolerance: How far a stored distance may be off.
    """
    for record in records:
        if record.vector is None or not float(np.linalg.norm(record.vector)) > MIN_LENGTH:
            continue
        row = unit_rows(record.vector[None], "a vector")
        distance = float(root_distances(row, root)[0])
        if not same_distance(record.payload[ROOT_DISTANCE], distance, tolerance):
            return False
    return True


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
    layout = schema.layout()
    known = attachment_in(layout.metadata, schema.name)
    if known is None:
        raise CollectionError(
            f"the collection {schema.name!r} is not attached", hint="There is nothing to undo"
        )
    done = 0
    if known.fields:
        # Labelled points are attached too; their labels may be empty, which no filter finds.
        chosen = has_field(ROOT_DISTANCE) if filterable(layout, ROOT_DISTANCE) else None
        total = points.count(chosen)
        if chosen is not None and schema.embedded is None:
            _remove_matching(points, known.fields, chosen, total, on_progress)
            done = total
        else:
            for shard in points.shards():
                for ids in _attached_ids(shard, chosen, page):
                    on_progress("detaching", done, total)
                    shard.remove_fields(ids, known.fields)
                    done += len(ids)
        on_progress("detaching", done, done)
    for field in known.indexes:
        if field in layout.indexes:
            with client_errors(schema.client):
                schema.client.delete_payload_index(schema.name, field)
    remove_attachment(schema.client, schema.name)
    return DetachSummary(done, known.fields, known.indexes)


def _remove_matching(
    points: StoredPoints,
    fields: Sequence[str],
    chosen: Filter,
    total: int,
    on_progress: Progress,
) -> None:
    """Remove fields of all points that match, however long a server takes to do so."""
    left = total
    for _ in range(_REMOVALS):
        if not left:
            return
        on_progress("detaching", max(0, total - left), total)
        points.remove_everywhere(fields, chosen)
        waited, pause = 0.0, 0.01
        while (now := points.count(chosen)) and waited < _STALLED:
            waited = 0.0 if now < left else waited + pause
            left = now
            on_progress("detaching", max(0, total - left), total)
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        left = now
    if left:
        raise StoreError(
            f"{left} points of the collection {points.schema.name!r} still have fields that are to "
            "be removed",
            hint="Wait until the collection is green, then detach it again",
        )


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
