"""Alignment: fine-tuning a dual encoder so that its geometry follows hierarchies.

Importing the package imports no torch; `train` does when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.alignment.settings import TrainingSettings, read_recipe
from hiersearch.errors import require

if TYPE_CHECKING:
    from hiersearch.alignment.trainer import TrainingRun, train

__all__ = ["TrainingRun", "TrainingSettings", "read_recipe", "train"]


def __getattr__(name: str) -> object:
    if name in ("TrainingRun", "train"):
        require("sentence_transformers", extra="train", purpose="training")
        from hiersearch.alignment import trainer

        return getattr(trainer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
