"""Qdrant's engine embedded in this process, with the calls of a `QdrantClient`."""

from __future__ import annotations

from hiersearch.qdrant.edge.client import EXACT_UP_TO, EdgeClient

__all__ = ["EXACT_UP_TO", "EdgeClient"]
