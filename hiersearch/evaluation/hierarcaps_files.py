"""HierarCaps' files: test items with their photos, and hierarchies with what contradicts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hiersearch.datasets.tiers import tier_texts
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.files import data_folder, find_file, read_rows
from hiersearch.evaluation.photo_files import find_photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "BENCHMARK",
    "PAIR_FILES",
    "SOURCE",
    "TEST_FILES",
    "TRAIN_PART",
    "Item",
    "Pairs",
    "find_pairs_file",
    "find_test_file",
    "read_items",
    "read_pairs",
]

BENCHMARK = "hierarcaps"
SOURCE = "https://github.com/TAU-VAILab/hierarcaps (data/), its photos from https://cocodataset.org"
TEST_FILES = ("hierarcaps_test.csv", "hierarcaps_dev.csv")
PAIR_FILES = ("hierarcaps_pairs.csv", "hierarcaps_train.csv")
TRAIN_PART = "hierarcaps train"
"""What `hiersearch.evaluation.fetching` calls the train file, which may come from elsewhere."""

PHOTO_COLUMNS = ("file", "image", "image_url")
PHOTO_FOLDERS = ("images", "photos", "val2014", "")
PHOTO_SUFFIXES = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True)
class Item:
    """A photo and its true texts.

    Attributes:
        texts: General to specific, at least two.
        photo: Its file; None where none was found.
    """

    texts: tuple[str, ...]
    photo: Path | None


@dataclass(frozen=True)
class Pairs:
    """Hierarchies, each text with one that contradicts it.

    Attributes:
        hierarchies: The positive and the negative texts of each, of one length, at least two.
        left_out: How many rows were no such thing.
    """

    hierarchies: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    left_out: int


def find_test_file(data: Path | None) -> Path:
    """The file of test items.

    Raises:
        MissingDataError: If it is not there.
        UsageError: If what was given is not what it should be.
    """
    return find_file(
        data_folder(data, BENCHMARK),
        TEST_FILES,
        benchmark=BENCHMARK,
        source=SOURCE,
        columns=("captions",),
    )


def find_pairs_file(test_file: Path) -> Path | None:
    """The file of hierarchies with negatives beside the test file, where there is one.

    Raises:
        UsageError: If several could be meant.
    """
    try:
        return find_file(
            test_file.parent,
            PAIR_FILES,
            benchmark=f"{BENCHMARK} (entailment)",
            source=SOURCE,
            columns=("positive", "negative"),
        )
    except MissingDataError:
        return None


def read_items(path: Path) -> tuple[Item, ...]:
    """Read test items.

    Args:
        path: A CSV file with a column `captions`, in which " => " joins the texts. A photo is
            called as the end of `file`, `image` or `image_url` says, or as `id`; it lies beside
            the file, or in a folder `images`, `photos` or `val2014` there.

    Raises:
        UsageError: If the file cannot be read, or a row holds no hierarchy.
    """
    items = []
    for number, row in enumerate(read_rows(path, ("captions",)), start=1):
        texts = tier_texts(row["captions"])
        if len(texts) < 2 or not all(texts):
            raise UsageError(
                f"row {number} of {path} holds no hierarchy: {row['captions']!r}",
                hint='Join two texts or more by " => ", general to specific',
            )
        items.append(Item(texts, _photo(path.parent, row)))
    return tuple(items)


def read_pairs(path: Path) -> Pairs:
    """Read hierarchies with their negatives: a CSV file with columns `positive` and `negative`.

    Raises:
        UsageError: If the file cannot be read.
    """
    rows = read_rows(path, ("positive", "negative"))
    hierarchies = []
    for row in rows:
        positive, negative = tier_texts(row["positive"]), tier_texts(row["negative"])
        if len(positive) == len(negative) > 1 and all(positive) and all(negative):
            hierarchies.append((positive, negative))
    return Pairs(tuple(hierarchies), len(rows) - len(hierarchies))


def _photo(folder: Path, row: Mapping[str, str]) -> Path | None:
    found = (find_photo(folder, name, PHOTO_FOLDERS) for name in _photo_names(row))
    return next(filter(None, found), None)


def _photo_names(row: Mapping[str, str]) -> Iterator[str]:
    cells: Sequence[str] = [row[column] for column in PHOTO_COLUMNS if row.get(column)]
    for cell in cells:
        name = PurePosixPath(unquote(urlsplit(cell).path)).name if "://" in cell else cell
        yield name
        # COCO's photos of 2017 are those of 2014 without what comes before the number.
        yield PurePosixPath(name).name.rpartition("_")[2]
    if row.get("id"):
        yield from (f"{row['id']}{suffix}" for suffix in PHOTO_SUFFIXES)
