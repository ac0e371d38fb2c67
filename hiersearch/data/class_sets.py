"""Photos with classes: a folder for each class, a CSV file, or CIFAR-10 and CIFAR-100 as released.

CIFAR is read in its binary version. A record is one byte for the class (CIFAR-100: one for the
coarse class and one for the class) and 3072 for the pixels: 32 rows of 32 red values, then green,
then blue. The releases for Python hold pickles, which can run any code and are never opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hiersearch.data.data_files import (
    data_folder,
    fetch_missing,
    photos_there,
    table_name,
    tables_with,
)
from hiersearch.data.taxonomies import RANKS
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import read_rows
from hiersearch.photos import PHOTO_SUFFIXES

__all__ = [
    "COLUMNS",
    "RELEASES",
    "SOURCE",
    "CifarRelease",
    "ClassPhotos",
    "chosen_sets",
    "class_name",
    "class_sets",
    "find_release",
    "photos_in",
    "read_class_folders",
    "read_class_table",
    "unpack",
]

COLUMNS = ("file/image", "class/label")


SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html (the binary versions)"

SIDE = 32
PIXELS = 3 * SIDE * SIDE


SPLITS = ("test", "val", "")
"""Where the folders of classes may lie in a data set; `train` is ignored."""

LEAST_CLASSES = 2

CIFAR_SPELLINGS = {
    "cifar10": ("cifar10", "cifar-10", "CIFAR10", "CIFAR-10"),
    "cifar100": ("cifar100", "cifar-100", "CIFAR100", "CIFAR-100"),
}


@dataclass(frozen=True)
class ClassPhotos:
    """Photos and their classes.

    Attributes:
        folder: The photos lie in or below it.
        classes: The names of the classes, sorted.
        photos: Image files; from folders class by class, sorted by name within each.
        labels: The position of each photo's class in `classes`.
        missing: How many photos are named but missing; they are left out.
    """

    folder: Path
    classes: tuple[str, ...]
    photos: tuple[Path, ...]
    labels: tuple[int, ...]
    missing: int = 0


class CifarRelease(NamedTuple):
    """Where a release keeps its test images.

    Attributes:
        folders: The names that its folder may have.
        images: The file of records.
        names: The file of class names, one a line.
        label_bytes: How many bytes precede the pixels; the last of them is the class.
    """

    folders: tuple[str, ...]
    images: str
    names: str
    label_bytes: int


RELEASES = {
    "cifar10": CifarRelease(("cifar-10-batches-bin", ""), "test_batch.bin", "batches.meta.txt", 1),
    "cifar100": CifarRelease(("cifar-100-binary", ""), "test.bin", "fine_label_names.txt", 2),
}


def class_sets(data: Path | None) -> dict[str, Path]:
    """Find the data sets.

    Args:
        data: The folder of all benchmarks' data, or of this one's; or a folder of classes, or a CSV
            file.

    Returns:
        By name: CIFAR-10 and CIFAR-100 in folders `cifar10` and `cifar100`, as folders of classes
        or as released; every other folder of such folders in `classify`, and every CSV file with
        the right columns; if there is none of these, the given folder itself, or the CSV files in
        it.

    Raises:
        MissingDataError: There are none.
        UsageError: The folder does not exist, or cannot be read.
    """
    folder = data_folder(data, "classify")
    if folder.is_file():
        return {table_name(folder): folder}
    places = list(dict.fromkeys((folder, folder if data is None else data)))
    found: dict[str, Path] = {}
    for name, spellings in CIFAR_SPELLINGS.items():
        own = [place / spelling for place in places for spelling in spellings]
        here = [path for path in own if find_release(path, name) or _is_set(path)]
        here += [path for path in places if find_release(path, name)]
        if here:
            found[name] = here[0]
    if folder.name == "classify" and folder.is_dir():
        known = set(found.values())
        others = [path for path in sorted(folder.iterdir()) if path.is_dir() and path not in known]
        found |= {path.name: path for path in others if path.name not in found and _is_set(path)}
    if not found and _is_set(folder):
        found = {folder.name: folder}
    if not found or folder.name == "classify":
        found = {table_name(path): path for path in _tables(folder)} | found
    if not found:
        raise MissingDataError(
            f"there is nothing to classify in {folder}: no cifar10, no cifar100, no folders of "
            f"classes that hold photos, no CSV file with columns {', '.join(COLUMNS)}",
            hint="Give a folder with one for each class, or put CIFAR into cifar10 and cifar100 "
            f"there, from {SOURCE}; --set cifar10 and --set cifar100 download it",
        )
    return found


def chosen_sets(
    data: Path | None, names: Sequence[str], fetch: Callable[[str], Path] | None
) -> dict[str, Path]:
    """Find the data sets of these names; CIFAR's are downloaded if they are missing.

    Args:
        data: As for `class_sets`.
        names: As `class_sets` has them, or "cifar10", "cifar100".
        fetch: Such as `hiersearch.data.fetching.fetch_part`; None to download nothing.

    Raises:
        MissingDataError: CIFAR is not there, and cannot be downloaded.
        UsageError: There is no data set of that name.
    """
    try:
        there = class_sets(data)
    except MissingDataError:
        there = {}
    found: dict[str, Path] = {}
    for name in names:
        if name in there:
            found[name] = there[name]
        elif name in RELEASES:
            missing = MissingDataError(
                f"{name} is not in {data or 'any folder that was given'}",
                hint=f"Get it from {SOURCE}, and put it into DIR/{name}, with --data DIR",
            )
            found[name] = fetch_missing(fetch, name, missing)
        else:
            raise UsageError(
                f"no data set of classes is called {name}",
                hint=f"Choose of {', '.join(dict.fromkeys([*there, *RELEASES]))}",
            )
    return found


def read_class_folders(folder: Path) -> ClassPhotos | None:
    """The photos of a data set that has a folder for each class.

    Args:
        folder: Holds the classes' folders, or `test` or `val` that holds them.

    Returns:
        None if fewer than two folders directly hold photos.

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
    """The photos directly in a folder, by their suffix, sorted; hidden files are ignored.

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
    """The name of a class: its folder's name with spaces for underscores."""
    return " ".join(folder.replace("_", " ").split())


