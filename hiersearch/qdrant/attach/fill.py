"""Goes over the points of a collection and gives them the root distances that they lack.

Points are read by ascending id, page by page, and written before the next page is read. That page
begins at an id which was read off before: points that no longer match cannot shift it.

Of cosine collections the vectors need not be read: the store itself gives the similarity s of each
to the root, and d = √(2 − 2s).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from qdrant_client import models

from hiersearch.errors import StoreError, VectorError
from hiersearch.progress import Progress
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, Record, pages, unit_rows
from hiersearch.qdrant.stored import DIGITS, StoredPoints, root_distances
from hiersearch.types import Floats

__all__ = ["LABELS", "Label", "Placing", "absent", "having", "right_distances"]

Label: TypeAlias = Callable[[Floats], Sequence[Mapping[str, Any]]]
"""Gives each of (b, dim) unit rows its `chain`, `masses` and `concepts`."""

Changes: TypeAlias = dict[PointId, dict[str, Any]]
"""The payload fields that points are to be given."""

LABELS = ("chain", "masses", "concepts")
"""The payload fields that a vocabulary adds."""

_MIN_LENGTH = 1e-6
_UNIT = 2e-3
"""How far from 1 the length of a unit vector may be, stored in half precision."""
_SAME = 2e-6
"""How far apart distances of one vector are: what a store does to it to make it a unit one."""
_FAR = 0.95
"""Up to this similarity to the root, its float32 rounding moves the distance by less than 1e-6."""


@dataclass(frozen=True)
class Placing:
    """How points are to be given what they lack.

    Attributes:
        collection: Where they are.
        label: Gives them concepts too.
        unit_only: Whether to refuse vectors of another length than 1.
        recompute: Whether to look at points that lack nothing, too, and to correct them.
        page: Number of points to read at a time.
        tell: Told about the work.
    """

    collection: StoredPoints
    label: Label | None
    unit_only: bool
    recompute: bool
    page: int
    tell: Progress

    @property
    def fields(self) -> tuple[str, ...]:
        """The payload fields by which a point is known to lack something."""
        return (ROOT_DISTANCE, "concepts") if self.label else (ROOT_DISTANCE,)

    def go(self, *, filtered: bool, write: bool) -> Counter[str]:
        """Goes over the points once.

        Args:
            filtered: Whether the store lets points be chosen by these fields.
            write: Whether to write, or to count only.

        Returns:
            Number of points by what they were given: attached, labelled, corrected; or why they
            were not: without_vector, unusable.

        Raises:
            VectorError: A vector is not of length 1, where that is needed.
        """
        condition = lacking(self.fields) if filtered and not self.recompute else None
        task = "attaching" if write else "looking"
        total, seen = self.collection.count(condition), 0
        counts: Counter[str] = Counter()
        for size, changes in self._steps(condition, counts):
            self.tell(task, seen, total)
            if write and changes:
                self._write(changes)
            seen += size
        self.tell(task, seen, seen)
        return counts

    def _steps(
        self, condition: models.Filter | None, counts: Counter[str]
    ) -> Iterator[tuple[int, Changes]]:
        """Page by page, its size and what its points are to be given."""
        if self._scored and condition is not None:
            for ids in self.collection.scroll_ids(condition, page=self.page):
                yield len(ids), self._changes_by_score(ids, counts)
            return
        records = self.collection.scroll(
            condition,
            payload=[*(LABELS if self.label else ())],
            with_vectors=not self._scored,
            page=self.page,
        )
        for part in pages(records, self.page):
            wanted = [record for record in part if self.recompute or self._lacks(record)]
            if self._scored:
                yield len(part), self._changes_by_score([one.id for one in wanted], counts)
            else:
                yield len(part), self._changes(wanted, counts)

    def _changes_by_score(self, ids: Sequence[PointId], counts: Counter[str]) -> Changes:
        """What each point is to be given, from the store's similarities as far as they do."""
        found = self._distances_by_score(ids)
        counts["attached"] += len(found)
        others = [number for number in ids if number not in found]
        records = self.collection.retrieve(others, payload=[], with_vectors=True)
        return {
            **{number: {ROOT_DISTANCE: distance} for number, distance in found.items()},
            **self._changes(records, counts),
        }

    def _changes(self, wanted: Sequence[Record], counts: Counter[str]) -> Changes:
        """What each point is to be given, from its vector; those that lack nothing left out."""
        changes: Changes = {}
        placed = [record for record in wanted if record.vector is not None]
        counts["without_vector"] += len(wanted) - len(placed)
        if not placed:
            return changes
        vectors = np.stack([_vector(record) for record in placed])
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if self.unit_only:
            _refuse_other_lengths(placed, lengths)
        usable = np.isfinite(lengths) & (lengths > _MIN_LENGTH)
        counts["unusable"] += int((~usable).sum())
        placed = [record for record, good in zip(placed, usable, strict=True) if good]
        if not placed:
            return changes
        rows = unit_rows(vectors[usable], "a vector")
        for record, distance in zip(
            placed, root_distances(rows, self.collection.root).tolist(), strict=True
        ):
            if absent(record, ROOT_DISTANCE):
                counts["attached"] += 1
            elif self.recompute and not _same(record.payload[ROOT_DISTANCE], distance):
                counts["corrected"] += 1
            else:
                continue
            changes[record.id] = {ROOT_DISTANCE: distance}
        for record, labels in self._labels(placed, rows):
            counts["labelled"] += 1
            changes.setdefault(record.id, {}).update(labels)
        return changes

    @property
    def _scored(self) -> bool:
        """Whether the store's own similarities do."""
        return not (self.label or self.unit_only or self.recompute)

    def _distances_by_score(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Root distances out of similarities; points left out must be looked at themselves."""
        scores = self.collection.similarities_to_root(ids)
        # A vector without length scores 0, one with numbers that are not finite anything.
        return {
            number: round(math.sqrt(2.0 - 2.0 * score), DIGITS)
            for number, score in scores.items()
            if -1.0 <= score <= _FAR and score != 0.0
        }

    def _lacks(self, record: Record) -> bool:
        # A chain may be empty, where nothing fits; filters cannot tell that from none.
        return absent(record, ROOT_DISTANCE) or (
            self.label is not None and "chain" not in record.payload
        )

    def _labels(
        self, records: Sequence[Record], rows: Floats
    ) -> Iterator[tuple[Record, Mapping[str, Any]]]:
        if self.label is None:
            return
        chosen = [
            position
            for position, record in enumerate(records)
            if self.recompute or "chain" not in record.payload
        ]
        if not chosen:
            return
        for position, labels in zip(chosen, self.label(rows[chosen]), strict=True):
            record = records[position]
            if any(record.payload.get(name) != labels.get(name) for name in LABELS):
                yield record, labels

    def _write(self, changes: Mapping[PointId, Mapping[str, Any]]) -> None:
        try:
            self.collection.set_payload(list(changes), list(changes.values()))
        except StoreError:
            # Servers refuse a whole batch for one point that others deleted since it was read.
            there = [one.id for one in self.collection.retrieve(list(changes), payload=[])]
            if len(there) == len(changes):
                raise
            self.collection.set_payload(there, [changes[number] for number in there])


def right_distances(records: Sequence[Record], root: Floats, tolerance: float) -> bool:
    """Whether the points' stored distances are those from a root, as far as they have vectors."""
    for record in records:
        if record.vector is None or not float(np.linalg.norm(record.vector)) > _MIN_LENGTH:
            continue
        row = unit_rows(record.vector[None], "a vector")
        if not _same(record.payload[ROOT_DISTANCE], float(root_distances(row, root)[0]), tolerance):
            return False
    return True


def having(name: str) -> models.Filter:
    """Points that have a payload field."""
    return models.Filter(must_not=[_is_empty(name)])


def lacking(fields: Sequence[str]) -> models.Filter:
    """Points that lack one of some payload fields."""
    return models.Filter(should=[_is_empty(name) for name in fields])


def absent(record: Record, name: str) -> bool:
    """Whether a point lacks a payload field, as filters understand it."""
    return record.payload.get(name) in (None, [])


def _is_empty(name: str) -> models.IsEmptyCondition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=name))


def _vector(record: Record) -> Floats:
    assert record.vector is not None
    return record.vector


def _refuse_other_lengths(records: Sequence[Record], lengths: Floats) -> None:
    # Written so that what is not a number is refused too.
    other = ~(np.abs(lengths - 1.0) <= _UNIT)
    if other.any():
        row = int(other.argmax())
        raise VectorError(
            f"the vector of the point {records[row].id} has the length {lengths[row]:.4g}, not 1",
            hint="Normalise the vectors, or use a collection that compares by cosine",
        )


def _same(stored: object, distance: float, tolerance: float = _SAME) -> bool:
    return isinstance(stored, (int, float)) and abs(stored - distance) <= tolerance
