"""The exterior angle's cosine as a formula that Qdrant computes for each candidate.

Only operations that every server with formulas has: min and max, which came later, are written with
absolute values. The cases that `geometry` defines, parent at the root and child at the parent, are
decided by weights that are exactly 0 or 1 but for a sliver around the limit.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from qdrant_client import models

from hiersearch.geometry import COINCIDENT_DISTANCE, COINCIDENT_SQUARE
from hiersearch.qdrant.points import ROOT_DISTANCE

__all__ = ["ancestor_formula", "descendant_formula"]

Expression: TypeAlias = Any
"""`models.Expression` is a union that cannot be used as a type for its recursive parts."""


def descendant_formula(parent_distance: float) -> models.FormulaQuery:
    """Cosine of Ξ(t, v) for a fixed parent t, over points v fetched by the radial direction of t.

    cos Ξ = [d_t s_u − d_t²/2] / (d_t √(d_v² − 2 d_t s_u)), with s_u the candidate's score.

    Args:
        parent_distance: d_t > 0.
    """
    reach = _times(parent_distance, "$score")
    numerator = _plus(reach, -(parent_distance**2) / 2)
    square = _plus(_times(ROOT_DISTANCE, ROOT_DISTANCE), _times(-2.0, reach))
    length = _times(parent_distance, _sqrt(_at_least(square, COINCIDENT_SQUARE)))
    cosine = _at_most(_over(numerator, length), 1.0)
    return models.FormulaQuery(formula=_one_where(_is_zero_square(square), cosine))


def ancestor_formula(child_distance: float) -> models.FormulaQuery:
    """Cosine of Ξ(t, v) for a fixed child v, over points t whose score is their similarity to v.

    cos Ξ = [s − 1 + (d_v² − d_t²)/2] / (d_t √(2 − 2s)), with s the candidate's score.

    Args:
        child_distance: d_v.
    """
    parent_square = _times(ROOT_DISTANCE, ROOT_DISTANCE)
    numerator = _plus("$score", child_distance**2 / 2 - 1.0, _times(-0.5, parent_square))
    square = _plus(2.0, _times(-2.0, "$score"))
    length = _times(ROOT_DISTANCE, _sqrt(_at_least(square, COINCIDENT_SQUARE)))
    cosine = _at_most(_over(numerator, length), 1.0)
    at_root = models.FieldCondition(key=ROOT_DISTANCE, range=models.Range(lte=COINCIDENT_DISTANCE))
    # 1 − (1 − a)(1 − b): one where either is.
    neither = _times(_minus(1.0, at_root), _minus(1.0, _is_zero_square(square)))
    return models.FormulaQuery(formula=_one_where(_minus(1.0, neither), cosine))


def _is_zero_square(square: Expression) -> Expression:
    """1 where a squared distance is at most COINCIDENT_SQUARE, 0 from twice that on."""
    decay = models.LinDecayExpression(
        lin_decay=models.DecayParamsExpression(
            x=square, target=0.0, scale=2 * COINCIDENT_SQUARE, midpoint=0.0
        )
    )
    # The square of a point with itself may come out a little below zero: same thing.
    return _at_most(_times(2.0, decay), 1.0)


def _one_where(weight: Expression, cosine: Expression) -> Expression:
    """1 for weight 1, the cosine for weight 0."""
    return _plus(weight, _times(_minus(1.0, weight), cosine))


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
