"""Hierarchical search over Qdrant: a server, its cloud, or its engine embedded in this process.

The only package that imports `qdrant_client` or `qdrant_edge`. The former takes longer to import
than the embedded engine takes to answer, so that it is imported when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.qdrant.attach import AttachSummary, DetachSummary
from hiersearch.qdrant.attachment import Documents, only_vector
from hiersearch.qdrant.clients.client_calls import Client
from hiersearch.qdrant.clients.connection import connect
from hiersearch.qdrant.collection import HierarchicalCollection
from hiersearch.qdrant.copy_points import CopiedPoints, copy_points, same_points
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.filters import (
    HasValue,
    all_of,
    any_of,
    between,
    between_times,
    either,
    equals,
    none_of,
)
from hiersearch.qdrant.points import Hit, Record
from hiersearch.qdrant.schema import CollectionOptions

if TYPE_CHECKING:
    from hiersearch.qdrant.asynchronous import AsyncHierarchicalCollection
    from hiersearch.qdrant.filters import Filter

__all__ = [
    "AsyncHierarchicalCollection",
    "AttachSummary",
    "Client",
    "CollectionOptions",
    "CopiedPoints",
    "DetachSummary",
    "Documents",
    "EdgeClient",
    "Filter",
    "HasValue",
    "HierarchicalCollection",
    "Hit",
    "Record",
    "all_of",
    "any_of",
    "between",
    "between_times",
    "connect",
    "copy_points",
    "either",
    "equals",
    "none_of",
    "only_vector",
    "same_points",
]


def __getattr__(name: str) -> object:
    if name == "AsyncHierarchicalCollection":
        from hiersearch.qdrant.asynchronous import AsyncHierarchicalCollection

        return AsyncHierarchicalCollection
    if name == "Filter":
        from hiersearch.qdrant.filters import Filter

        return Filter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
