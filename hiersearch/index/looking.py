"""The photo files below some paths, and what to say if there are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from hiersearch.config import absolute
from hiersearch.errors import PhotosNotFoundError
from hiersearch.photos import find_photos

__all__ = ["Problem", "no_photos", "require_photos"]

Problem: TypeAlias = tuple[Path, str]
"""What could not be searched, and why."""


def require_photos(paths: Iterable[str | Path]) -> None:
    """Looks for one photo file.

    Raises:
        PhotosNotFoundError: A path is not there, or there is no photo file below any of them.
    """
    roots = [absolute(path) for path in paths]
    problems: list[Problem] = []
    found = find_photos(roots, on_problem=lambda *problem: problems.append(problem))
    if next(iter(found), None) is None:
        raise no_photos(roots, problems)


def no_photos(roots: Sequence[Path], problems: Sequence[Problem]) -> PhotosNotFoundError:
    """The error that says so, and why if something was in the way."""
    if problems:
        path, reason = problems[0]
        return PhotosNotFoundError(f"cannot look into {path}: {reason}", hint="Check permissions")
    return PhotosNotFoundError(
        f"no photos in {', '.join(map(str, roots)) or 'nothing'}",
        hint="Name a folder that holds JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF files",
    )
