"""Alignment: fine-tuning a dual encoder so that its geometry follows hierarchies.

Importing the package does not import torch; the first use of `train` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.alignment.pairs.pair_settings import PairSettings, read_pair_recipe
from hiersearch.alignment.settings import TrainingSettings, read_recipe
from hiersearch.errors import require

if TYPE_CHECKING:
    from hiersearch.alignment.pairs.pair_training import PairRun, train_pairs
    from hiersearch.alignment.training import TrainingRun, train

__all__ = [
    "PairRun",
    "PairSettings",
    "TrainingRun",
    "TrainingSettings",
    "read_pair_recipe",
    "read_recipe",
    "train",
    "train_pairs",
]


def __getattr__(name: str) -> object:
    if name in ("TrainingRun", "train"):
        require("sentence_transformers", extra="train", purpose="training")
        from hiersearch.alignment import training

        return getattr(training, name)
    if name in ("PairRun", "train_pairs"):
        require("sentence_transformers", extra="train", purpose="training")
        from hiersearch.alignment.pairs import pair_training

        return getattr(pair_training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
