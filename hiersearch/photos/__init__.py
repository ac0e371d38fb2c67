"""Photo files: found in folders, decoded, and named in payloads."""

from __future__ import annotations

from hiersearch.photos.file_names import path_to_text, photo_folders, text_to_path
from hiersearch.photos.finding import PHOTO_SUFFIXES, PhotoFile, find_photos
from hiersearch.photos.photo import MAX_PIXELS, Photo, content_hash, read_photo

__all__ = [
    "MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "Photo",
    "PhotoFile",
    "content_hash",
    "find_photos",
    "path_to_text",
    "photo_folders",
    "read_photo",
    "text_to_path",
]
