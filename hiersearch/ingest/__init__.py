"""From folders of photos to a collection, incrementally."""

from __future__ import annotations

from hiersearch.ingest.catalogue import Catalogue, KnownFile, Plan, make_plan
from hiersearch.ingest.relabelling import relabel
from hiersearch.ingest.run import Ingest
from hiersearch.ingest.stored import StoredFiles, read_stored_files
from hiersearch.ingest.summary import IngestSummary, Skip

__all__ = [
    "Catalogue",
    "Ingest",
    "IngestSummary",
    "KnownFile",
    "Plan",
    "Skip",
    "StoredFiles",
    "make_plan",
    "read_stored_files",
    "relabel",
]
