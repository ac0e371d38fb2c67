"""Photos with their classes out of a CSV file."""

from __future__ import annotations

from pathlib import Path

from hiersearch.errors import UsageError
from hiersearch.evaluation.class_folders import LEAST_CLASSES, ClassPhotos
from hiersearch.evaluation.files import read_rows
from hiersearch.evaluation.photo_files import photos_there

__all__ = ["COLUMNS", "read_class_table"]

COLUMNS = ("file/image", "class/label")


def read_class_table(path: Path) -> ClassPhotos:
    """Read a CSV file with a row for each photo.

    Args:
        path: The file. A photo's path is from its folder, or from `images` or `photos` there.

    Raises:
        UsageError: The file cannot be read, lacks a column, or does not have two classes.
        MissingDataError: None of the photos is there.
    """
    rows = [(row["file"], row["class"]) for row in read_rows(path, COLUMNS)]
    if not all(file and name for file, name in rows):
        raise UsageError(
            f"a row of {path} lacks a photo or a class", hint="Mend or remove this row"
        )
    classes = sorted({name for _, name in rows})
    if len(classes) < LEAST_CLASSES:
        raise UsageError(
            f"the photos of {path} have no two classes to tell apart",
            hint="Give a CSV file with a photo and its class in each row",
        )
    shown = photos_there(path, rows)
    return ClassPhotos(
        folder=path.parent,
        classes=tuple(classes),
        photos=tuple(photo for photo, _ in shown),
        labels=tuple(classes.index(name) for _, name in shown),
        missing=len(rows) - len(shown),
    )
