"""Whether an index is whole, and mending what is not."""

from __future__ import annotations

from hiersearch.index.checks.findings import CheckReport, Finding
from hiersearch.index.checks.whole import check_store

__all__ = ["CheckReport", "Finding", "check_store"]
