"""Photos with captions, to train the towers of a dual encoder on.

A CSV file, which may be compressed (.gz), with the columns `file` and `caption`; a row for each
caption, and so several for a photo. A column `split` is optional: only rows of "train" are for
training. Of those, a fixed tenth is kept for choosing: the photos whose file name hashes to it, the
same in every run and on every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hiersearch.data.hierarchies import checked_text
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import MAX_BAD_SHARE, Problem, Table, read_table, refuse_many

__all__ = ["CaptionedPhoto", "CaptionedPhotos", "has_captions", "is_kept", "read_captioned"]

COLUMNS = ("file", "caption")
TRAIN = "train"
KEPT = 10
"""One photo in so many is kept from training."""


@dataclass(frozen=True)
class CaptionedPhoto:
    """A photo and what people say about it.

    Attributes:
        path: The image file.
        captions: At least one.
    """

    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class CaptionedPhotos:
    """The photos of a file.

    Attributes:
        train: To train on.
        kept: Kept from training, to choose by.
        missing: Files that are named and not there.
        problems: Malformed rows.
    """

    train: tuple[CaptionedPhoto, ...]
    kept: tuple[CaptionedPhoto, ...]
    missing: tuple[str, ...]
    problems: tuple[Problem, ...]


def has_captions(table: Table) -> bool:
    """Whether a file has the columns of captioned photos."""
    return set(COLUMNS) <= set(table.columns)


def is_kept(file: str) -> bool:
    """Whether a photo is of the tenth that is kept from training, by its name without folders."""
    digest = hashlib.sha256(PurePosixPath(file).name.encode("utf-8", "surrogatepass")).hexdigest()
    return int(digest, 16) % KEPT == 0


def read_captioned(path: Path, photos: Path) -> CaptionedPhotos:
    """Read the photos that a file names, and their captions.

    Args:
        path: The CSV file.
        photos: The folder that its paths are relative to.

    Raises:
        UsageError: The file cannot be read, or too many of its rows are malformed.
        MissingDataError: None of the photos is there.
    """
    table = read_table(path)
    if not has_captions(table):
        raise UsageError(
            f"{path} has no columns file and caption", hint="Name the columns in its first line"
        )
    captions: dict[str, list[str]] = {}
    problems = list(table.problems)
    for line, row in table.by_column():
        if row.get("split", TRAIN) != TRAIN:
            continue
        try:
            caption = checked_text(row["caption"])
        except ValueError as error:
            problems.append(Problem(line, str(error)))
            continue
        captions.setdefault(row["file"].strip(), []).append(caption)
    refuse_many(path, problems, sum(map(len, captions.values())), MAX_BAD_SHARE)
    found = {file: photos / file for file in captions}
    there = {file: place for file, place in found.items() if place.is_file()}
    if not there:
        raise MissingDataError(
            f"none of the {len(captions)} photos of {path} is in {photos}",
            hint="Name their folder with --photos",
        )
    rows = {file: CaptionedPhoto(place, tuple(captions[file])) for file, place in there.items()}
    return CaptionedPhotos(
        train=tuple(photo for file, photo in rows.items() if not is_kept(file)),
        kept=tuple(photo for file, photo in rows.items() if is_kept(file)),
        missing=tuple(file for file in captions if file not in there),
        problems=tuple(problems),
    )
