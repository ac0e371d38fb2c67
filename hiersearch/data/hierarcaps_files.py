"""HierarCaps' files: CSV whose cells hold the texts of a hierarchy, joined by " => ".

The train file has columns `positive` and `negative`; the test file has `captions` and names a photo
in each row. Texts run from general to specific. HierarCaps has four tiers; other files may have
others, with as many negatives as positives in each row, or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hiersearch.data.data_files import data_folder, find_file, find_photo
from hiersearch.data.hierarchies import Hierarchy, checked_text, text_key
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import (
    MAX_BAD_SHARE,
    Problem,
    Table,
    read_rows,
    read_table,
    refuse_any,
    refuse_many,
    require_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BENCHMARK",
    "PAIR_FILES",
    "SOURCE",
    "TEST_FILES",
    "TRAIN_FILE",
    "TRAIN_PART",
    "HierarchyFile",
    "Item",
    "Pairs",
    "find_pairs_file",
    "find_test_file",
    "has_hierarchies",
    "parse_hierarchies",
    "read_hierarchies",
    "read_items",
    "read_pairs",
    "tier_texts",
]

BENCHMARK = "hierarcaps"
SOURCE = "https://github.com/TAU-VAILab/hierarcaps (data/), its photos from https://cocodataset.org"
TRAIN_FILE = "hierarcaps_train.csv.gz"
TEST_FILES = ("hierarcaps_test.csv", "hierarcaps_dev.csv")
PAIR_FILES = ("hierarcaps_pairs.csv", "hierarcaps_train.csv")
TRAIN_PART = "hierarcaps train"
"""What `hiersearch.data.fetching` calls the train file, which is downloaded by itself."""

SEPARATOR = "=>"
POSITIVE = ("positive", "captions")
NEGATIVE = "negative"

PHOTO_COLUMNS = ("file", "image", "image_url")
PHOTO_FOLDERS = ("images", "photos", "val2014", "")
ID_SUFFIXES = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True)
class Item:
    """A photo and its true texts.

    Attributes:
        texts: General to specific, at least two.
        photo: The image file; None if it was not found.
    """

    texts: tuple[str, ...]
    photo: Path | None


@dataclass(frozen=True)
class HierarchyFile:
    """The hierarchies of a file, in its order, and the rows that were left out."""

    hierarchies: tuple[Hierarchy, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Pairs:
    """Hierarchies in which each text has one that contradicts it.

    Attributes:
        hierarchies: The positive and the negative texts of each: equally many, at least two.
        left_out: How many rows hold no such hierarchy.
    """

    hierarchies: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    left_out: int


def find_test_file(data: Path | None) -> Path:
    """The file of test items.

    Args:
        data: As for `data_folder`.

    Raises:
        MissingDataError: It is not there.
        UsageError: The folder or file that was given is not what it should be.
    """
    return find_file(
        data_folder(data, BENCHMARK),
        TEST_FILES,
        benchmark=BENCHMARK,
        source=SOURCE,
        columns=("captions",),
    )


def find_pairs_file(test_file: Path) -> Path | None:
    """The file of hierarchies with negatives beside the test file; None if there is none.

    Raises:
        UsageError: Several files could be the one.
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
        path: A CSV file with a column `captions`. A photo is named by the end of `file`, `image` or
            `image_url`, or by `id`; it lies beside the file, or in a folder `images`, `photos` or
            `val2014` there.

    Raises:
        UsageError: The file cannot be read, or a row holds no hierarchy.
    """
    items = []
    for number, row in enumerate(read_rows(path, ("captions",)), start=1):
        texts = tier_texts(row["captions"])
        if len(texts) < 2 or not all(texts):
            raise UsageError(
                f"row {number} of {path} holds no hierarchy: {row['captions']!r}",
                hint='Join two texts or more with " => ", general to specific',
            )
        items.append(Item(texts, _photo(path.parent, row)))
    return tuple(items)


def read_pairs(path: Path) -> Pairs:
    """Read the hierarchies that have negatives, for evaluation; other rows are only counted.

    Raises:
        UsageError: The file cannot be read, lacks `positive` or `negative`, or has a row
            that is not readable as CSV.
    """
    table = read_table(path)
    require_columns(path, table.columns, ("positive", NEGATIVE))
    refuse_any(path, table.problems)
    hierarchies, problems = _hierarchies(table, None)
    pairs = tuple((h.positive, h.negative) for h in hierarchies if h.negative)
    return Pairs(pairs, len(hierarchies) + len(problems) - len(pairs))


def has_hierarchies(table: Table) -> bool:
    """Whether the columns are those of a file of hierarchies."""
    return any(name in table.columns for name in POSITIVE)


def read_hierarchies(
    path: Path, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read a file of hierarchies.

    Args:
        path: A CSV file, gzipped or not, with a column `positive` (or `captions`) and perhaps one
            `negative`; other columns are ignored.
        tiers: How many tiers each row must have; None for any number from two up.
        max_bad_share: The share of malformed rows above which the file is refused, from 0 to 1.

    Raises:
        UsageError: The file cannot be read, has no column of hierarchies, or too many malformed
            rows; names the first of them by line.
    """
    return parse_hierarchies(read_table(path), tiers=tiers, max_bad_share=max_bad_share)


