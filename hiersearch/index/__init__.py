"""An index of photos: made, updated, queried and copied."""

from __future__ import annotations

from hiersearch.index.copy_index import CopySummary, copy_index
from hiersearch.index.labelling import vocabulary_label
from hiersearch.index.model_check import ModelCheck, TextModel, load_attached_model, load_model
from hiersearch.index.move_index import MoveSummary, is_moving, move_index
from hiersearch.index.photo_index import PhotoIndex
from hiersearch.index.storage import IndexInfo
from hiersearch.index.update import IngestSummary, require_photos

__all__ = [
    "CopySummary",
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
