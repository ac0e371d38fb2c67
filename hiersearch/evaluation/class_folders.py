"""Photos in a folder for each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiersearch.errors import UsageError
from hiersearch.photos import PHOTO_SUFFIXES

__all__ = ["ClassPhotos", "class_name", "photos_in", "read_class_folders"]

SPLITS = ("test", "val", "")
"""Where the classes may lie below a data set's folder; `train` is passed over."""

LEAST_CLASSES = 2


@dataclass(frozen=True)
class ClassPhotos:
    """Photos and their classes.

    Attributes:
        folder: What the photos lie in or below.
        classes: Their names, sorted.
        photos: Image files; out of folders class by class, each class's sorted by name.
        labels: The position in `classes` of each photo's.
        missing: How many photos are named that are not there; they are left out.
    """

    folder: Path
    classes: tuple[str, ...]
    photos: tuple[Path, ...]
    labels: tuple[int, ...]
    missing: int = 0


def read_class_folders(folder: Path) -> ClassPhotos | None:
    """The photos of a data set that has a folder for each class.

    Args:
        folder: Holds the classes' folders, or `test` or `val` that holds them.

    Returns:
        None where there are not two folders that directly hold photos.

    Raises:
        UsageError: A folder cannot be read.
    """
    for split in SPLITS:
        base = folder / split
        if not base.is_dir():
            continue
        found = {each.name: photos_in(each) for each in _folders(base)}
        found = {name: photos for name, photos in found.items() if photos}
        if len(found) >= LEAST_CLASSES:
            return ClassPhotos(
                folder=base,
                classes=tuple(found),
                photos=tuple(photo for photos in found.values() for photo in photos),
                labels=tuple(at for at, photos in enumerate(found.values()) for _ in photos),
            )
    return None


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in a folder, known by their suffix, sorted; hidden ones passed over.

    Raises:
        UsageError: The folder cannot be read.
    """
    return [
        path
        for path in _listed(folder)
        if path.suffix[1:].lower() in PHOTO_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]


def class_name(folder: str) -> str:
    """What a class is called: its folder's name with blanks for underscores."""
    return " ".join(folder.replace("_", " ").split())


def _folders(base: Path) -> list[Path]:
    return [path for path in _listed(base) if path.is_dir() and not path.name.startswith(".")]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read: {error.strerror or error}", hint="Give a readable folder"
        ) from error
