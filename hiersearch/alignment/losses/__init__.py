"""Losses that align a text encoder with hierarchies, for `SentenceTransformerTrainer`."""

from __future__ import annotations

from hiersearch.alignment.losses.choosing import make_loss
from hiersearch.alignment.losses.contrastive import ContrastiveLoss
from hiersearch.alignment.losses.entailment_cone import EntailmentConeLoss
from hiersearch.alignment.losses.radial_cross_modal import RadialCrossModalLoss
from hiersearch.alignment.losses.radial_embedding import RadialEmbeddingLoss

__all__ = [
    "ContrastiveLoss",
    "EntailmentConeLoss",
    "RadialCrossModalLoss",
    "RadialEmbeddingLoss",
    "make_loss",
]
