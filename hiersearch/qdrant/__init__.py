"""Hierarchical search over Qdrant: a server, its cloud, or its engine embedded in this process.

The only package that imports `qdrant_client` or `qdrant_edge`.
"""

from hiersearch.qdrant.asynchronous import AsyncHierarchicalCollection
from hiersearch.qdrant.attaching import AttachSummary, DetachSummary, only_vector
from hiersearch.qdrant.collection import HierarchicalCollection
from hiersearch.qdrant.connect import Client, connect
from hiersearch.qdrant.copying import CopiedPoints, copy_points, same_points
from hiersearch.qdrant.documents import Documents
from hiersearch.qdrant.edge import EdgeClient
from hiersearch.qdrant.filters import (
    PHOTO_INDEXES,
    Filter,
    combine,
    concept_filter,
    photo_folders,
)
from hiersearch.qdrant.options import CollectionOptions
from hiersearch.qdrant.points import Hit, Record
from hiersearch.qdrant.where import parse_where

__all__ = [
    "PHOTO_INDEXES",
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
    "combine",
    "concept_filter",
    "connect",
    "copy_points",
    "only_vector",
    "parse_where",
    "photo_folders",
    "same_points",
]
