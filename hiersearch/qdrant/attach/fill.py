"""One pass over a collection, which gives points the payload fields that they lack.

Points are read by ascending id, page by page, and written before the next page is read. The next
page begins at an id that is already known: points that no longer match cannot shift it.

In cosine collections the vectors need not be read: the store computes the similarity s of each to
the root, and d = √(2 − 2s).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from pydantic_core import to_jsonable_python

from hiersearch.errors import CollectionError, StoreError, VectorError
from hiersearch.progress import Progress
from hiersearch.qdrant.clients.connection import client_errors
from hiersearch.qdrant.filters import has_field, lacks_any
from hiersearch.qdrant.limits import points_of
from hiersearch.qdrant.points import (
    ROOT_DISTANCE,
    Payloads,
    PointId,
    Record,
    alike,
    id_order,
    pages,
    plain_id,
    same_distance,
    unit_rows,
)
from hiersearch.qdrant.stored import (
    MIN_LENGTH,
    READ,
    ShardKey,
    StoredPoints,
    refuse_other_lengths,
    root_distances,
)
from hiersearch.trees import CHAIN, CONCEPTS, MASSES
from hiersearch.types import Floats

if TYPE_CHECKING:
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = ["LABELS", "PAGE", "Fill", "Label", "set_payload"]

Label: TypeAlias = Callable[[Floats], Sequence[Mapping[str, Any]]]
"""Returns the `chain`, `masses` and `concepts` of each of (b, dim) unit rows."""

Changes: TypeAlias = dict[PointId, dict[str, Any]]
"""The payload fields to set, by point."""

LABELS = (CHAIN, MASSES, CONCEPTS)
"""The payload fields that a `Label` adds."""

PAGE = 512
"""Points read at a time, unless their ids suffice."""

MANY = 300_000
"""Changes to collect for a server, where points that share a value are written at once."""

MANY_LABELLED = 20_000
"""The same for points with labels, which hardly ever share theirs."""

WAITED = 32
"""Changes per request that is waited for; up to so many are not worth another way."""

SENT = 1000
"""Changes per request that is not waited for."""

AHEAD = 8
"""Requests to send before waiting for the last: bounds what a server has to queue."""

ATTEMPTS = 8
"""How often changes are sent again that points did not get."""

PAUSE = 0.25
"""Seconds to wait between such attempts, longer each time: a server may be moving the points."""


@dataclass(frozen=True)
class Fill:
    """How to give points the fields that they lack.

    Attributes:
        points: The points of the collection.
        label: Gives them concepts too.
        unit_only: Whether to refuse vectors whose length is not 1.
        recompute: Whether to also check, and correct, points that lack nothing.
        page: Number of points to read and write at a time; None: as many as is fast.
        on_progress: Called as the work proceeds.
        before_writing: Called before points are written.
    """

    points: StoredPoints
    label: Label | None
    unit_only: bool
    recompute: bool
    page: int | None
    on_progress: Progress
    before_writing: Callable[[], None]

    @property
    def fields(self) -> tuple[str, ...]:
        """The payload fields whose absence shows that a point is not done yet."""
        return (ROOT_DISTANCE, CONCEPTS) if self.label else (ROOT_DISTANCE,)

    def run(self, *, filtered: bool, write: bool) -> Counter[str]:
        """Make one pass over the points.

        Args:
            filtered: Whether the store lets points be filtered by these fields.
            write: Whether to write, or only to count.

        Returns:
            Number of points by what they were given: attached, labelled, corrected; or by why they
            were given nothing: without_vector, unusable, gone.

        Raises:
            VectorError: A vector is not of length 1, and `unit_only` is set.
        """
        condition = lacks_any(self.fields) if filtered and not self.recompute else None
        task = "attaching" if write else "looking"
        total, seen = self.points.count(condition), 0
        counts: Counter[str] = Counter()
        corrected: set[PointId] = set()
        for shard in self.points.shards():
            held: Changes = {}
            read = 0
            for size, changes in replace(self, points=shard)._steps(condition, counts, corrected):
                if not held:
                    self.on_progress(task, seen, total)
                held |= changes
                read += size
                if not write or len(held) >= self._written_at_once:
                    self._write(shard, held if write else {}, counts, corrected, (seen, total))
                    seen, read, held = seen + read, 0, {}
            self._write(shard, held, counts, corrected, (seen, total))
            seen += read
        self.on_progress(task, seen, seen)
        return counts

    @property
    def _page(self) -> int:
        """How many points to read at a time."""
        large = self._scored and self.points.schema.embedded is None
        return self.page or (READ if large else PAGE)

    @property
    def _written_at_once(self) -> int:
        """How many changes to collect before they are written."""
        if self.page or self.points.schema.embedded is not None:
            return 1
        return MANY_LABELLED if self.label else MANY

    def _write(
        self,
        shard: StoredPoints,
        changes: Changes,
        counts: Counter[str],
        corrected: set[PointId],
        done: tuple[int, int],
    ) -> None:
        """Write, and take back what was counted for points that are gone."""
        if not changes:
            return
        self.before_writing()
        seen, total = done
        gone = _Writing(shard).write(
            changes.items(),
            lacking=not self.recompute and all(ROOT_DISTANCE in one for one in changes.values()),
            on_written=lambda sent: self.on_progress("attaching", min(seen + sent, total), total),
        )
        counts["gone"] += len(gone)
        for number in gone:
            fields = changes[number].keys()
            counts["corrected" if number in corrected else "attached"] -= ROOT_DISTANCE in fields
            counts["labelled"] -= CHAIN in fields
        corrected.clear()

    def _steps(
        self, condition: models.Filter | None, counts: Counter[str], corrected: set[PointId]
    ) -> Iterator[tuple[int, Changes]]:
        """Page by page, its size and what its points are to be given."""
        if self._scored and condition is not None:
            for ids in self.points.scroll_ids(condition, page=self._page):
                yield len(ids), self._changes_by_score(ids, counts, corrected)
            return
        records = self.points.scroll(
            condition,
            payload=LABELS if self.label else (),
            with_vectors=not self._scored,
            page=self._page,
        )
        for part in pages(records, self._page):
            wanted = [record for record in part if self.recompute or self._is_due(record)]
            if self._scored:
                yield (
                    len(part),
                    self._changes_by_score([one.id for one in wanted], counts, corrected),
                )
            else:
                yield len(part), self._changes(wanted, counts, corrected)

    def _changes_by_score(
        self, ids: Sequence[PointId], counts: Counter[str], corrected: set[PointId]
    ) -> Changes:
        """What each point is to be given, from the store's similarities where they suffice."""
        found = self.points.distances_by_score(ids)
        counts["attached"] += len(found)
        others = [number for number in ids if number not in found]
        records = self.points.retrieve(others, payload=[], with_vectors=True)
        return {
            **{number: {ROOT_DISTANCE: distance} for number, distance in found.items()},
            **self._changes(records, counts, corrected),
        }

    def _changes(
        self, wanted: Sequence[Record], counts: Counter[str], corrected: set[PointId]
    ) -> Changes:
        """What each point is to be given, from its vector; without points that lack nothing."""
        changes: Changes = {}
        usable = [record for record in wanted if record.vector is not None]
        counts["without_vector"] += len(wanted) - len(usable)
        if not usable:
            return changes
        vectors = np.stack([np.asarray(record.vector) for record in usable])
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if self.unit_only:
            refuse_other_lengths(usable, lengths)
        sound = np.isfinite(lengths) & (lengths > MIN_LENGTH)
        counts["unusable"] += int((~sound).sum())
        usable = [record for record, good in zip(usable, sound, strict=True) if good]
        if not usable:
            return changes
        rows = unit_rows(vectors[sound], "a vector")
        distances = root_distances(rows, self.points.schema.root).tolist()
        for record, distance in zip(usable, distances, strict=True):
            if record.lacks(ROOT_DISTANCE):
                counts["attached"] += 1
            elif self.recompute and not same_distance(record.payload[ROOT_DISTANCE], distance):
                counts["corrected"] += 1
                corrected.add(record.id)
            else:
                continue
            changes[record.id] = {ROOT_DISTANCE: distance}
        for record, labels in self._labels(usable, rows):
            counts["labelled"] += 1
            changes.setdefault(record.id, {}).update(labels)
        return changes

    @property
    def _scored(self) -> bool:
        """Whether similarities computed by the store suffice."""
        return not (self.label or self.unit_only or self.recompute)

    def _is_due(self, record: Record) -> bool:
        # A chain is empty if no concept fits, which filters cannot tell from no chain.
        return record.lacks(ROOT_DISTANCE) or (
            self.label is not None and CHAIN not in record.payload
        )

    def _labels(
        self, records: Sequence[Record], rows: Floats
    ) -> Iterator[tuple[Record, Mapping[str, Any]]]:
        if self.label is None:
            return
        chosen = [
            position
            for position, record in enumerate(records)
            if self.recompute or CHAIN not in record.payload
        ]
        if not chosen:
            return
        for position, labels in zip(chosen, self.label(rows[chosen]), strict=True):
            record = records[position]
            if any(record.payload.get(name) != labels.get(name) for name in LABELS):
                yield record, labels


