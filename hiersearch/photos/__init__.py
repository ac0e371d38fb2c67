"""Photo files: found in folders, decoded, and named in payloads.

Decoding needs NumPy and Pillow; what does is loaded when first used, for names alone need neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hiersearch.photos.file_names import path_to_text, photo_folders, text_to_path

if TYPE_CHECKING:
    from hiersearch.photos.finding import PHOTO_SUFFIXES, PhotoFile, find_photos
    from hiersearch.photos.passed_over import PassedOver
    from hiersearch.photos.photo import MAX_PIXELS, Photo, content_hash, read_photo
    from hiersearch.photos.readers import PhotoReaders

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "PassedOver",
    "Photo",
    "PhotoFile",
    "PhotoReaders",
    "content_hash",
    "find_photos",
    "path_to_text",
    "photo_folders",
    "read_photo",
    "text_to_path",
]

_MODULES = {
    "finding": ("PHOTO_SUFFIXES", "PhotoFile", "find_photos"),
    "passed_over": ("PassedOver",),
    "photo": ("MAX_PIXELS", "Photo", "content_hash", "read_photo"),
    "readers": ("PhotoReaders",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
