"""What the stored photos know of their files, and how a photo becomes a payload."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiersearch.ingest.catalogue import Catalogue, KnownFile
from hiersearch.photos import Photo, text_to_path
from hiersearch.qdrant import HierarchicalCollection, photo_folders

__all__ = ["StoredFiles", "file_payload", "photo_payload", "read_stored_files"]

_FILE_KEYS = ["path", "size", "mtime"]


@dataclass(frozen=True)
class StoredFiles:
    """The files that an index knows.

    Attributes:
        catalogue: The files by path.
        stale: Photos whose point still names a path that another photo has taken over: a run was
            cut off between storing the one and updating the other.
    """

    catalogue: Catalogue
    stale: frozenset[str]

    def knows_below(self, folder: Path) -> bool:
        """Whether some file below a folder is known."""
        return any(text_to_path(path).is_relative_to(folder) for path in self.catalogue.paths())


def read_stored_files(photos: HierarchicalCollection) -> StoredFiles:
    """Reads which files an index knows."""
    files: dict[str, KnownFile] = {}
    stale: set[str] = set()
    for record in photos.scroll(payload=_FILE_KEYS):
        paths, size = record.payload["path"], record.payload["size"]
        for path, mtime in zip(paths, record.payload["mtime"], strict=True):
            file = KnownFile(str(record.id), size, mtime)
            other = files.setdefault(path, file)
            if other is not file:
                newer, older = (file, other) if mtime > other.mtime else (other, file)
                files[path] = newer
                stale.add(older.photo)
    return StoredFiles(Catalogue(files), frozenset(stale))


def photo_payload(photo: Photo) -> dict[str, Any]:
    """The part of a payload that a photo's content makes."""
    payload: dict[str, Any] = {
        "hash": photo.content_hash,
        "width": photo.width,
        "height": photo.height,
    }
    if photo.taken is not None:
        # The camera's clock, which is what people mean by a date; with a zone it would be shifted.
        payload["taken"] = photo.taken.replace(tzinfo=None).isoformat()
    return payload


def file_payload(files: Mapping[str, KnownFile]) -> dict[str, Any]:
    """The part of a payload that the files of a photo make.

    Args:
        files: At least one file, by path; equal in content.

    Returns:
        `path`, `name` and `mtime` in one order, `folder` (every folder above any of them), `size`.
    """
    return {
        "path": list(files),
        "name": [_name(path) for path in files],
        "folder": sorted({folder for path in files for folder in photo_folders(path)}),
        "size": next(iter(files.values())).size,
        "mtime": [file.mtime for file in files.values()],
    }


def _name(path: str) -> str:
    """The file's name as people would type it; bytes that are not text are replaced."""
    return os.fsencode(text_to_path(path).name).decode(errors="replace")