def set_payload(
    points: StoredPoints,
    ids: Sequence[PointId],
    payloads: Payloads,
    shard_key: ShardKey | None = None,
) -> None:
    """Set payload fields of points; see `HierarchicalCollection.set_payload`."""
    if len(ids) != len(payloads):
        raise VectorError(f"{len(ids)} ids and {len(payloads)} payloads do not match")
    schema = points.schema
    shards = points.shards() if shard_key is None else [StoredPoints(schema, shard_key)]
    missing = set(ids)
    for shard in shards:
        there = missing.union(ids) if len(shards) == 1 else shard.present(ids)
        changes = [(one, given) for one, given in zip(ids, payloads, strict=True) if one in there]
        missing -= there - _Writing(shard).write(changes)
    if missing:
        raise CollectionError(
            f"{len(missing)} of {len(ids)} points are not in the collection {schema.name!r}, "
            f"such as {next(iter(missing))}",
            hint="Store them first",
        )


class _Writing:
    """Writes payload fields of points that are under one shard key, or that need none."""

    def __init__(self, points: StoredPoints) -> None:
        self._points = points
        self._schema = points.schema

    def write(
        self,
        changes: Iterable[tuple[PointId, Mapping[str, Any]]],
        *,
        lacking: bool = False,
        on_written: Callable[[int], None] = lambda _: None,
    ) -> set[PointId]:
        """Set payload fields of points, passing over those that are gone.

        A server is sent one change for all points that are given the same, and is not waited for
        until the last. Changes that are not waited for fail in silence, so the points are looked at
        afterwards, and whatever is missing is sent again.

        Args:
            changes: The fields to set, by id.
            lacking: Whether no point has `root_distance` yet and each is given it, so that a filter
                finds the points that were missed; otherwise they are read.
            on_written: Called with how many points were sent.

        Returns:
            The ids of points that others have deleted.

        Raises:
            StoreError: The server refuses a change, or points stay without their fields.
        """
        wanted: dict[PointId, Mapping[str, Any]] = {}
        for number, payload in changes:
            wanted[number] = {**wanted[number], **payload} if number in wanted else payload
        if self._schema.embedded is not None and self._points.shard_key is None:
            return self._points.set_payloads(wanted)
        operations = self._points.changes(wanted)
        before = self._attached() if lacking else None
        if len(operations) > WAITED:
            self._send(operations, on_written)
        elif self._in_order(operations) is None:
            return set()
        failed: StoreError | None = None
        for attempt in range(ATTEMPTS):
            left, gone = self._missed(wanted, before)
            if not left:
                return gone
            if attempt:
                time.sleep(PAUSE * attempt)
            failed = self._in_order(
                self._points.changes({number: wanted[number] for number in left})
            )
            if failed is None and not lacking:
                return gone  # A store need not return a value as it was given.
        left, gone = self._missed(wanted, before)
        if left:
            raise StoreError(
                f"{len(left)} points of the collection {self._schema.name!r} were not changed "
                f"({failed or 'the server reports no error'})",
                hint="Wait until the collection is green, then run this again",
            )
        return gone

    def _send(
        self, operations: Sequence[models.SetPayloadOperation], on_written: Callable[[int], None]
    ) -> None:
        """Carry out changes without waiting for each; failures stay unknown."""
        client, name = self._schema.client, self._schema.name
        sent, total = 0, sum(map(points_of, operations))
        for number, (request, points) in enumerate(
            self._schema.known.pace.requests(operations, SENT), start=1
        ):
            # Some servers report a point that is gone although they need not wait for it.
            with suppress(CollectionError), client_errors(client):
                client.batch_update_points(name, request, wait=False)
            sent += points
            if number % AHEAD == 0 or sent == total:
                # Changes are made in order, so this waits for all of them. Each shard carries out
                # a change by a filter, and points that are gone are no error.
                last = request[-1].set_payload
                self._schema.known.pace.wait(points_of(request[-1]))
                chosen = models.Filter(must=[models.HasIdCondition(has_id=last.points or [])])
                with client_errors(client):
                    client.set_payload(name, last.payload, chosen, **self._points.in_shard())
            on_written(sent)

    def _in_order(self, operations: Sequence[models.SetPayloadOperation]) -> StoreError | None:
        """Carry out changes one by one, to the last; the error if points were not found."""
        failed: StoreError | None = None
        for request, _ in self._schema.known.pace.requests(operations, WAITED):
            try:
                with client_errors(self._schema.client):
                    self._schema.client.batch_update_points(self._schema.name, request)
            except StoreError as error:
                # Servers end a batch at the first point that is gone, or being moved.
                points = {n for one in request for n in one.set_payload.points or ()}
                found = self._points.present([plain_id(number) for number in points])
                if not isinstance(error, CollectionError) and len(found) == len(points):
                    raise
                failed = error
        return failed

    def _missed(
        self, wanted: Mapping[PointId, Mapping[str, Any]], before: int | None
    ) -> tuple[set[PointId], set[PointId]]:
        """The points that lack what they were given, and those that are gone.

        Args:
            wanted: What points were given, by id.
            before: How many points had `root_distance` before; None if these may have had it, too.
        """
        left: set[PointId] = set()
        ids = list(wanted)
        if before is None:
            fields = list({field for payload in wanted.values() for field in payload})
            found = {one.id: one.payload for one in self._points.retrieve(ids, payload=fields)}
            for number, payload in found.items():
                given = to_jsonable_python(dict(wanted[number]))
                if not alike(given, {field: payload.get(field) for field in given}):
                    left.add(number)
            return left, set(ids).difference(found)
        first, last = min(ids, key=id_order), id_order(max(ids, key=id_order))
        for some in self._points.scroll_ids(lacks_any([ROOT_DISTANCE]), page=READ, start=first):
            left.update(wanted.keys() & set(some))
            if id_order(some[-1]) >= last:
                break
        if self._attached() >= before + len(ids):
            return left, set()
        gone = set(ids) - self._points.present(ids)  # others delete, or the server does not count
        return left - gone, gone

    def _attached(self) -> int:
        """How many points have `root_distance`; -1 where a server does not count."""
        exact = self._schema.limits().exact
        return self._points.count(has_field(ROOT_DISTANCE)) if exact else -1
