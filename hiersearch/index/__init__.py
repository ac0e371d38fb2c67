"""An index of photos: made, updated, queried and copied.

Importing the package imports no engine and no NumPy; the names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiersearch.index.checks import CheckReport, Finding
    from hiersearch.index.copying import CopySummary, copy_index
    from hiersearch.index.labelling import vocabulary_label
    from hiersearch.index.model_check import (
        ModelCheck,
        TextModel,
        load_attached_model,
        load_model,
    )
    from hiersearch.index.moving import MoveSummary, is_moving, move_index
    from hiersearch.index.photo_index import PhotoIndex
    from hiersearch.index.results import IndexInfo, IngestSummary
    from hiersearch.index.update import require_photos

__all__ = [
    "CheckReport",
    "CopySummary",
    "Finding",
    "IndexInfo",
    "IngestSummary",
    "ModelCheck",
    "MoveSummary",
    "PhotoIndex",
    "TextModel",
    "copy_index",
    "is_moving",
    "load_attached_model",
    "load_model",
    "move_index",
    "require_photos",
    "vocabulary_label",
]

_MODULES = {
    "checks": ("CheckReport", "Finding"),
    "copying": ("CopySummary", "copy_index"),
    "labelling": ("vocabulary_label",),
    "model_check": ("ModelCheck", "TextModel", "load_attached_model", "load_model"),
    "moving": ("MoveSummary", "is_moving", "move_index"),
    "photo_index": ("PhotoIndex",),
    "results": ("IndexInfo", "IngestSummary"),
    "update": ("require_photos",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
