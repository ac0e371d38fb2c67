"""The plain contrastive loss, to compare the others with.

Radford et al. 2021 (CLIP), as Alper & Averbuch-Elor 2024 (arXiv 2407.08521) compare it with theirs
in supplement C.1: each photo against one text drawn at random from its hierarchy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn.functional import log_softmax

from hiersearch.alignment.losses.hierarchy_loss import (
    FrozenSource,
    Hierarchies,
    HierarchyLoss,
    Regularised,
    masked_mean,
)
from hiersearch.errors import UsageError
from hiersearch.geometry import COINCIDENT_SQUARE

__all__ = [
    "ContrastiveLoss",
    "ContrastiveTerms",
    "positive_temperature",
    "symmetric_contrastive",
]


@dataclass(frozen=True)
class ContrastiveTerms:
    """The contrastive loss of a text drawn from each hierarchy against its photo or next tier.

    Attributes:
        temperature: Above 0.

    Raises:
        UsageError: If it is not.
    """

    temperature: float = 0.01

    def __post_init__(self) -> None:
        positive_temperature(self.temperature)

    def __call__(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """One part."""
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
        return {"contrastive": loss}


def symmetric_contrastive(
    texts: Tensor, others: Tensor, *, temperature: float, present: Tensor | None = None
) -> Tensor:
    """Mean of the cross-entropies of texts among others, and of others among texts.

    If a batch holds a text more than once, all its partners are right for it, each with the same
    share; without repeats this is CLIP's loss.

    Args:
        texts: (n, dim), of length 1.
        others: (n, dim), of length 1; the partner of each text.
        temperature: Above 0.
        present: (n,) bool, False for pairs that do not count.

    Returns:
        At least 0; 0 if there are no pairs.
    """
    if present is None:
        present = texts.new_ones(len(texts), dtype=torch.bool)
    together = present[:, None] & present
    gaps = 2.0 - 2.0 * (texts @ texts.T).detach()
    same = (gaps <= COINCIDENT_SQUARE) | torch.eye(len(texts), dtype=torch.bool, device=gaps.device)
    share = (same & together).to(texts)
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1.0)
    # Pairs that do not count keep one finite score each, so that no row is empty.
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
    """CLIP's loss on hierarchies: the baseline that knows nothing of general and specific.

    ``loss = contrastive + regulariser * L_reg``

    With photos, each is contrasted with a text drawn from its hierarchy. Without, each text so
    drawn is contrasted with the next tier of its hierarchy; in a batch where some have photos, the
    others are passed over. Texts are drawn anew in each step, by torch's generator. Negatives, if
    there are any, enter the regulariser only.

    Args:
        model: The model to train.
        temperature: Above 0; 0.01 is where CLIP's training ends, and it is not learned here.
        negatives: Whether the columns hold negatives.
        regulariser: Coefficient of the drift from the encoder before training, at least 0. Whether
            the paper's comparison kept its own is not published.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If the coefficient is below 0, or the temperature is not above 0.

    References:
        - Learning Transferable Visual Models From Natural Language Supervision:
          https://arxiv.org/abs/2103.00020
        - Emergent Visual-Semantic Hierarchies in Image-Text Representations:
          https://arxiv.org/abs/2407.08521, supplement C.1

    Inputs:
        +-------------------------------------------------------------------+--------+
        | Texts and photos                                                  | Labels |
        +===================================================================+========+
        | positive_1, ..., positive_T, negative_1, ..., negative_T          | none   |
        +-------------------------------------------------------------------+--------+
        | positive_1, ..., positive_T, negative_1, ..., negative_T, photo   | none   |
        +-------------------------------------------------------------------+--------+

        ``negatives=False`` leaves out the negatives.

    Examples:
        As for `RadialEmbeddingLoss`, with ``loss = ContrastiveLoss(model, temperature=0.05)``.
    """

    citation = """
@inproceedings{radford2021learning,
    title = "Learning Transferable Visual Models From Natural Language Supervision",
    author = "Radford, Alec and Kim, Jong Wook and Hallacy, Chris and others",
    booktitle = "International Conference on Machine Learning (ICML)",
    year = "2021",
    url = "https://arxiv.org/abs/2103.00020",
}
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
            ContrastiveTerms(temperature),
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )


def _draw(present: Tensor) -> Tensor:
    """(n,) one of the tiers that are present, each as likely; the first where none is."""
    return torch.rand(present.shape, device=present.device).masked_fill(~present, -1.0).argmax(1)


def _cross_entropy(scores: Tensor, share: Tensor) -> Tensor:
    """(n,) −Σ share · log softmax(scores); a share of 0 counts 0, also of a score of −∞."""
    logarithms = log_softmax(scores, dim=1)
    return -torch.where(share > 0, share * logarithms, torch.zeros_like(share)).sum(dim=1)
