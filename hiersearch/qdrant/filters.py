"""Filters on photos: from `--where` expressions, and by concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from qdrant_client import models

__all__ = ["PHOTO_INDEXES", "combine", "concept_filter", "parse_where", "photo_folders"]

PHOTO_INDEXES: Mapping[str, str] = MappingProxyType(
    {
        "path": "keyword",
        "name": "keyword",
        "folder": "keyword",
        "taken": "datetime",
        "mtime": "float",
        "size": "integer",
        "width": "integer",
        "height": "integer",
    }
)
"""The payload indexes that a collection of photos needs, for `HierarchicalCollection.create`."""


def combine(*filters: models.Filter | None) -> models.Filter | None:
    """The filter that all of them must agree to; None where there is none."""
    given = [one for one in filters if one is not None]
    if len(given) <= 1:
        return given[0] if given else None
    return models.Filter(must=list(given))


def concept_filter(concept_id: str) -> models.Filter:
    """Photos that lie under a concept."""
    return models.Filter(
        must=[models.FieldCondition(key="concepts", match=models.MatchValue(value=concept_id))]
    )


def photo_folders(path: str) -> list[str]:
    """Every name under which `folder=...` finds a photo: its folders' full paths and their names.

    `/home/ann/Photos/2020/cat.jpg` lies in `/home/ann/Photos/2020`, `/home/ann/Photos`, ..., `/`,
    and in any folder called `2020`, `Photos`, `ann` or `home`.

    Args:
        path: The absolute path as it stands in the payload, a `file://` URI included.

    Returns:
        Full paths from the innermost out, then names likewise, each once.
    """
    scheme, separator, rest = path.partition("://")
    start = scheme + separator if separator else ""
    parents = list(PurePosixPath(rest if separator else path).parents)
    full = [start + str(parent) for parent in parents]
    names = [parent.name for parent in parents if parent.name]
    return list(dict.fromkeys(full + names))


def parse_where(expressions: Sequence[str]) -> models.Filter | None:
    """To come."""
    raise NotImplementedError