def read_class_table(path: Path) -> ClassPhotos:
    """Read a CSV file with a row for each photo.

    Args:
        path: The file. A photo's path is from its folder, or from `images` or `photos` there.

    Raises:
        UsageError: The file cannot be read, lacks a column, or has fewer than two classes.
        MissingDataError: None of the photos is there.
    """
    rows = [(row["file"], row["class"]) for row in read_rows(path, COLUMNS)]
    if not all(file and name for file, name in rows):
        raise UsageError(
            f"a row of {path} lacks a photo or a class", hint="Correct or remove this row"
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


def find_release(folder: Path, name: str) -> Path | None:
    """The folder that holds a release's test images and class names; None if it is not there.

    Args:
        folder: Where to look.
        name: "cifar10" or "cifar100".
    """
    release = RELEASES[name]
    for each in release.folders:
        place = folder / each
        if (place / release.images).is_file() and (place / release.names).is_file():
            return place
    return None


def unpack(source: Path, name: str, target: Path) -> None:
    """Write a release's test images as PNG files, a folder for each class.

    Args:
        source: As `find_release` returns it.
        name: "cifar10" or "cifar100".
        target: An empty folder.

    Raises:
        UsageError: The files cannot be read, or are not what they should be.
    """
    release = RELEASES[name]
    path = source / release.images
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        names = (source / release.names).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} cannot be read: {error}", hint="Get the files again") from error
    size = release.label_bytes + PIXELS
    labels = content[release.label_bytes - 1 :: size]
    if not len(content) or len(content) % size or int(labels.max()) >= len(names):
        raise UsageError(
            f"{path} does not hold images of {len(names)} classes in {size} bytes each",
            hint=f"Get it again from {SOURCE}",
        )
    for each in names:
        (target / each).mkdir()
    pixels = content.reshape(-1, size)[:, release.label_bytes :].reshape(-1, 3, SIDE, SIDE)
    for number, (label, planes) in enumerate(zip(labels, pixels, strict=True)):
        image = Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))
        image.save(target / names[label] / f"{number:05}.png", compress_level=1)


def _tables(folder: Path) -> list[Path]:
    """CSV files of classes, without taxonomies: their column `class` is a rank."""
    taxonomies = tables_with(folder, RANKS[-2:])
    return [path for path in tables_with(folder, COLUMNS) if path not in taxonomies]


def _is_set(folder: Path) -> bool:
    return folder.is_dir() and read_class_folders(folder) is not None


def _folders(base: Path) -> list[Path]:
    return [path for path in _listed(base) if path.is_dir() and not path.name.startswith(".")]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read: {error.strerror or error}", hint="Give a readable folder"
        ) from error
