"""Collections that were made elsewhere, attached in place."""

from __future__ import annotations

from hiersearch.qdrant.attach.attaching import AttachSettings, AttachSummary, Check, attach, repair
from hiersearch.qdrant.attach.detaching import DetachSummary, detach
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
