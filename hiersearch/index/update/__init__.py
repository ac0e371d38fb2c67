"""Brings an index up to date with its photos."""

from __future__ import annotations

from hiersearch.index.update.addition import Addition, require_photos
from hiersearch.index.update.ingest import IngestSummary, Skip

__all__ = ["Addition", "IngestSummary", "Skip", "require_photos"]