def parse_hierarchies(
    table: Table, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read the hierarchies of a table; see `read_hierarchies`."""
    if not has_hierarchies(table):
        raise UsageError(
            f"{table.path} has no column `positive`",
            hint='Name the columns positive and negative, and join tiers with " => "',
        )
    hierarchies, problems = _hierarchies(table, tiers)
    refuse_many(table.path, problems, len(hierarchies), max_bad_share)
    return HierarchyFile(tuple(hierarchies), tuple(problems))


def tier_texts(cell: str) -> tuple[str, ...]:
    """The texts of a cell, general to specific, without surrounding blanks; some may be empty."""
    return tuple(text.strip() for text in cell.split(SEPARATOR))


def _hierarchies(table: Table, tiers: int | None) -> tuple[list[Hierarchy], list[Problem]]:
    column = next(name for name in POSITIVE if name in table.columns)
    hierarchies: list[Hierarchy] = []
    problems = list(table.problems)
    for line, row in table.by_column():
        try:
            hierarchies.append(_hierarchy(row[column], row.get(NEGATIVE, ""), tiers))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    return hierarchies, sorted(problems, key=lambda problem: problem.line)


def _hierarchy(positive: str, negative: str, tiers: int | None) -> Hierarchy:
    """Raises ValueError, which says why, if the cells are malformed."""
    texts = tuple(map(checked_text, tier_texts(positive)))
    if len(texts) < 2 or (tiers is not None and len(texts) != tiers):
        raise ValueError(f"{len(texts)} tiers")
    if len(set(map(text_key, texts))) < len(texts):
        raise ValueError("a tier is repeated")
    if not negative.strip():
        return Hierarchy(texts)
    others = tuple(map(checked_text, tier_texts(negative)))
    if len(others) != len(texts):
        raise ValueError(f"{len(others)} negatives for {len(texts)} tiers")
    for tier, (text, other) in enumerate(zip(texts, others, strict=True), start=1):
        if text_key(text) == text_key(other):
            raise ValueError(f"the negative of tier {tier} is that tier itself")
    return Hierarchy(texts, others)


def _photo(folder: Path, row: Mapping[str, str]) -> Path | None:
    found = (find_photo(folder, name, PHOTO_FOLDERS) for name in _photo_names(row))
    return next(filter(None, found), None)


def _photo_names(row: Mapping[str, str]) -> Iterator[str]:
    for cell in (row[column] for column in PHOTO_COLUMNS if row.get(column)):
        name = PurePosixPath(unquote(urlsplit(cell).path)).name if "://" in cell else cell
        yield name
        # COCO's photos of 2017 are called as those of 2014 without what precedes the number.
        yield PurePosixPath(name).name.rpartition("_")[2]
    if row.get("id"):
        yield from (f"{row['id']}{suffix}" for suffix in ID_SUFFIXES)
