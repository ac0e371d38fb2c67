"""One pass over a collection, which gives points the payload fields that they lack.

Points are read by ascending id, page by page, and written before the next page is read. The next
page begins at an id that is already known: points that no longer match cannot shift it.

In cosine collections the vectors need not be read: the store computes the similarity s of each to
the root, and d = √(2 − 2s).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hiersearch.chains import CHAIN, CONCEPTS, MASSES
from hiersearch.errors import VectorError
from hiersearch.progress import Progress
from hiersearch.qdrant.filters import Filter, lacks_any
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, Record, pages, unit_rows
from hiersearch.qdrant.stored import DIGITS, UNIT, StoredPoints, root_distances
from hiersearch.types import Floats

__all__ = ["LABELS", "PAGE", "Fill", "Label", "correct_distances"]

Label: TypeAlias = Callable[[Floats], Sequence[Mapping[str, Any]]]
"""Returns the `chain`, `masses` and `concepts` of each of (b, dim) unit rows."""

Changes: TypeAlias = dict[PointId, dict[str, Any]]
"""The payload fields to set, by point."""

LABELS = (CHAIN, MASSES, CONCEPTS)
"""The payload fields that a `Label` adds."""

PAGE = 512
"""Points read at a time."""

MANY = 300_000
"""Changes to collect for a server, where points that share a value are written at once."""

PASSES = 5
"""How often to look again for points whose change failed."""

PAUSE = 0.5
"""Seconds between looks, while a server makes changes that were not waited for."""

_MIN_LENGTH = 1e-6
_SAME = 1e-5
"""How far apart two distances of the same vector may be: rounded, after a store normalised it."""
_FAR = 0.95
"""Up to this similarity to the root, float32 rounding changes the distance by less than 1e-6."""


@dataclass(frozen=True)
class Fill:
    """How to give points the fields that they lack.

    Attributes:
        points: The points of the collection.
        label: Gives them concepts too.
        unit_only: Whether to refuse vectors whose length is not 1.
        recompute: Whether to also check, and correct, points that lack nothing.
        page: Number of points to read at a time.
        on_progress: Called as the work proceeds.
    """

    points: StoredPoints
    label: Label | None
    unit_only: bool
    recompute: bool
    page: int
    on_progress: Progress

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
            were given nothing: without_vector, unusable.

        Raises:
            VectorError: A vector is not of length 1, and `unit_only` is set.
        """
        condition = lacks_any(self.fields) if filtered and not self.recompute else None
        task = "attaching" if write else "looking"
        total, seen = self.points.count(condition), 0
        counts: Counter[str] = Counter()
        held: Changes = {}
        for size, changes in self._steps(condition, counts):
            if not held:
                self.on_progress(task, seen, total)
            if write and self.points.schema.embedded is not None:
                self._write(changes)
            elif write:
                held |= changes
                if len(held) >= MANY:
                    self._send(held, task, total)
                    held = {}
            seen += size
        if held:
            self._send(held, task, total)
        self.on_progress(task, seen, seen)
        return counts

    def _steps(
        self, condition: Filter | None, counts: Counter[str]
    ) -> Iterator[tuple[int, Changes]]:
        """Page by page, its size and what its points are to be given."""
        if self._scored and condition is not None:
            for ids in self.points.scroll_ids(condition, page=self.page):
                yield len(ids), self._changes_by_score(ids, counts)
            return
        records = self.points.scroll(
            condition,
            payload=LABELS if self.label else (),
            with_vectors=not self._scored,
            page=self.page,
        )
        for part in pages(records, self.page):
            wanted = [record for record in part if self.recompute or self._is_due(record)]
            if self._scored:
                yield len(part), self._changes_by_score([one.id for one in wanted], counts)
            else:
                yield len(part), self._changes(wanted, counts)

    def _changes_by_score(self, ids: Sequence[PointId], counts: Counter[str]) -> Changes:
        """What each point is to be given, from the store's similarities where they suffice."""
        found = self._distances_by_score(ids)
        counts["attached"] += len(found)
        others = [number for number in ids if number not in found]
        records = self.points.retrieve(others, payload=[], with_vectors=True)
        return {
            **{number: {ROOT_DISTANCE: distance} for number, distance in found.items()},
            **self._changes(records, counts),
        }

    def _changes(self, wanted: Sequence[Record], counts: Counter[str]) -> Changes:
        """What each point is to be given, from its vector; without points that lack nothing."""
        changes: Changes = {}
        usable = [record for record in wanted if record.vector is not None]
        counts["without_vector"] += len(wanted) - len(usable)
        if not usable:
            return changes
        vectors = np.stack([_vector(record) for record in usable])
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if self.unit_only:
            _refuse_other_lengths(usable, lengths)
        sound = np.isfinite(lengths) & (lengths > _MIN_LENGTH)
        counts["unusable"] += int((~sound).sum())
        usable = [record for record, good in zip(usable, sound, strict=True) if good]
        if not usable:
            return changes
        rows = unit_rows(vectors[sound], "a vector")
        distances = root_distances(rows, self.points.schema.root).tolist()
        for record, distance in zip(usable, distances, strict=True):
            if record.lacks(ROOT_DISTANCE):
                counts["attached"] += 1
            elif self.recompute and not _same(record.payload[ROOT_DISTANCE], distance):
                counts["corrected"] += 1
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

    def _distances_by_score(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Root distances from similarities; the vectors of points left out must be read."""
        scores = self.points.similarities_to_root(ids)
        # A vector of length zero scores 0; one with numbers that are not finite, anything.
        return {
            number: round(math.sqrt(2.0 - 2.0 * score), DIGITS)
            for number, score in scores.items()
            if -1.0 <= score <= _FAR and score != 0.0
        }

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

    def settle(self, expected: int) -> int:
        """Go over points again whose change failed, until none is left that could be given one.

        Args:
            expected: Number of points that cannot be given a root distance.

        Returns:
            Number of points that still lack one besides.
        """
        missing = self.points.count(lacks_any([ROOT_DISTANCE])) - expected
        for _ in range(PASSES):
            if missing <= 0:
                return 0
            before = missing
            time.sleep(PAUSE)
            missing = self.points.count(lacks_any([ROOT_DISTANCE])) - expected
            if missing >= before > 0:  # not merely late
                self.run(filtered=True, write=True)
                missing = self.points.count(lacks_any([ROOT_DISTANCE])) - expected
        return max(0, missing)

    def _send(self, changes: Changes, task: str, total: int) -> None:
        done = max(0, total - len(changes))
        self.points.send_payload(
            list(changes),
            list(changes.values()),
            on_sent=lambda sent: self.on_progress(task, min(done + sent, total), total),
        )

    def _write(self, changes: Mapping[PointId, Mapping[str, Any]]) -> None:
        if changes:
            self.points.set_payload(list(changes), list(changes.values()))


def correct_distances(records: Sequence[Record], root: Floats, tolerance: float) -> bool:
    """Whether stored root distances are those from a root.

    Args:
        records: Points with root distances; those without a usable vector are ignored.
        root: (dim,).
        tolerance: How far a stored distance may be off.
    """
    for record in records:
        if record.vector is None or not float(np.linalg.norm(record.vector)) > _MIN_LENGTH:
            continue
        row = unit_rows(record.vector[None], "a vector")
        if not _same(record.payload[ROOT_DISTANCE], float(root_distances(row, root)[0]), tolerance):
            return False
    return True


def _vector(record: Record) -> Floats:
    assert record.vector is not None
    return record.vector


def _refuse_other_lengths(records: Sequence[Record], lengths: Floats) -> None:
    # Negated so that NaN is refused too.
    other = ~(np.abs(lengths - 1.0) <= UNIT)
    if other.any():
        row = int(other.argmax())
        raise VectorError(
            f"the vector of the point {records[row].id} has the length {lengths[row]:.4g}, not 1",
            hint="Normalise the vectors, or use a collection that compares by cosine",
        )


def _same(stored: object, distance: float, tolerance: float = _SAME) -> bool:
    return isinstance(stored, (int, float)) and abs(stored - distance) <= tolerance
