"""An index of photos: what lies in its folder, and the class that is held in hand."""

from __future__ import annotations

from hiersearch.index.info import IndexInfo
from hiersearch.index.looking import require_photos
from hiersearch.index.photo_index import PhotoIndex

__all__ = ["IndexInfo", "PhotoIndex", "require_photos"]
