"""How far texts have moved from where the encoder had them before training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from hiersearch.train.losses.triples import masked_mean

__all__ = ["drift"]


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
