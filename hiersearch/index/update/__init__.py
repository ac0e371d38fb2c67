"""Brings an index up to date with its photos."""

from __future__ import annotations

from hiersearch.index.update.addition import Addition, require_photos
from hiersearch.index.update.sharing import Sharing

__all__ = ["Addition", "Sharing", "require_photos"]
