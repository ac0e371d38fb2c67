"""The rows of an answer: the photos that show a level's concept, best first, and their number.

A photo that shows what the query is about is mostly near the query as well. So the nearest photos
are fetched once, with what they show; a row is searched for only where they do not fill it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hiersearch.concepts import Vocabulary
from hiersearch.index.fields import PATH
from hiersearch.index.results import PhotoHit
from hiersearch.photos import text_to_path
from hiersearch.qdrant import HasValue, HierarchicalCollection, Hit
from hiersearch.trees import CONCEPTS, LIKELY, Tally
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.qdrant import Filter

__all__ = ["Row", "Rows"]

AHEAD = 32
"""Photos that are fetched at first."""


@dataclass(frozen=True)
class Row:
    """The photos that show a concept.

    Attributes:
        count: How many are expected to.
        sure: How many surely do.
        photos: The best: those that surely show it before those that perhaps do, each nearest
            first.
    """

    count: int
    sure: int
    photos: tuple[PhotoHit, ...]


class Rows:
    """The rows of one query.

    Args:
        photos: The photos to choose from.
        vocabulary: What they are labelled with.
        vector: (dim,), float32, unit length: the query's.
        limit: The most photos of a row, at least 0.
        where: Only photos that match are counted and listed.
        trees: Whether the photos have trees.
        tally: Of their memberships; None where it is not known.
    """

    def __init__(
        self,
        photos: HierarchicalCollection,
        vocabulary: Vocabulary,
        vector: Floats,
        *,
        limit: int,
        where: Filter | None = None,
        trees: bool = False,
        tally: Tally | None = None,
    ) -> None:
        self._photos = photos
        self._vocabulary = vocabulary
        self._vector = vector
        self._limit = limit
        self._where = where
        self._kinds = (CONCEPTS, LIKELY) if trees else (CONCEPTS,)
        self._tally = tally
        # Of one keyword alone the engine knows the number from its index, without a look at each
        # photo: what it calls an estimate is exact there.
        self._exact = where is not None

    @cached_property
    def total(self) -> int:
        """How many photos there are to choose from."""
        return self._photos.count(self._where, exact=self._exact)

    @property
    def nearest(self) -> tuple[PhotoHit, ...]:
        """The photos nearest to the query, whatever they show."""
        return tuple(map(_photo_hit, self._ahead[: self._limit]))

    def of(self, concept: str) -> Row:
        """The row of a concept.

        Args:
            concept: Its id.
        """
        counts = [
            self._photos.count(HasValue(kind, concept, self._where), exact=self._exact)
            for kind in self._kinds
        ]
        found: list[Hit] = []
        for kind, count in zip(self._kinds, counts, strict=True):
            found += self._best(kind, concept, min(count, self._limit - len(found)))
        sure = counts[0]
        number = sum(counts)
        if self._tally is not None and len(counts) > 1:
            place = self._vocabulary.position(concept)
            number = self._tally.expected(place, sure, counts[1], self.total)
        return Row(number, sure, tuple(map(_photo_hit, found)))

    def _best(self, kind: str, concept: str, wanted: int) -> list[Hit]:
        """The nearest photos that show a concept surely, or perhaps, by the field's name."""
        there = [hit for hit in self._ahead if concept in hit.payload.get(kind, ())]
        if len(there) >= wanted:
            return there[:wanted]
        matching = HasValue(kind, concept, self._where)
        return self._photos.nearest(self._vector, limit=wanted, filter=matching, payload=[PATH])

    @cached_property
    def _ahead(self) -> list[Hit]:
        if self._limit == 0:
            return []
        return self._photos.nearest(
            self._vector,
            limit=max(AHEAD, self._limit),
            filter=self._where,
            payload=[PATH, *self._kinds],
        )


def _photo_hit(hit: Hit) -> PhotoHit:
    # Of equal files, one that exists: others may be on a disk that is not connected.
    paths = sorted(map(text_to_path, hit.payload[PATH]), key=lambda path: not path.exists())
    return PhotoHit(path=paths[0], copies=tuple(paths[1:]), score=hit.score)
