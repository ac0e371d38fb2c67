"""The photos of a benchmark: where a list's photos lie, and one checksum of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from hiersearch.photos import content_hash

__all__ = ["PHOTO_FOLDERS", "find_photo", "photos_checksum"]

PHOTO_FOLDERS = ("", "images", "photos")
"""Where photos lie, from the folder of the file that names them."""

CHECKSUM_DIGITS = 16


def find_photo(folder: Path, name: str, places: Sequence[str] = PHOTO_FOLDERS) -> Path | None:
    """The photo of this name, in the first of the places below a folder that has it."""
    paths = (folder / place / name for place in places)
    return next((path for path in paths if path.is_file()), None) if name else None


def photos_checksum(photos: Iterable[Path], base: Path) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over photos' names and contents.

    Args:
        photos: Image files in any order; repeats count once.
        base: The folder from which they are named, so that it may be moved. A photo that lies
            elsewhere goes by its file's name.

    Raises:
        UnreadablePhotoError: A file cannot be read.
    """
    lines = {f"{_name(photo, base)}\0{content_hash(photo)}\n" for photo in dict.fromkeys(photos)}
    content = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:CHECKSUM_DIGITS]


def _name(photo: Path, base: Path) -> str:
    return photo.relative_to(base).as_posix() if photo.is_relative_to(base) else photo.name
