"""The photo files below some paths, and what to say if there are none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hiersearch.errors import PhotosNotFoundError
from hiersearch.photos import find_photos

__all__ = ["absolute", "no_photos", "require_photos"]


def require_photos(paths: Iterable[str | Path]) -> None:
    """Looks for one photo file.

    Raises:
        PhotosNotFoundError: A path is not there, or there is no photo file below any of them.
    """
    roots = [absolute(path) for path in paths]
    if roots and next(iter(find_photos(roots, on_problem=_overlook)), None) is None:
        raise no_photos(roots)


def no_photos(roots: Sequence[Path]) -> PhotosNotFoundError:
    """The error that says so."""
    return PhotosNotFoundError(
        f"no photos in {', '.join(map(str, roots)) or 'nothing'}",
        hint="Name a folder that holds JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF files",
    )


def _overlook(path: Path, reason: str) -> None:
    """Problems are told when the photos are read."""


def absolute(path: str | Path) -> Path:
    """The absolute path by the name that was given; `~` is the home folder."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() follows links
