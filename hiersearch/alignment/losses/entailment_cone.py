"""The Entailment Cone (EC) loss with a margin, in Euclidean space.

Ganea et al. 2018; as Alper & Averbuch-Elor 2024 (arXiv 2407.08521) compare it with theirs,
supplement B.2.2 and C.5. The paper's equations have no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.losses.hierarchy_loss import FrozenSource, HierarchyLoss, Regularised
from hiersearch.alignment.losses.roots import Root
from hiersearch.alignment.losses.triples import TripleTerms
from hiersearch.errors import UsageError
from hiersearch.geometry import cone_half_aperture

__all__ = ["ConeCost", "EntailmentConeLoss"]

NEAR_HALF_SPACE = 1e-3
"""Parents this close to the distance K, as a share of it, do not pull on their own apertures."""


@dataclass(frozen=True)
class ConeCost:
    """A pair costs [γ ± (Ξ − ψ)]₊: + if it entails, − if it must not.

    ψ(t) = asin(min(1, K / d_t)) is the half aperture of the parent's cone. For γ ≥ π this is
    `AngleCost`, up to a constant γ and the apertures.

    Attributes:
        margin: γ, in radians; also below 0.
        k: K > 0, the distance from the root within which a cone is a half space.

    Raises:
        UsageError: If K is not above 0.
    """

    margin: float = 0.0
    k: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.k < float("inf"):
            raise UsageError(f"K is {self.k}, which is not a number above 0")

    def __call__(self, angles: Tensor, distances: Tensor, sign: int) -> Tensor:
        """The costs (...,), at least 0."""
        excess = angles - _half_apertures(distances, self.k)
        return (self.margin + sign * excess).relu()


def _half_apertures(distances: Tensor, k: float) -> Tensor:
    """ψ as geometry has it, without a gradient where that is infinite or undefined: up to K."""
    open_cone = distances > k * (1.0 + NEAR_HALF_SPACE)
    inside = cone_half_aperture(distances.detach(), k)
    outside = cone_half_aperture(torch.where(open_cone, distances, 2.0 * k), k)
    return torch.where(open_cone, outside, inside)


class EntailmentConeLoss(HierarchyLoss):
    """Puts specific texts inside the cones of general ones, and negatives outside.

    ``loss = mean * L_mean + minimax * L_minimax + regulariser * L_reg``

    as in `RadialEmbeddingLoss`, with the margin losses of `ConeCost` in place of its angles.

    Args:
        model: The model to train.
        margin: γ, in radians. The main text's comparison has 0 (inferred); the values of table 5
            are not published, only that larger ones did better.
        k: K > 0. The paper's value is not published; 0.1 is MERU's.
        root: What angles are measured from; by default the empty text, moving with the weights.
        negatives: Whether the columns hold negatives.
        mean: Coefficient of the mean over all triples, at least 0.
        minimax: Coefficient of the hardest triples, at least 0.
        regulariser: Coefficient of the drift from the encoder before training, at least 0.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0, or K is not above 0.

    References:
        - Hyperbolic Entailment Cones for Learning Hierarchical Embeddings:
          https://arxiv.org/abs/1804.01882
        - Emergent Visual-Semantic Hierarchies in Image-Text Representations:
          https://arxiv.org/abs/2407.08521, supplement B.2.2 and C.5

    Inputs:
        +------------------------------------------------------------+--------+
        | Texts                                                      | Labels |
        +============================================================+========+
        | positive_1, ..., positive_T, negative_1, ..., negative_T   | none   |
        +------------------------------------------------------------+--------+
        | positive_1, ..., positive_T (with ``negatives=False``)     | none   |
        +------------------------------------------------------------+--------+

    Relations:
        - `RadialEmbeddingLoss` differs only in what a pair costs, and has no margin to choose.

    Examples:
        As for `RadialEmbeddingLoss`, with ``loss = EntailmentConeLoss(model, margin=0.5)``.
    """

    citation = """
@inproceedings{ganea2018hyperbolic,
    title = "Hyperbolic Entailment Cones for Learning Hierarchical Embeddings",
    author = "Ganea, Octavian-Eugen and B{\\'e}cigneul, Gary and Hofmann, Thomas",
    booktitle = "International Conference on Machine Learning (ICML)",
    year = "2018",
    url = "https://arxiv.org/abs/1804.01882",
}
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
        super().__init__(
            model,
            TripleTerms(ConeCost(float(margin), float(k)), mean=mean, minimax=minimax),
            root=root,
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )
