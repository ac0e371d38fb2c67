"""The Radial Embedding (RE) loss.

Alper & Averbuch-Elor 2024 (arXiv 2407.08521), section 4.1, and supplement B.4 for its aggregation.
The paper's equations have no numbers.
"""

from __future__ import annotations

from typing import Any

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

__all__ = ["RadialEmbeddingLoss", "radial_costs", "radial_embedding_terms"]


def radial_embedding_terms(
    positives: Tensor,
    negatives: Tensor | None,
    root: Tensor,
    *,
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """L_mean and L_minimax of L_RE(t, v, w) = Ξ(t, v) − Ξ(t, w).

    L_mean = mean Ξ(c_i, c_{i+1}) − mean Ξ(c_i, n_i). With P and N the flattened positive and
    *negated* negative angles, a = argmax P and b = argmax N: L_minimax = (P + N)[a] + (P + N)[b].
    Without negatives, L_mean = mean P and L_minimax = max P.

    Args:
        positives: (n, T, dim), general to specific, T ≥ 2.
        negatives: (n, T, dim), or None.
        root: (dim,), of any length.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.

    Returns:
        L_mean, in [−π, π], and L_minimax, in [−2π, 2π].
    """
    angles = triple_angles(
        positives, negatives, root, has_positives=has_positives, has_negatives=has_negatives
    )
    return hard_and_mean(radial_costs(angles))


def radial_costs(angles: Triples) -> Triples:
    """A positive pair costs its angle, a negative pair its angle negated."""
    negative = None if angles.negative is None else -angles.negative
    return Triples(angles.positive, negative, angles.has_positive, angles.has_negative)


class RadialEmbeddingLoss(HierarchyLoss):
    """mean·L_mean + minimax·L_minimax + regulariser·L_reg; logged as these three parts.

    The defaults are the authors'; they train the text tower and its projection with AdamW at 1e-7
    in batches of 8, for CLIP.

    Args:
        model: The model to train.
        root: What angles are measured from; by default the empty text, moving with the weights.
        negatives: Whether the columns hold negatives.
        mean: Coefficient of the mean over all triples, at least 0.
        minimax: Coefficient of the hardest triples, at least 0.
        regulariser: Coefficient of the drift from the encoder before training, at least 0.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        root: Root | None = None,
        negatives: bool = True,
        mean: float = 1.0,
        minimax: float = 1.0,
        regulariser: float = 10.0,
        regularised: Regularised = "all",
        frozen: FrozenSource = "copy",
    ) -> None:
        super().__init__(
            model,
            root=root,
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )
        self.mean = not_negative("mean", mean)
        self.minimax = not_negative("minimax", minimax)

    def from_vectors(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The parts, each with its coefficient, from vectors alone."""
        mean, minimax = radial_embedding_terms(
            hierarchies.positives,
            hierarchies.negatives,
            hierarchies.root,
            has_positives=hierarchies.has_positives,
            has_negatives=hierarchies.has_negatives,
        )
        parts = {"mean": self.mean * mean, "minimax": self.minimax * minimax}
        return parts | self._regularised(hierarchies)

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        return {"mean": self.mean, "minimax": self.minimax, **super().get_config_dict()}
