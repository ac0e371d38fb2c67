"""The Radial Embedding (RE) loss.

Alper & Averbuch-Elor 2024 (arXiv 2407.08521), section 4.1, and supplement B.4 for its aggregation.
The paper's equations have no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.losses.hierarchy_loss import FrozenSource, HierarchyLoss, Regularised
from hiersearch.alignment.losses.roots import Root
from hiersearch.alignment.losses.triples import TripleTerms

__all__ = ["ALPER_2024", "AngleCost", "RadialEmbeddingLoss"]

ALPER_2024 = """
@inproceedings{alper2024hierarcaps,
    title = "Emergent Visual-Semantic Hierarchies in Image-Text Representations",
    author = "Alper, Morris and Averbuch-Elor, Hadar",
    booktitle = "European Conference on Computer Vision (ECCV)",
    year = "2024",
    url = "https://arxiv.org/abs/2407.08521",
}
"""


@dataclass(frozen=True)
class AngleCost:
    """A pair that entails costs its exterior angle Ξ; one that must not costs −Ξ.

    So a triple costs L_RE(t, v, w) = Ξ(t, v) − Ξ(t, w), in [−π, π].
    """

    def __call__(self, angles: Tensor, distances: Tensor, sign: int) -> Tensor:
        """The angles (...,) with their sign."""
        del distances
        return angles if sign > 0 else -angles


class RadialEmbeddingLoss(HierarchyLoss):
    """Makes specific texts lie straight behind general ones, as seen from the root.

    For each triple of a parent t, its child v and a negative w it lowers the exterior angle
    Ξ(t, v) and raises Ξ(t, w):

    ``loss = mean * L_mean + minimax * L_minimax + regulariser * L_reg``

    L_mean = mean Ξ(c_i, c_{i+1}) − mean Ξ(c_i, n_i). With P and N the flattened positive and
    *negated* negative angles, a = argmax P and b = argmax N: L_minimax = (P + N)[a] + (P + N)[b].
    L_reg is the drift from the encoder before training. They are logged as mean, minimax and
    regulariser. Without negatives L_mean = mean P and L_minimax = max P.

    The default coefficients are the authors'; they train the text tower and its projection with
    AdamW at 1e-7 in batches of 8, for CLIP.

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

    References:
        - Emergent Visual-Semantic Hierarchies in Image-Text Representations:
          https://arxiv.org/abs/2407.08521, section 4.1 and supplement B.4

    Requirements:
        - Columns in the order of the table; the names are checked if they are these.
        - Dropout off: it would be noise in angles that are to be compared.

    Inputs:
        +------------------------------------------------------------+--------+
        | Texts                                                      | Labels |
        +============================================================+========+
        | positive_1, ..., positive_T, negative_1, ..., negative_T   | none   |
        +------------------------------------------------------------+--------+
        | positive_1, ..., positive_T (with ``negatives=False``)     | none   |
        +------------------------------------------------------------+--------+

    Relations:
        - `EntailmentConeLoss` differs only in what a pair costs.
        - `RadialCrossModalLoss` adds transitivity along the path, and photos.

    Examples:
        ::

            from datasets import Dataset
            from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

            from hiersearch.alignment.losses import RadialEmbeddingLoss

            model = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")
            rows = Dataset.from_dict({
                "positive_1": ["animal", "vehicle"],
                "positive_2": ["a goat", "a car"],
                "negative_1": ["portrait", "plant"],
                "negative_2": ["a cat", "a boat"],
            })
            loss = RadialEmbeddingLoss(model)
            SentenceTransformerTrainer(model=model, train_dataset=rows, loss=loss).train()
    """

    citation = ALPER_2024

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
            TripleTerms(AngleCost(), mean=mean, minimax=minimax),
            root=root,
            negatives=negatives,
            regulariser=regulariser,
            regularised=regularised,
            frozen=frozen,
        )
