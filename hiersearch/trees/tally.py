"""How many photos of a collection show a concept: an expected number, from counts.

Stored photos surely show a concept, or perhaps, or they do not; so many of each kind can be
counted, under any condition. The number expected to show it is the sum of all memberships, which is

    n(sure) · mean of the sure + n(likely) · mean of the likely + n(others) · mean of the others

with the means of the whole collection. Those of the others are small, and together they matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.trees.membership import PERHAPS, SURE
from hiersearch.types import Floats, Positions

__all__ = ["Tally", "expected_counts", "shown"]

_COLUMNS = 5


def shown(members: Floats) -> tuple[Positions, Positions, Floats]:
    """What some photos show, surely or perhaps.

    Args:
        members: (b, n) memberships.

    Returns:
        For each pair the concept's position, the photo's row, and the membership; by concept, then
        by photo.
    """
    by_concept = np.ascontiguousarray(members.T)
    at = np.flatnonzero(by_concept >= PERHAPS)
    concepts, photos = np.divmod(at, len(members)) if len(members) else (at, at)
    return concepts, photos, by_concept.ravel()[at]


@dataclass(frozen=True, eq=False)
class Tally:
    """Memberships of a collection's photos, summed for each concept of a vocabulary.

    Attributes:
        photos: How many there are.
        table: (n, 5) float64, for each concept: photos that surely show it, the sum of their
            memberships, photos that perhaps show it, the sum of theirs, the sum of all others'.
    """

    photos: int
    table: np.ndarray

    @classmethod
    def of(cls, members: Floats) -> Self:
        """Of some photos.

        Args:
            members: (b, n) memberships.
        """
        count = members.shape[1]
        concepts, _, values = shown(members)
        is_sure = values >= SURE
        columns = [
            column
            for kind in (is_sure, ~is_sure)
            for column in (
                np.bincount(concepts[kind], minlength=count),
                np.bincount(concepts[kind], values[kind], count),
            )
        ]
        others = members.sum(axis=0, dtype=np.float64) - columns[1] - columns[3]
        return cls(len(members), np.stack([*columns, np.maximum(others, 0)], axis=1))

    def __add__(self, other: Self) -> Self:
        """Of both collections together."""
        return type(self)(self.photos + other.photos, self.table + other.table)

    def expected(self, place: int, sure: int, likely: int, photos: int) -> int:
        """How many of some of the photos are expected to show a concept.

        Args:
            place: The concept's position.
            sure: How many of them surely show it.
            likely: How many of them perhaps do.
            photos: How many they are.

        Returns:
            At least `sure` and at most `photos`; 0 where none of them shows it even perhaps.
        """
        if not sure and not likely:
            return 0
        all_sure, sure_sum, all_likely, likely_sum, others_sum = map(float, self.table[place])
        others = self.photos - all_sure - all_likely
        number = (
            sure * (sure_sum / all_sure if all_sure else 1.0)
            + likely * (likely_sum / all_likely if all_likely else 1.0)
            + max(photos - sure - likely, 0) * (others_sum / others if others > 0 else 0.0)
        )
        return max(sure, min(round(number), photos))

    def to_rows(self, ids: Sequence[str]) -> dict[str, list[float]]:
        """The numbers of each concept that a photo shows, by the concepts' ids."""
        there = np.flatnonzero(self.table[:, 0] + self.table[:, 2])
        return {ids[int(at)]: [round(float(one), 2) for one in self.table[at]] for at in there}

    @classmethod
    def from_rows(
        cls, photos: int, rows: Mapping[str, Sequence[float]], ids: Sequence[str]
    ) -> Self:
        """The inverse of `to_rows`; nothing is known of concepts that no photo shows."""
        table = np.zeros((len(ids), _COLUMNS))
        for at, one in enumerate(ids):
            if one in rows:
                table[at] = rows[one]
        return cls(photos, table)


def expected_counts(
    sure: Mapping[str, int],
    likely: Mapping[str, int],
    photos: int,
    tally: Tally | None,
    vocabulary: Vocabulary,
) -> dict[str, int]:
    """How many of some photos are expected to show each concept.

    Args:
        sure: How many of them surely show it, by the concept's id.
        likely: How many perhaps do.
        photos: How many they are.
        tally: Of the collection; without it all that perhaps show a concept count.
        vocabulary: The concepts.

    Returns:
        By concept id; for no concept more than for any above it.
    """
    found: dict[str, int] = {}
    for one in {**sure, **likely}:
        counts = sure.get(one, 0), likely.get(one, 0)
        if tally is None:
            found[one] = min(sum(counts), photos)
        else:
            found[one] = tally.expected(vocabulary.position(one), *counts, photos)
    # A photo that shows a concept shows all above it.
    for one, number in list(found.items()):
        for above in vocabulary.ancestors(one):
            found[above] = max(found.get(above, 0), number)
    return found
