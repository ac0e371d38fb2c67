"""How far texts have moved from where the encoder had them before training.

The encoder as it was before training, which the regulariser holds the model to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal, Self, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from hiersearch.alignment.losses.triples import masked_mean

__all__ = [
    "FrozenEncoder",
    "FrozenSource",
    "drift",
]


def drift(vectors: Tensor, frozen: Tensor, *, present: Tensor | None = None) -> Tensor:
    """L_reg = (1 − mean cos(E, E_frozen)) / 2.

    Alper & Averbuch-Elor 2024, section 6 and supplement B.4; the prior preservation of Sastry et
    al. 2025 is the same.

    Args:
        vectors: (..., dim).
        frozen: (..., dim), before training.
        present: (...,) bool, False for those that do not count.

    Returns:
        In [0, 1]; 0 where nothing has moved.
    """
    cosines = cosine_similarity(vectors, frozen.to(vectors), dim=-1)
    if present is None:
        present = torch.ones_like(cosines, dtype=torch.bool)
    return masked_mean((1.0 - cosines) / 2.0, present)


FrozenSource: TypeAlias = Literal["copy", "given"] | Callable[[Tensor | None], Tensor]
"""Where the embeddings before training come from.

    "copy"      a copy of the model, made now and run in each step
    "given"     they come with each batch: from `HierarchyCollator`, or as its labels
    a function  from the batch's labels to (n, columns, dim)
"""


class FrozenEncoder(nn.Module):
    """A copy of a model that is never trained: no gradients, no dropout, no batch statistics.

    Args:
        model: A model as sentence-transformers' losses hold it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(model).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever is asked."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """What the model gives for these features."""
        found: dict[str, Any] = self.encoder(features)
        return found
