"""Dual encoders with an entailment root: the models, where they lie, and how they are loaded.

Importing the package imports no torch, and neither does the offline model; others do when loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.encoder.registry import (
    FORMER,
    IN_MEMORY,
    MODEL_CHOICES,
    MODEL_NAMES,
    MODELS,
    Model,
    better_model,
    current_name,
    default_model,
)

if TYPE_CHECKING:
    from hiersearch.encoder.encoder import HierarchicalEncoder

__all__ = [
    "FORMER",
    "IN_MEMORY",
    "MODELS",
    "MODEL_CHOICES",
    "MODEL_NAMES",
    "HierarchicalEncoder",
    "Model",
    "better_model",
    "current_name",
    "default_model",
]


def __getattr__(name: str) -> object:
    if name == "HierarchicalEncoder":
        from hiersearch.encoder.encoder import HierarchicalEncoder

        return HierarchicalEncoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
