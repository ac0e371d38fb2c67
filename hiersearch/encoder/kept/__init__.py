"""What was encoded before, kept in the user's cache folder: all of it can be made again."""

from __future__ import annotations

from hiersearch.encoder.kept.asked_texts import AskedTexts
from hiersearch.encoder.kept.vector_cache import VectorCache
from hiersearch.encoder.kept.vocabulary_rows import KeptRows, shipped_rows

__all__ = ["AskedTexts", "KeptRows", "VectorCache", "shipped_rows"]
