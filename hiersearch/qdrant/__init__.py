"""Hierarchical search over Qdrant: a server, its cloud, or its engine embedded in this process.

The only package that imports `qdrant_client` or `qdrant_edge`.
"""

from hiersearch.qdrant.collection import HierarchicalCollection
from hiersearch.qdrant.connect import Client, connect
from hiersearch.qdrant.edge import EdgeClient
from hiersearch.qdrant.filters import (
    PHOTO_INDEXES,
    Filter,
    combine,
    concept_filter,
    photo_folders,
)
from hiersearch.qdrant.points import Hit, Record
from hiersearch.qdrant.where import parse_where

__all__ = [
    "PHOTO_INDEXES",
    "Client",
    "EdgeClient",
    "Filter",
    "HierarchicalCollection",
    "Hit",
    "Record",
    "combine",
    "concept_filter",
    "connect",
    "parse_where",
    "photo_folders",
]
