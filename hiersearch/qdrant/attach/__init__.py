"""Collections that were made elsewhere, attached in place."""

from __future__ import annotations

from hiersearch.qdrant.attach.attaching import (
    AttachSettings,
    AttachSummary,
    Check,
    DetachSummary,
    attach,
    detach,
    repair,
)
from hiersearch.qdrant.attach.fill import Label

__all__ = [
    "AttachSettings",
    "AttachSummary",
    "Check",
    "DetachSummary",
    "Label",
    "attach",
    "detach",
    "repair",
]
