"""Search photos from general to specific.

Importing the package imports neither torch nor Qdrant; the names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiersearch.concepts import Concept, Vocabulary, builtin_vocabulary, read_vocabulary
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.errors import HiersearchError
    from hiersearch.index import CopySummary, IndexInfo, IngestSummary, PhotoIndex, copy_index
    from hiersearch.index.answer import Answer, Level, PhotoHit
    from hiersearch.qdrant import (
        AsyncHierarchicalCollection,
        CollectionOptions,
        EdgeClient,
        HierarchicalCollection,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncHierarchicalCollection",
    "CollectionOptions",
    "Concept",
    "CopySummary",
    "EdgeClient",
    "HierarchicalCollection",
    "HierarchicalEncoder",
    "HiersearchError",
    "IndexInfo",
    "IngestSummary",
    "Level",
    "PhotoHit",
    "PhotoIndex",
    "Vocabulary",
    "builtin_vocabulary",
    "copy_index",
    "read_vocabulary",
]

_MODULES = {
    "hiersearch.concepts": ("Concept", "Vocabulary", "builtin_vocabulary", "read_vocabulary"),
    "hiersearch.encoder": ("HierarchicalEncoder",),
    "hiersearch.errors": ("HiersearchError",),
    "hiersearch.index": ("CopySummary", "IndexInfo", "IngestSummary", "PhotoIndex", "copy_index"),
    "hiersearch.qdrant": (
        "AsyncHierarchicalCollection",
        "CollectionOptions",
        "EdgeClient",
        "HierarchicalCollection",
    ),
    "hiersearch.index.answer": ("Answer", "Level", "PhotoHit"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
