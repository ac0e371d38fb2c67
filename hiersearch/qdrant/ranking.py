"""Ranking points by exterior angle inside Qdrant, by scores alone: nothing need be stored.

For unit vectors d² = 2 − 2 r·x. So two scores of the same candidates, one against the root and one
against the query, give the formula all it needs: the angle of points that were added a second ago,
in collections that were never attached, with a key that may only read.

On a server with several shards all of this runs in each shard, and the best of each are merged. A
query that fetches n candidates ranks up to n per shard, the n best of all among them, by a formula
that depends on the point alone. So with more shards no true hit is lost, some more are found, and a
query costs more. Answers may differ between layouts only in hits that fewer candidates missed.

The formulas are made of sums, products, quotients, square roots and absolute values. Minima and
maxima came to servers later, and steep decay expressions do not survive the way to another node
(1.18 and 1.19 refuse them there), so both are written with absolute values.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from qdrant_client import models

from hiersearch.errors import UsageError
from hiersearch.geometry import (
    COINCIDENT_SQUARE,
    radial_direction,
    root_distance,
)
from hiersearch.qdrant.filters import Filter
from hiersearch.qdrant.points import Hit, pages
from hiersearch.qdrant.searching import Searcher, Wanted
from hiersearch.qdrant.stored import StoredPoints
from hiersearch.types import Floats

__all__ = [
    "Candidates",
    "Ranking",
    "ancestor_formula",
    "ancestor_query",
    "descendant_formula",
    "descendant_query",
]

CANDIDATES = 200
"""Points whose exterior angle is computed if neither a number nor an exact search is requested."""

NEAR = 32
"""Candidates also fetched by plain similarity, so that they include the vector itself and points so
close to it that their angle is decided by definition."""

AWAY = 0.3
"""How far the second direction of `descendant_query` leans away from the parent."""

STEEP = 1e8
"""How fast weights fall from 1 to 0: within a hundredth of COINCIDENT_SQUARE."""

FAINT = 1e-9
"""What stands for the zeros of a root: too little to move a score by, but not nothing."""

TINY = 1e-30
"""Added to sums of scores so that those of 0 can be divided by."""

ABSENT = -4.0
"""The score of a vector without length, below every cosine."""


class Ranking:
    """Ranks the points of a collection by exterior angle.

    Args:
        searcher: Searches the collection.
        points: Reads it.
    """

    def __init__(self, searcher: Searcher, points: StoredPoints) -> None:
        self._searcher = searcher
        self._schema = searcher.schema
        self._points = points

    def descendants_of(self, parent_vector: ArrayLike, wanted: Wanted) -> list[Hit]:
        """Least angle with the vector as the parent; `HierarchicalCollection.descendants_of`."""
        parent = self._schema.row(parent_vector)
        query = descendant_query(parent, self._schema.root, self._candidates(wanted))
        return self._ranked(query, wanted)

    def ancestors_of(self, child_vector: ArrayLike, wanted: Wanted) -> list[Hit]:
        """Least angle with the vector as the child; see `HierarchicalCollection.ancestors_of`."""
        child = self._schema.row(child_vector)
        query = ancestor_query(child, self._schema.root, self._candidates(wanted))
        return self._ranked(query, wanted)

    def _candidates(self, wanted: Wanted) -> Candidates:
        number = wanted.candidates
        if number is not None and number < 1:
            raise UsageError(
                f"no ranking is made of {number} candidates", hint="Use at least 1, or the default"
            )
        return Candidates(
            number=number or max(CANDIDATES, 4 * (wanted.limit + wanted.offset)),
            filter=wanted.filter,
            params=self._searcher.params(wanted.exact),
            using=self._schema.using,
            most=self._schema.limits().points,
        )

    def _ranked(self, query: Mapping[str, Any] | None, wanted: Wanted) -> list[Hit]:
        self._points.check_lengths()

        def search(number: int) -> list[Hit]:
            if query is None:
                return self._all_below_root(number, wanted)
            return self._searcher.query(number, wanted.payload, least=-1.0, **query)

        hits = self._searcher.best(search, wanted)
        distances = self._points.root_distances([hit.id for hit in hits])
        return [
            dataclasses.replace(
                hit, angle=math.acos(hit.score), root_distance=distances.get(hit.id)
            )
            for hit in hits
        ]

    def _all_below_root(self, number: int, wanted: Wanted) -> list[Hit]:
        """The first points by id: the root is a parent of everything, at angle 0."""
        records = self._points.scroll(wanted.filter, payload=wanted.payload, page=number)
        found: list[Hit] = []
        for part in pages(records, number):
            distances = self._points.root_distances([record.id for record in part])
            found += [
                Hit(record.id, 1.0, distances[record.id], record.payload)
                for record in part
                if record.id in distances
            ]
            if len(found) >= number:
                break
        return found[:number]


@dataclass(frozen=True)
class Candidates:
    """Which points a ranking considers.

    Attributes:
        number: How many are fetched for the formula, by each direction.
        filter: Which points they are taken from.
        params: How they are searched.
        using: The name of the vector; None is the unnamed one.
        most: Greatest number of points that the store fetches at a time, in all.
    """

    number: int
    filter: Filter | None
    params: models.SearchParams
    using: str | None
    most: int | None = None

    def by(self, vectors: Sequence[Floats], *also: Floats) -> list[models.Prefetch]:
        """The points nearest to each of some vectors, and a few of those nearest to others."""
        most = len(vectors) * self.number + len(also) * NEAR if self.most is None else self.most
        near = max(min(NEAR, most // 4), 1)
        number = max(min(self.number, (most - len(also) * near) // len(vectors)), 1)
        return [
            *(self._by(vector, number) for vector in vectors),
            *(self._by(other, near) for other in also),
        ]

    def _by(self, vector: Floats, number: int) -> models.Prefetch:
        return models.Prefetch(
            query=vector.tolist(),
            using=self.using,
            filter=self.filter,
            params=self.params,
            limit=number,
        )

    def scored_by(
        self, vectors: Sequence[Floats], parts: list[models.Prefetch]
    ) -> list[models.Prefetch]:
        """The points of several prefetches, without repeats, scored against each of some vectors.

        A formula finds the scores as `$score[0]`, `$score[1]` and so on. With the same parameters
        as the parts: quantised vectors must be rescored here too.
        """
        return [
            models.Prefetch(
                prefetch=parts,
                query=vector.tolist(),
                using=self.using,
                params=self.params,
                limit=sum(part.limit or 0 for part in parts),
            )
            for vector in vectors
        ]


def descendant_query(parent: Floats, root: Floats, candidates: Candidates) -> dict[str, Any] | None:
    """`prefetch` and `query` for `query_points`: points by Ξ(parent, point).

    The score u·v against the radial direction u = (t − r)/d_t is, but for the length of v − t, the
    numerator of the cosine: nearest to u, not to t, are the points of small angle. The gradient of
    the cosine in v lies along u + κ t with κ = cos Ξ / ‖v − t‖ at the best points, which is about 0
    for texts below texts, but −0.3 for photos below texts. So as many candidates are fetched by u
    as by u − 0.3 t. (`benchmarks/ranking.py` measures them.)

    Returns:
        None if the parent is the root, whose angle to everything is 0.
    """
    distance = float(root_distance(parent.astype(np.float64), root.astype(np.float64)))
    if distance**2 <= COINCIDENT_SQUARE:
        return None
    direction = radial_direction(parent.astype(np.float64), root.astype(np.float64))
    return {
        "prefetch": candidates.scored_by(
            [direction, without_zeros(root)],
            candidates.by([direction, direction - AWAY * parent], parent),
        ),
        "query": descendant_formula(distance),
    }


def ancestor_query(child: Floats, root: Floats, candidates: Candidates) -> dict[str, Any]:
    """`prefetch` and `query` for `query_points`: points by Ξ(point, child).

    The numerator of the cosine, (t − r)·(v − t) = t·(v + r) − 1 − r·v, is greatest for the points
    nearest to half-way between the root and the child. Points close to either end, where the
    denominator vanishes, are fetched too. (Over 9,789 captions, 100 candidates contain 99.9 % of
    the ten best ancestors; 81 % if they are fetched by the child.)
    """
    distance = float(root_distance(child.astype(np.float64), root.astype(np.float64)))
    middle = child + root
    if float(np.linalg.norm(middle)) ** 2 <= COINCIDENT_SQUARE:
        middle = child  # opposite the root, every direction is half-way
    return {
        "prefetch": candidates.scored_by(
            [child, without_zeros(root)], candidates.by([middle], child, root)
        ),
        "query": ancestor_formula(distance),
    }


def without_zeros(root: Floats) -> Floats:
    """The root, with numbers in place of its zeros that are too small to move a score.

    So only a vector without length has a score of exactly 0. Made vectors of few numbers could
    otherwise have one too, being at right angles to root and query.
    """
    faint = FAINT * (0.5 + np.modf(np.arange(1, len(root) + 1) * np.sqrt(5.0))[0])
    return np.where(root == 0.0, faint / np.sqrt(len(root)), root).astype(root.dtype)


Expression: TypeAlias = Any
"""`models.Expression` is a union that cannot be used as a type for its recursive parts."""


def descendant_formula(parent_distance: float) -> models.FormulaQuery:
    """Cosine of Ξ(t, v) for a fixed parent t, over points v scored by the radial direction of t.

    cos Ξ = [d_t s_u − d_t²/2] / (d_t √(d_v² − 2 d_t s_u)), with s_u the first score of a candidate
    and d_v² = 2 − 2 s_r from its second, against the root.

    Args:
        parent_distance: d_t > 0.
    """
    reach = _times(parent_distance, _SCORE)
    square = _plus(_square_to_root(), _times(-2.0, reach))
    numerator = _plus(reach, -(parent_distance**2) / 2)
    cosine = _over(numerator, _times(parent_distance, _length(square)))
    return _formula(cosine, _minus(1.0, _is_zero(square)))


def ancestor_formula(child_distance: float) -> models.FormulaQuery:
    """Cosine of Ξ(t, v) for a fixed child v, over points t whose first score is their similarity.

    cos Ξ = [s − 1 + (d_v² − d_t²)/2] / (d_t √(2 − 2s)), with d_t² = 2 − 2 s_r from the second
    score, against the root.

    Args:
        child_distance: d_v.
    """
    parent_square = _square_to_root()
    square = _plus(2.0, _times(-2.0, _SCORE))
    numerator = _plus(_SCORE, child_distance**2 / 2 - 1.0, _times(-0.5, parent_square))
    cosine = _over(numerator, _times(_length(parent_square), _length(square)))
    apart = _times(_minus(1.0, _is_zero(parent_square)), _minus(1.0, _is_zero(square)))
    return _formula(cosine, apart)


_SCORE = "$score[0]"
_ROOT_SCORE = "$score[1]"


def _formula(cosine: Expression, apart: Expression) -> models.FormulaQuery:
    """The cosine, at most 1; 1 where a direction is missing; ABSENT for vectors without length.

    Args:
        cosine: Of the exterior angle.
        apart: 1, or 0 where parent and child, or parent and root, are one point.
    """
    defined = _plus(_minus(1.0, apart), _times(apart, _at_most(cosine, 1.0)))
    # Both scores of a vector without length, and of no other (`without_zeros`), are exactly 0. TINY
    # is lost beside any that is not.
    scores = _plus(_abs(_SCORE), _abs(_ROOT_SCORE))
    present = _over(scores, _plus(scores, TINY))
    return models.FormulaQuery(
        formula=_plus(_times(present, defined), _times(ABSENT, _minus(1.0, present)))
    )


def _square_to_root() -> Expression:
    """d² = 2 − 2 r·x."""
    return _plus(2.0, _times(-2.0, _ROOT_SCORE))


def _length(square: Expression) -> Expression:
    return _sqrt(_at_least(square, COINCIDENT_SQUARE))


def _is_zero(square: Expression) -> Expression:
    """1 for a squared distance of at most COINCIDENT_SQUARE, 0 from just above it on."""
    # The squared distance of a point to itself may come out slightly negative; that counts too.
    above = _plus(1.0 + STEEP * COINCIDENT_SQUARE, _times(-STEEP, square))
    return _at_most(_at_least(above, 0.0), 1.0)


def _at_least(value: Expression, least: float) -> Expression:
    """max(a, b) = (a + b + |a − b|) / 2."""
    return _times(0.5, _plus(value, least, _abs(_plus(value, -least))))


def _at_most(value: Expression, most: float) -> Expression:
    """min(a, b) = (a + b − |a − b|) / 2."""
    return _times(0.5, _plus(value, most, _times(-1.0, _abs(_plus(value, -most)))))


def _plus(*terms: Expression) -> Expression:
    return models.SumExpression(sum=list(terms))


def _minus(first: Expression, second: Expression) -> Expression:
    return _plus(first, _times(-1.0, second))


def _times(*factors: Expression) -> Expression:
    return models.MultExpression(mult=list(factors))


def _over(left: Expression, right: Expression) -> Expression:
    return models.DivExpression(div=models.DivParams(left=left, right=right, by_zero_default=1.0))


def _sqrt(value: Expression) -> Expression:
    return models.SqrtExpression(sqrt=value)


def _abs(value: Expression) -> Expression:
    return models.AbsExpression(abs=value)
