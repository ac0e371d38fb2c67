"""Brings an index up to date with its photos."""

from __future__ import annotations

from hiersearch.index.update.addition import Addition, require_photos

__all__ = ["Addition", "require_photos"]
