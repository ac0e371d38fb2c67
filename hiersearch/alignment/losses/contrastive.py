"""The plain contrastive loss, to compare the others with.

Radford et al. 2021 (CLIP), as Alper & Averbuch-Elor 2024 (arXiv 2407.08521) compare it with theirs
in supplement C.1: each photo against one text drawn at random from its hierarchy.
"""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn.functional import log_softmax

from hiersearch.alignment.losses.hierarchy_loss import Hierarchies, HierarchyLoss, Regularised
from hiersearch.alignment.losses.regulariser import FrozenSource
from hiersearch.alignment.losses.triples import masked_mean
from hiersearch.errors import UsageError
from hiersearch.geometry import COINCIDENT_SQUARE

__all__ = ["ContrastiveLoss", "positive_temperature", "symmetric_contrastive"]


def symmetric_contrastive(
    texts: Tensor, others: Tensor, *, temperature: float, present: Tensor | None = None
) -> Tensor:
    """Mean of the cross-entropies of texts among others, and of others among texts.

    Where a batch holds a text more than once, all its partners are right for it, each with the same
    share; without repeats this is CLIP's loss.

    Args:
        texts: (n, dim), of length 1.
        others: (n, dim), of length 1; the partner of each text.
        temperature: Above 0.
        present: (n,) bool, False for pairs that are not there.

    Returns:
        At least 0; 0 where there are no pairs.
    """
    if present is None:
        present = texts.new_ones(len(texts), dtype=torch.bool)
    together = present[:, None] & present
    gaps = 2.0 - 2.0 * (texts @ texts.T).detach()
    same = (gaps <= COINCIDENT_SQUARE) | torch.eye(len(texts), dtype=torch.bool, device=gaps.device)
    share = (same & together).to(texts)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1.0)
    # Pairs that are not there keep one finite score each, so that no row is empty.
    own = torch.eye(len(texts), dtype=torch.bool, device=gaps.device)
    scores = (texts @ others.T / temperature).masked_fill(~together & ~own, -torch.inf)
    by_text = _cross_entropy(scores, share)
    by_other = _cross_entropy(scores.T, share)
    return masked_mean((by_text + by_other) / 2.0, present)


def positive_temperature(value: float) -> float:
    """The value.

    Raises:
        UsageError: If it is not above 0, or not finite.
    """
    if not 0.0 < value < float("inf"):
        raise UsageError(f"the temperature is {value}, which is not a number above 0")
    return float(value)


class ContrastiveLoss(HierarchyLoss):
    """contrastive + regulariser·L_reg; logged as these two parts.

    With photos, each against a text drawn from its hierarchy. Without, each text so drawn against
    the next tier of its hierarchy; in a batch where some have photos, the others are passed over.
    The draw is torch's, anew in each step. Negatives, where there are any, enter the regulariser
    alone.

    Args:
        model: The model to train.
        temperature: Above 0; 0.01 is what CLIP's training ends at, and it is not learned here.
        negatives: Whether the columns hold negatives.
        regulariser: Coefficient of the drift from the encoder before training, at least 0. Whether
            the paper's comparison kept its own is not known from anywhere.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If the coefficient is below 0, or the temperature not above.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        temperature: float = 0.01,
        negatives: bool = True,
        regulariser: float = 10.0,
        regularised: Regularised = "all",
        frozen: FrozenSource = "copy",
    ) -> None:
        super().__init__(
            model,
            root=None,
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )
        self.temperature = positive_temperature(temperature)

    def from_vectors(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The parts, each with its coefficient, from vectors alone."""
        positives, present = hierarchies.positives, hierarchies.has_positives
        every = torch.arange(len(positives), device=positives.device)
        if hierarchies.photos is None:
            paired = present[:, :-1] & present[:, 1:]
            tier = _draw(paired)
            others, present = positives[every, tier + 1], paired
        else:
            tier = _draw(present)
            others = hierarchies.photos
            if hierarchies.has_photos is not None:
                present = present & hierarchies.has_photos[:, None]
        loss = symmetric_contrastive(
            positives[every, tier],
            others,
            temperature=self.temperature,
            present=present.any(dim=1),
        )
        return {"contrastive": loss} | self._regularised(hierarchies)

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        return {"temperature": self.temperature, **super().get_config_dict()}


def _draw(present: Tensor) -> Tensor:
    """(n,) one of the tiers that are present, each as likely; the first where none is."""
    return torch.rand(present.shape, device=present.device).masked_fill(~present, -1.0).argmax(1)


def _cross_entropy(scores: Tensor, share: Tensor) -> Tensor:
    """(n,) −Σ share · log softmax(scores); a share of 0 counts 0, also of a score of −∞."""
    logarithms = log_softmax(scores, dim=1)
    return -torch.where(share > 0, share * logarithms, torch.zeros_like(share)).sum(dim=1)
