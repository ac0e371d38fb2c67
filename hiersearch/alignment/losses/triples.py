"""Triples of a hierarchy, what they cost, and how costs become a loss.

A hierarchy c_1 ... c_T (general to specific) with negatives n_1 ... n_T gives the triples
(c_i, c_{i+1}, n_i), i = 1 ... T − 1: *animal*, *goat*, *portrait*. The negative is that of the
parent's tier: n_{i+1} contradicts c_{i+1}, but may well be a kind of c_i. So n_T is in no triple.

Losses over triples differ only in what a pair costs: a `Cost`. Its values are combined in the same
way for all of them (Alper & Averbuch-Elor 2024, supplement B.4): their mean, plus the mini-max of
the hardest triples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from hiersearch.alignment.losses.hierarchy_loss import Hierarchies, masked_mean, not_negative
from hiersearch.geometry import exterior_angle, root_distance

__all__ = [
    "Cost",
    "TripleTerms",
    "Triples",
    "hard_and_mean",
    "triple_costs",
    "triple_terms",
]


class Cost(Protocol):
    """What pairs of a parent and another text cost. Implementations are frozen dataclasses.

    The fields of the dataclass are the settings that the model card shows.
    """

    def __call__(self, angles: Tensor, distances: Tensor, sign: int) -> Tensor:
        """The costs; the greater, the worse.

        Args:
            angles: (...,) exterior angles Ξ at the parents, in [0, π].
            distances: (...,) distances of the parents from the root, at least 0.
            sign: 1 for pairs that entail, −1 for pairs that must not.

        Returns:
            (...,)
        """
        ...


@dataclass(frozen=True)
class Triples:
    """A number for each pair of each triple.

    Attributes:
        positive: (n, T − 1), of parent and child.
        negative: (n, T − 1), of parent and negative; None if there are no negatives.
        has_positive: (n, T − 1) bool, whether parent and child exist.
        has_negative: (n, T − 1) bool, whether parent, child and negative exist.
    """

    positive: Tensor
    negative: Tensor | None
    has_positive: Tensor
    has_negative: Tensor | None


@dataclass(frozen=True)
class TripleTerms:
    """mean·L_mean + minimax·L_minimax of the triples' costs, as two parts.

    Attributes:
        cost: What a pair costs.
        mean: Coefficient of the mean over all triples, at least 0.
        minimax: Coefficient of the hardest triples, at least 0.

    Raises:
        UsageError: If a coefficient is below 0.
    """

    cost: Cost
    mean: float = 1.0
    minimax: float = 1.0

    def __post_init__(self) -> None:
        not_negative("mean", self.mean)
        not_negative("minimax", self.minimax)

    def __call__(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The two parts, each with its coefficient."""
        mean, minimax = triple_terms(
            hierarchies.positives,
            hierarchies.negatives,
            hierarchies.root,
            self.cost,
            has_positives=hierarchies.has_positives,
            has_negatives=hierarchies.has_negatives,
        )
        return {"mean": self.mean * mean, "minimax": self.minimax * minimax}


def triple_terms(
    positives: Tensor,
    negatives: Tensor | None,
    root: Tensor,
    cost: Cost,
    *,
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """L_mean and L_minimax: `hard_and_mean` of `triple_costs`.

    Args:
        positives: (n, T, dim), general to specific, T ≥ 2.
        negatives: (n, T, dim), or None.
        root: (dim,), of any length.
        cost: What a pair costs.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.
    """
    costs = triple_costs(
        positives, negatives, root, cost, has_positives=has_positives, has_negatives=has_negatives
    )
    return hard_and_mean(costs)


def triple_costs(
    positives: Tensor,
    negatives: Tensor | None,
    origin: Tensor,
    cost: Cost,
    *,
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> Triples:
    """What the pairs (c_i, c_{i+1}) and (c_i, n_i) cost.

    Where parent and origin, or parent and child, coincide, the angle is 0 and has no gradient.

    Args:
        positives: (n, T, dim), T ≥ 2.
        negatives: (n, T, dim), or None.
        origin: (dim,), the root; or (n, T − 1, dim), another point for each parent.
        cost: What a pair costs.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.
    """
    if has_positives is None:
        has_positives = positives.new_ones(positives.shape[:2], dtype=torch.bool)
    parents = positives[:, :-1]
    distances = root_distance(parents, origin)
    has_pair = has_positives[:, :-1] & has_positives[:, 1:]
    positive = cost(exterior_angle(parents, positives[:, 1:], origin), distances, 1)
    if negatives is None:
        return Triples(positive, None, has_pair, None)
    if has_negatives is None:
        has_negatives = torch.ones_like(has_positives)
    negative = cost(exterior_angle(parents, negatives[:, :-1], origin), distances, -1)
    return Triples(positive, negative, has_pair, has_pair & has_negatives[:, :-1])


def hard_and_mean(costs: Triples) -> tuple[Tensor, Tensor]:
    """Mean and mini-max of what triples cost.

    With P the costs of the positive pairs and N those of the negative ones, both flattened:
    mean P + mean N, and (P + N)[argmax P] + (P + N)[argmax N]. A triple without a negative has
    N = 0; without any negatives the last summand is 0. If several triples are equally hard, their
    mean counts, so the order of the rows does not matter.

    Args:
        costs: The greater, the worse.

    Returns:
        The mean, and the mini-max; 0 if there are no triples.
    """
    mean = masked_mean(costs.positive, costs.has_positive)
    total = _where(costs.has_positive, costs.positive)
    if costs.negative is None or costs.has_negative is None:
        return mean, _at_worst(total, costs.positive, costs.has_positive)
    mean = mean + masked_mean(costs.negative, costs.has_negative)
    total = total + _where(costs.has_negative, costs.negative)
    hardest = _at_worst(total, costs.positive, costs.has_positive)
    return mean, hardest + _at_worst(total, costs.negative, costs.has_negative)


def _where(mask: Tensor, values: Tensor) -> Tensor:
    return torch.where(mask, values, torch.zeros_like(values))


def _at_worst(total: Tensor, cost: Tensor, mask: Tensor) -> Tensor:
    """The triple's total where the cost is greatest; if several are, the mean of theirs."""
    if not total.numel():
        return total.sum()
    cost = cost.detach().masked_fill(~mask, -torch.inf)
    return masked_mean(total, mask & (cost == cost.max()))
