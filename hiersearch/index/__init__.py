"""An index of photos: what is stored of it, and the class that is held in hand."""

from __future__ import annotations

from hiersearch.index.copy_index import CopySummary, copy_index
from hiersearch.index.model_check import ModelCheck, vocabulary_label
from hiersearch.index.photo_index import PhotoIndex
from hiersearch.index.storage import IndexInfo
from hiersearch.index.update import IngestSummary, require_photos

__all__ = [
    "CopySummary",
    "IndexInfo",
    "IngestSummary",
    "ModelCheck",
    "PhotoIndex",
    "copy_index",
    "require_photos",
    "vocabulary_label",
]
