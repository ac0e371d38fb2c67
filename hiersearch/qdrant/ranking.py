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
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hiersearch.errors import UsageError
from hiersearch.geometry import (
    COINCIDENT_SQUARE,
    radial_direction,
    root_distance,
)
from hiersearch.qdrant.filters import plain_filter
from hiersearch.qdrant.points import Hit, pages
from hiersearch.qdrant.searching import Searcher, Wanted
from hiersearch.qdrant.stored import StoredPoints
from hiersearch.types import Floats

if TYPE_CHECKING:
    from qdrant_client import models

    from hiersearch.qdrant.filters import Filter
else:
    from hiersearch.qdrant import client_models as models

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
"""Points also fetched by plain similarity to an end, be it parent, child or root: of those that
coincide with it, the angle is decided by definition."""

AWAY = 0.2
"""How far the direction of `descendant_query` leans away from the parent."""

FAINT = 1e-9
"""What stands for the zeros of a root: too little to move a score by, but not nothing."""

TINY = 1e-30
"""Added to sums of scores so that those of 0 can be divided by."""

ABSENT = -8.0
"""The greatest score of a point of which nothing is known, below every cosine, errors included."""


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
            filter=plain_filter(wanted.filter),
            params=self._searcher.params(wanted.exact),
            using=self._schema.using,
            most=self._schema.limits().points,
        )

    def _ranked(self, query: Mapping[str, Any] | None, wanted: Wanted) -> list[Hit]:
        self._points.check_lengths()

        def search(number: int) -> list[Hit]:
            if query is None:
                return self._all_below_root(number, wanted)
            return self._searcher.query(number, wanted.payload, least=ABSENT / 2, **query)

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
        records = self._points.scroll(
            plain_filter(wanted.filter), payload=wanted.payload, page=number
        )
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
        number: How many are fetched for the formula.
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

    def scored(
        self, towards: Floats, scores: Sequence[Floats], ends: Sequence[Floats]
    ) -> list[models.Prefetch]:
        """The points nearest to a vector, scored against others, and a few nearest to the ends.

        A formula finds the scores as `$score[0]`, `$score[1]` and so on, those against the ends
        last; a score of a point that was not fetched for it is 0. The points at the ends are not
        scored against the others: each search that a score begins with is made for it alone, and
        comparing with every vector is what rankings cost.

        Args:
            towards: (dim,), what good points are nearest to.
            scores: What these are scored against.
            ends: Where points may lie whose angle is decided by definition.
        """
        most = self.number + len(ends) * NEAR if self.most is None else self.most
        near = max(min(NEAR, most // 4), 1)
        number = max(min(self.number, most - len(ends) * near), 1)
        found = self._by(towards, number)
        return [
            # With the same parameters: quantised vectors must be rescored here too.
            *(
                models.Prefetch(
                    prefetch=[found],
                    query=vector.tolist(),
                    using=self.using,
                    params=self.params,
                    limit=number,
                )
                for vector in scores
            ),
            *(self._by(end, near) for end in ends),
        ]

    def _by(self, vector: Floats, number: int) -> models.Prefetch:
        return models.Prefetch(
            query=vector.tolist(),
            using=self.using,
            filter=self.filter,
            params=self.params,
            limit=number,
        )


def descendant_query(parent: Floats, root: Floats, candidates: Candidates) -> dict[str, Any] | None:
    """`prefetch` and `query` for `query_points`: points by Ξ(parent, point).

    The score u·v against the radial direction u = (t − r)/d_t is, but for the length of v − t, the
    numerator of the cosine: nearest to u, not to t, are the points of small angle. The gradient of
    the cosine in v lies along u + κ t with κ = cos Ξ / ‖v − t‖ at the best points, which is about 0
    for texts below texts, but −0.3 for photos below texts. Candidates are those nearest to
    u − 0.2 t, which serves both. (`benchmarks/ranking.py` measures them.)

    Returns:
        None if the parent is the root, whose angle to everything is 0.
    """
    distance = float(root_distance(parent.astype(np.float64), root.astype(np.float64)))
    if distance**2 <= COINCIDENT_SQUARE:
        return None
    direction = radial_direction(parent.astype(np.float64), root.astype(np.float64))
    return {
        "prefetch": candidates.scored(
            direction - AWAY * parent, [direction, without_zeros(root)], [parent]
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
        "prefetch": candidates.scored(middle, [child, without_zeros(root)], [child, root]),
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
    and d_v² = 2 − 2 s_r from its second, against the root. A third, against t itself, tells which
    points are t.

    Args:
        parent_distance: d_t > 0.
    """
    reach = _times(parent_distance, _SCORE)
    square = _plus(_square_of(_ROOT_SCORE), _times(-2.0, reach))
    numerator = _plus(reach, -(parent_distance**2) / 2)
    cosine = _over(numerator, _times(parent_distance, _length(square)))
    return _formula(cosine, square, _square_of(_END_SCORES[0]))


def ancestor_formula(child_distance: float) -> models.FormulaQuery:
    """Cosine of Ξ(t, v) for a fixed child v, over points t whose first score is their similarity.

    cos Ξ = [s − 1 + (d_v² − d_t²)/2] / (d_t √(2 − 2s)), with d_t² = 2 − 2 s_r from the second
    score, against the root. A third and a fourth, against v and the root again, tell which points
    are one of these.

    Args:
        child_distance: d_v.
    """
    parent_square = _square_of(_ROOT_SCORE)
    square = _square_of(_SCORE)
    numerator = _plus(_SCORE, child_distance**2 / 2 - 1.0, _times(-0.5, parent_square))
    cosine = _over(numerator, _times(_length(parent_square), _length(square)))
    return _formula(cosine, parent_square, square, *map(_square_of, _END_SCORES))


_SCORE = "$score[0]"
_ROOT_SCORE = "$score[1]"
_END_SCORES = ("$score[2]", "$score[3]")


def _formula(cosine: Expression, *squares: Expression) -> models.FormulaQuery:
    """The cosine, at most 1; 1 where a square counts as zero; ABSENT where nothing is known.

    The latter is so of vectors without length, whose scores are exactly 0 and no others' are
    (`without_zeros`), and of points near an end that are no candidates. Each part stands in the
    formula as seldom as it can: the store works it out for every candidate.

    Args:
        cosine: Of the exterior angle; any finite number where that is not defined.
        squares: Squared distances between parent, child and root.
    """
    nothing = _over(TINY, _plus(_abs(_SCORE), _abs(_ROOT_SCORE), TINY))
    less = _plus(cosine, -1.0)
    below_one = _times(0.5, _plus(less, _times(-1.0, _abs(less))))
    missing = _plus(below_one, _times(ABSENT - 1.0, nothing))
    return models.FormulaQuery(formula=_plus(1.0, _times(missing, *map(_is_apart, squares))))


def _square_of(score: Expression) -> Expression:
    """Squared distance of unit vectors: ‖x − y‖² = 2 − 2 x·y."""
    return _plus(2.0, _times(-2.0, score))


def _length(square: Expression) -> Expression:
    # The squared distance of a point to itself may come out slightly negative.
    return _sqrt(_abs(square))


def _is_apart(square: Expression) -> Expression:
    """0 for a squared distance of at most COINCIDENT_SQUARE, 1 above: (1 + x / |x|) / 2."""
    above = _plus(square, -COINCIDENT_SQUARE)
    return _plus(0.5, _times(0.5, _over(above, _abs(above), at_zero=-1.0)))


def _plus(*terms: Expression) -> Expression:
    return models.SumExpression(sum=list(terms))


def _times(*factors: Expression) -> Expression:
    return models.MultExpression(mult=list(factors))


def _over(left: Expression, right: Expression, at_zero: float = 1.0) -> Expression:
    return models.DivExpression(
        div=models.DivParams(left=left, right=right, by_zero_default=at_zero)
    )


def _sqrt(value: Expression) -> Expression:
    return models.SqrtExpression(sqrt=value)


def _abs(value: Expression) -> Expression:
    return models.AbsExpression(abs=value)
