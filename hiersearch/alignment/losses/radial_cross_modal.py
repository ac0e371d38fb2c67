"""The Radial Cross-Modal Embeddings (RCME) loss, for paths of taxonomies.

Sastry et al. 2025 (arXiv 2506.21476). The formulas are those of the authors' released code and of
its summary; they are not cited by number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.losses.contrastive import positive_temperature, symmetric_contrastive
from hiersearch.alignment.losses.hierarchy_loss import (
    FrozenSource,
    Hierarchies,
    HierarchyLoss,
    Regularised,
    masked_mean,
    not_negative,
)
from hiersearch.alignment.losses.radial_embedding import AngleCost
from hiersearch.alignment.losses.roots import Root
from hiersearch.alignment.losses.triples import hard_and_mean, triple_costs
from hiersearch.errors import UsageError
from hiersearch.geometry import exterior_angle

__all__ = [
    "Anchor",
    "PathTerms",
    "RadialCrossModalLoss",
    "most_specific",
    "path_terms",
    "transitive_bound",
]

Anchor: TypeAlias = Literal["previous", "root"]
"""Where the angle at a tier is measured from: the tier before it (RCME), or the root (RE)."""


@dataclass(frozen=True)
class PathTerms:
    """local + minimax + global, and cross_modal if there are photos, each with its coefficient.

    Attributes:
        slack: α of the global term, in radians.
        anchor: Where angles are measured from.
        local: Coefficient of the local term, at least 0.
        minimax: Coefficient of its hardest triples, at least 0.
        whole: Coefficient of the global term, at least 0.
        cross_modal: β of the cross-entropy between photos and most specific texts, at least 0.
        temperature: Of that cross-entropy, above 0.

    Raises:
        UsageError: If a coefficient is below 0, the temperature is not above 0, or there is no
            such anchor.
    """

    slack: float = math.pi / 2
    anchor: Anchor = "root"
    local: float = 1.0
    minimax: float = 1.0
    whole: float = 1.0
    cross_modal: float = 0.1
    temperature: float = 0.01

    def __post_init__(self) -> None:
        if self.anchor not in ("previous", "root"):
            raise UsageError(f"angles are measured from previous or root, not from {self.anchor!r}")
        for name in ("local", "minimax", "whole", "cross_modal"):
            not_negative(name, getattr(self, name))
        positive_temperature(self.temperature)

    def __call__(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The parts, each with its coefficient."""
        local, minimax, whole = path_terms(
            hierarchies.positives,
            hierarchies.negatives,
            hierarchies.root,
            slack=self.slack,
            anchor=self.anchor,
            has_positives=hierarchies.has_positives,
            has_negatives=hierarchies.has_negatives,
        )
        parts = {
            "local": self.local * local,
            "minimax": self.minimax * minimax,
            "global": self.whole * whole,
        }
        if hierarchies.photos is not None:
            present = hierarchies.has_positives.any(dim=1)
            shown = hierarchies.has_photos
            parts["cross_modal"] = self.cross_modal * symmetric_contrastive(
                most_specific(hierarchies.positives, hierarchies.has_positives),
                hierarchies.photos,
                temperature=self.temperature,
                present=present if shown is None else present & shown,
            )
        return parts


