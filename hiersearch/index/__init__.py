"""An index of photos: what is stored of it, and the class that is held in hand."""

from __future__ import annotations

from hiersearch.index.attaching import ModelCheck, vocabulary_label
from hiersearch.index.copying import CopySummary, copy_index
from hiersearch.index.info import IndexInfo
from hiersearch.index.looking import require_photos
from hiersearch.index.photo_index import PhotoIndex

__all__ = [
    "CopySummary",
    "IndexInfo",
    "ModelCheck",
    "PhotoIndex",
    "copy_index",
    "require_photos",
    "vocabulary_label",
]
