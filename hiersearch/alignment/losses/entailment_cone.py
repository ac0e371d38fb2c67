"""The Entailment Cone (EC) loss with a margin, in Euclidean space.

Ganea et al. 2018; as Alper & Averbuch-Elor 2024 (arXiv 2407.08521) compare it with theirs,
supplement B.2.2 and C.5. The paper's equations have no numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.losses.hierarchy_loss import (
    Hierarchies,
    HierarchyLoss,
    Regularised,
    not_negative,
)
from hiersearch.alignment.losses.regulariser import FrozenSource
from hiersearch.alignment.losses.roots import Root
from hiersearch.alignment.losses.triples import Triples, hard_and_mean, triple_angles
from hiersearch.errors import UsageError
from hiersearch.geometry import cone_half_aperture, root_distance

__all__ = ["EntailmentConeLoss", "entailment_cone_terms"]

NEAR_HALF_SPACE = 1e-3
"""Parents this close to the distance K, as a share of it, do not pull on their own apertures."""


def entailment_cone_terms(
    positives: Tensor,
    negatives: Tensor | None,
    root: Tensor,
    *,
    margin: float,
    k: float = 0.1,
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and mini-max of [γ ± (Ξ − ψ)]₊, + for positive pairs, − for negative ones.

    ψ(t) = asin(min(1, K / d_t)) is the half aperture of the parent's cone. The two are aggregated
    as for the RE loss, which this is, up to the constant 2γ, for γ ≥ π.

    Args:
        positives: (n, T, dim), general to specific, T ≥ 2.
        negatives: (n, T, dim), or None.
        root: (dim,), of any length.
        margin: γ, in radians; also below 0.
        k: K > 0, the distance from the root within which a cone is a half space.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.

    Returns:
        The mean and the mini-max, both at least 0.
    """
    angles = triple_angles(
        positives, negatives, root, has_positives=has_positives, has_negatives=has_negatives
    )
    apertures = _half_apertures(root_distance(positives[:, :-1], root), k)
    negative = None
    if angles.negative is not None:
        negative = (margin - (angles.negative - apertures)).relu()
    positive = (margin + (angles.positive - apertures)).relu()
    return hard_and_mean(Triples(positive, negative, angles.has_positive, angles.has_negative))


def _half_apertures(distances: Tensor, k: float) -> Tensor:
    """ψ as geometry has it, without a gradient where that is infinite or undefined: up to K."""
    open_cone = distances > k * (1.0 + NEAR_HALF_SPACE)
    inside = cone_half_aperture(distances.detach(), k)
    outside = cone_half_aperture(torch.where(open_cone, distances, 2.0 * k), k)
    return torch.where(open_cone, outside, inside)


class EntailmentConeLoss(HierarchyLoss):
    """The RE loss with margin losses of entailment cones in place of its angles.

    Args:
        model: The model to train.
        margin: γ, in radians. The main text's comparison has 0 (inferred); the values of table 5
            are not known from anywhere, only that larger ones did better.
        k: K > 0. The paper's value is not known from anywhere; 0.1 is MERU's.
        root: What angles are measured from; by default the empty text, moving with the weights.
        negatives: Whether the columns hold negatives.
        mean: Coefficient of the mean over all triples, at least 0.
        minimax: Coefficient of the hardest triples, at least 0.
        regulariser: Coefficient of the drift from the encoder before training, at least 0.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0, or K not above.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        margin: float = 0.0,
        k: float = 0.1,
        root: Root | None = None,
        negatives: bool = True,
        mean: float = 1.0,
        minimax: float = 1.0,
        regulariser: float = 10.0,
        regularised: Regularised = "all",
        frozen: FrozenSource = "copy",
    ) -> None:
        if not 0.0 < k < float("inf"):
            raise UsageError(f"K is {k}, which is not a number above 0")
        super().__init__(
            model,
            root=root,
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )
        self.margin = float(margin)
        self.k = float(k)
        self.mean = not_negative("mean", mean)
        self.minimax = not_negative("minimax", minimax)

    def from_vectors(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The parts, each with its coefficient, from vectors alone."""
        mean, minimax = entailment_cone_terms(
            hierarchies.positives,
            hierarchies.negatives,
            hierarchies.root,
            margin=self.margin,
            k=self.k,
            has_positives=hierarchies.has_positives,
            has_negatives=hierarchies.has_negatives,
        )
        parts = {"mean": self.mean * mean, "minimax": self.minimax * minimax}
        return parts | self._regularised(hierarchies)

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        own = {"margin": self.margin, "k": self.k, "mean": self.mean, "minimax": self.minimax}
        return {**own, **super().get_config_dict()}
