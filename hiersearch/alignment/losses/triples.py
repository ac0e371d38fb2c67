"""Triples of a hierarchy: a parent, its child, and what contradicts the child.

A hierarchy c_1 ... c_T (general to specific) with negatives n_1 ... n_T gives the triples
(c_i, c_{i+1}, n_i), i = 1 ... T − 1: *animal*, *goat*, *portrait*. The negative is that of the
parent's tier: n_{i+1} contradicts c_{i+1}, but may well be a kind of c_i. So n_T is in no triple.

The losses differ in what a pair costs. How costs become a loss is the same for all (Alper &
Averbuch-Elor 2024, supplement B.4): their mean, and the mini-max of the hardest triples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hiersearch.geometry import exterior_angle

__all__ = [
    "Triples",
    "hard_and_mean",
    "masked_mean",
    "triple_angles",
]


@dataclass(frozen=True)
class Triples:
    """A number for each pair of each triple: angles, or what they cost.

    Attributes:
        positive: (n, T − 1), of parent and child.
        negative: (n, T − 1), of parent and negative; None where there are no negatives.
        has_positive: (n, T − 1) bool, whether parent and child are there.
        has_negative: (n, T − 1) bool, whether, besides, the negative is.
    """

    positive: Tensor
    negative: Tensor | None
    has_positive: Tensor
    has_negative: Tensor | None


def triple_angles(
    positives: Tensor,
    negatives: Tensor | None,
    origin: Tensor,
    *,
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> Triples:
    """Exterior angles Ξ(c_i, c_{i+1}) and Ξ(c_i, n_i).

    Where parent and origin, or parent and child, coincide, the angle is 0 and has no gradient.

    Args:
        positives: (n, T, dim), T ≥ 2.
        negatives: (n, T, dim), or None.
        origin: (dim,), the root; or (n, T − 1, dim), another point for each parent.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.

    Returns:
        Angles in [0, π].
    """
    if has_positives is None:
        has_positives = positives.new_ones(positives.shape[:2], dtype=torch.bool)
    parents = positives[:, :-1]
    has_pair = has_positives[:, :-1] & has_positives[:, 1:]
    positive = exterior_angle(parents, positives[:, 1:], origin)
    if negatives is None:
        return Triples(positive, None, has_pair, None)
    if has_negatives is None:
        has_negatives = torch.ones_like(has_positives)
    negative = exterior_angle(parents, negatives[:, :-1], origin)
    return Triples(positive, negative, has_pair, has_pair & has_negatives[:, :-1])


def hard_and_mean(costs: Triples) -> tuple[Tensor, Tensor]:
    """Mean and mini-max of what triples cost.

    With P the costs of the positive pairs and N those of the negative ones, both flattened:
    mean P + mean N, and (P + N)[argmax P] + (P + N)[argmax N]. A triple without a negative has
    N = 0; without any negatives the last summand is 0. Where several triples are the hardest,
    their mean counts, so that the order of the rows does not.

    Args:
        costs: The greater, the worse.

    Returns:
        The mean, and the mini-max; 0 where there are no triples.
    """
    mean = masked_mean(costs.positive, costs.has_positive)
    total = _where(costs.has_positive, costs.positive)
    if costs.negative is None or costs.has_negative is None:
        return mean, _at_worst(total, costs.positive, costs.has_positive)
    mean = mean + masked_mean(costs.negative, costs.has_negative)
    total = total + _where(costs.has_negative, costs.negative)
    hardest = _at_worst(total, costs.positive, costs.has_positive)
    return mean, hardest + _at_worst(total, costs.negative, costs.has_negative)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask is True; 0 where it nowhere is."""
    return _where(mask, values).sum() / mask.sum().clamp(min=1)


def _where(mask: Tensor, values: Tensor) -> Tensor:
    return torch.where(mask, values, torch.zeros_like(values))


def _at_worst(total: Tensor, cost: Tensor, mask: Tensor) -> Tensor:
    """The triple's total where the cost is greatest; of several as costly, their mean."""
    if not total.numel():
        return total.sum()
    cost = cost.detach().masked_fill(~mask, -torch.inf)
    return masked_mean(total, mask & (cost == cost.max()))
