"""Filters on photos, and the payload fields that they stand on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import unquote

from qdrant_client import models

__all__ = ["PHOTO_INDEXES", "Filter", "combine", "concept_filter", "photo_folders"]

Filter: TypeAlias = models.Filter
"""A condition on points."""

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
    """Every value of `folder=...` that finds a photo: its folders' full paths and their names.

    `/home/ann/Photos/2020/cat.jpg` lies in `/home/ann/Photos/2020`, `/home/ann/Photos`, ..., `/`,
    and in any folder called `2020`, `Photos`, `ann` or `home`.

    Args:
        path: The absolute path as it stands in the payload. Of a percent-encoded `file://` URI,
            those folders that are valid Unicode are given as they are, the others encoded.

    Returns:
        Full paths from the innermost out, then names likewise, each once.
    """
    encoded = path.startswith(_URI)
    # Plain text work: this runs for every photo of an index.
    names = path.removeprefix(_URI).strip("/").split("/")[:-1]
    full = [f"/{'/'.join(names[:depth])}" for depth in range(len(names), -1, -1)]
    names.reverse()
    if encoded:
        full = [_decoded(folder) or _URI + folder for folder in full]
        names = [_decoded(name) or name for name in names]
    return list(dict.fromkeys(full + names))


_URI = "file://"


def _decoded(text: str) -> str | None:
    """The text without percent encoding, where that is valid Unicode."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
