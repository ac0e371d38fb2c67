"""Collections that others made, made hierarchical in place."""

from __future__ import annotations

from hiersearch.qdrant.attach.run import AttachSummary, DetachSummary, only_vector

__all__ = ["AttachSummary", "DetachSummary", "only_vector"]