def path_terms(
    positives: Tensor,
    negatives: Tensor | None,
    root: Tensor,
    *,
    slack: float = math.pi / 2,
    anchor: Anchor = "root",
    has_positives: Tensor | None = None,
    has_negatives: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Local entailment, its mini-max, and global entailment along paths.

    With Ξ_i the angle at c_i, measured from the root, or from c_{i−1} (at c_1: from the root):

    * local: mean Ξ_i(c_{i+1}) − mean Ξ_i(n_i), and the RE loss's mini-max of the same angles;
    * global: mean over the batch, then over j = 2 ... T − 1, of
      [Ξ_{j−1}(c_{j+1}) − acos(S_{j−1}·S_j) + α]₊, where S_i = cos Ξ_i(c_{i+1}), clipped to [0, 1]:
      entailment is to be transitive.

    Args:
        positives: (n, T, dim), general to specific, T ≥ 2.
        negatives: (n, T, dim), or None; n_i shares c_{i−1} and is not below c_i.
        root: (dim,), of any length.
        slack: α, in radians.
        anchor: Where angles are measured from.
        has_positives: (n, T) bool, False for tiers that a path does not have.
        has_negatives: (n, T) bool, likewise.

    Returns:
        The local term, in [−π, π]; its mini-max, in [−2π, 2π]; and the global term, at least 0;
        that is 0 for paths of two tiers.
    """
    if has_positives is None:
        has_positives = positives.new_ones(positives.shape[:2], dtype=torch.bool)
    parents = positives[:, :-1]
    origins = root.expand_as(parents)
    if anchor == "previous":
        # The tier before one that is missing is the root, as before the first.
        before = torch.where(has_positives[..., None], positives, root)[:, :-2]
        origins = torch.cat([origins[:, :1], before], dim=1)
    angles = triple_costs(
        positives,
        negatives,
        origins,
        AngleCost(),
        has_positives=has_positives,
        has_negatives=has_negatives,
    )
    local, minimax = hard_and_mean(angles)
    first, second = angles.positive[:, :-1], angles.positive[:, 1:]
    across = exterior_angle(parents[:, :-1], positives[:, 2:], origins[:, :-1])
    excess = (across - transitive_bound(first, second) + slack).relu()
    in_a_row = angles.has_positive[:, :-1] & angles.has_positive[:, 1:]
    # A mean of each tier's mean: where all paths have all tiers, it is the mean of all.
    per_tier = [masked_mean(excess[:, tier], in_a_row[:, tier]) for tier in range(excess.shape[1])]
    tiers = in_a_row.any(dim=0).sum().clamp(min=1)
    whole = torch.stack(per_tier).sum() / tiers if per_tier else local.new_zeros(())
    return local, minimax, whole


def transitive_bound(first: Tensor, second: Tensor) -> Tensor:
    """acos(cos⁺ a · cos⁺ b), the largest angle that two steps entail together.

    It is the hypotenuse of a right-angled triangle on the sphere, and is computed as such: the arc
    cosine's gradient is infinite where both angles are 0.

    Args:
        first: (...,) a, in [0, π]; from π/2 on its cosine counts as 0.
        second: (...,) b, likewise.

    Returns:
        (...,), in [0, π/2].
    """
    first, second = first.clamp(max=math.pi / 2), second.clamp(max=math.pi / 2)
    legs = torch.stack([first.sin(), first.cos() * second.sin()], dim=-1)
    return torch.atan2(torch.linalg.vector_norm(legs, dim=-1), first.cos() * second.cos())


def most_specific(positives: Tensor, has_positives: Tensor) -> Tensor:
    """The last tier that each path has, (n, dim); the first where it has none.

    Args:
        positives: (n, T, dim).
        has_positives: (n, T) bool.
    """
    tiers = torch.arange(1, positives.shape[1] + 1, device=positives.device)
    last = (tiers * has_positives).argmax(dim=1)
    return positives[torch.arange(len(positives), device=positives.device), last]


class RadialCrossModalLoss(HierarchyLoss):
    """Makes entailment hold along whole paths of a taxonomy, and places photos at their ends.

    ``loss = local + minimax + global + cross_modal + regulariser``

    each with its coefficient. `path_terms` has the formulas of the first three. cross_modal is the
    contrastive loss between photos and the most specific texts of their paths; hierarchies without
    a photo are held to the encoder before training instead.

    The defaults are the authors' except for `anchor`; they train both towers with AdamW at 1e-5,
    betas .9 and .98, on seven ranks. Their negative for a rank shares the rank above it and differs
    at the rank.

    Args:
        model: The model to train.
        slack: α of the global term, in radians. With π/2 (the authors' code) the hinge never lets
            go: the term asks for ever smaller angles; with 0 it asks for transitivity alone.
        anchor: Where angles are measured from. The authors' code has "previous"; from the root, the
            ranks of species that were not trained on come out in order (training/RESULTS.md).
        root: What the angles, or the first tier's, are measured from; by default the empty text,
            moving with the weights. The authors' is the text "Eukarya".
        negatives: Whether the columns hold negatives.
        local: Coefficient of the local term, at least 0.
        minimax: Coefficient of its hardest triples, at least 0.
        whole: Coefficient of the global term, at least 0.
        cross_modal: β of the cross-entropy between photos and most specific texts, at least 0.
        temperature: Of that cross-entropy, above 0, and not learned. 0.01 is where CLIP's training
            ends; the authors keep the model's own.
        regulariser: Coefficient of the drift from the encoder before training (the authors' prior
            preservation), at least 0.
        regularise_photos: Whether that holds for hierarchies with photos, too. The authors' does
            not.
        regularised: Which texts the regulariser counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0, or the temperature is not above 0.

    References:
        - Global and Local Entailment Learning for Natural World Imagery:
          https://arxiv.org/abs/2506.21476

    Inputs:
        +-------------------------------------------------------------------+--------+
        | Texts and photos                                                  | Labels |
        +===================================================================+========+
        | positive_1, ..., positive_T, negative_1, ..., negative_T          | none   |
        +-------------------------------------------------------------------+--------+
        | positive_1, ..., positive_T, negative_1, ..., negative_T, photo   | none   |
        +-------------------------------------------------------------------+--------+

        ``negatives=False`` leaves out the negatives.

    Relations:
        - `RadialEmbeddingLoss` is its local terms alone, measured from the root.

    Examples:
        As for `RadialEmbeddingLoss`, with ``loss = RadialCrossModalLoss(model)``; columns of photos
        need ``data_collator=HierarchyCollator(model)``.
    """

    citation = """
@inproceedings{sastry2025global,
    title = "Global and Local Entailment Learning for Natural World Imagery",
    author = "Sastry, Srikumar and others",
    booktitle = "International Conference on Computer Vision (ICCV)",
    year = "2025",
    url = "https://arxiv.org/abs/2506.21476",
}
"""

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        slack: float = math.pi / 2,
        anchor: Anchor = "root",
        root: Root | None = None,
        negatives: bool = True,
        local: float = 1.0,
        minimax: float = 1.0,
        whole: float = 1.0,
        cross_modal: float = 0.1,
        temperature: float = 0.01,
        regulariser: float = 10.0,
        regularise_photos: bool = False,
        regularised: Regularised = "all",
        frozen: FrozenSource = "copy",
    ) -> None:
        super().__init__(
            model,
            PathTerms(
                slack=float(slack),
                anchor=anchor,
                local=local,
                minimax=minimax,
                whole=whole,
                cross_modal=cross_modal,
                temperature=temperature,
            ),
            root=root,
            negatives=negatives,
            regulariser=regulariser,
            regularise_photos=regularise_photos,
            regularised=regularised,
            frozen=frozen,
        )
