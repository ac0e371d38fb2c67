"""The photos of a benchmark: where a list's photos lie, and one checksum of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from hiersearch.errors import MissingDataError
from hiersearch.photos import content_hash

__all__ = ["PHOTO_FOLDERS", "find_photo", "photos_checksum", "photos_there"]

Kind = TypeVar("Kind")

PHOTO_FOLDERS = ("", "images", "photos")
"""Where photos lie, from the folder of the file that names them."""

CHECKSUM_DIGITS = 16


def find_photo(folder: Path, name: str, places: Sequence[str] = PHOTO_FOLDERS) -> Path | None:
    """The photo of this name, in the first of the places below a folder that has it."""
    paths = (folder / place / name for place in places)
    return next((path for path in paths if path.is_file()), None) if name else None


def photos_there(table: Path, rows: Sequence[tuple[str, Kind]]) -> list[tuple[Path, Kind]]:
    """Of a table's rows those whose photos are there, with the photo's path for its name.

    Args:
        table: The file; a photo's path is from its folder, or from `images` or `photos` there.
        rows: The name of a photo and what it is of, at least one.

    Raises:
        MissingDataError: None of the photos is there.
    """
    found = [(photo, kind) for name, kind in rows if (photo := find_photo(table.parent, name))]
    if not found:
        raise MissingDataError(
            f"none of the {len(rows)} photos that {table} names is there, such as {rows[0][0]}",
            hint=f"Put them into {table.parent}",
        )
    return found


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
