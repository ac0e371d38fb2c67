"""Dual encoders with an entailment root: looking them up, loading them, building the offline one.

Importing the package imports no torch; `HierarchicalEncoder` does when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.encoder.registry import IN_MEMORY, MODEL_NAMES, default_model

if TYPE_CHECKING:
    from hiersearch.encoder.encoder import HierarchicalEncoder

__all__ = ["IN_MEMORY", "MODEL_NAMES", "HierarchicalEncoder", "default_model"]


def __getattr__(name: str) -> object:
    if name == "HierarchicalEncoder":
        from hiersearch.encoder.encoder import HierarchicalEncoder

        return HierarchicalEncoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
