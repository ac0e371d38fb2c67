"""Hierarchical search over Qdrant: a server, its cloud, or its engine embedded in this process.

The only package that imports `qdrant_client` or `qdrant_edge`.
"""

from hiersearch.qdrant.asynchronous import AsyncHierarchicalCollection
from hiersearch.qdrant.attach import AttachSummary, DetachSummary
from hiersearch.qdrant.attachment import Documents, only_vector
from hiersearch.qdrant.collection import HierarchicalCollection
from hiersearch.qdrant.connection import Client, connect
from hiersearch.qdrant.copy_points import CopiedPoints, copy_points, same_points
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.filters import (
    Filter,
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
