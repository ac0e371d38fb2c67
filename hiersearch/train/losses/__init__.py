"""Losses that align a text encoder with hierarchies, for `SentenceTransformerTrainer`."""

from __future__ import annotations

from hiersearch.train.losses.choosing import make_loss
from hiersearch.train.losses.contrastive import ContrastiveLoss
from hiersearch.train.losses.entailment_cone import EntailmentConeLoss
from hiersearch.train.losses.radial_cross_modal import RadialCrossModalLoss
from hiersearch.train.losses.radial_embedding import RadialEmbeddingLoss

__all__ = [
    "ContrastiveLoss",
    "EntailmentConeLoss",
    "RadialCrossModalLoss",
    "RadialEmbeddingLoss",
    "make_loss",
]
