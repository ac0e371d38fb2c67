"""HyperLex' files: pairs of words rated by people, and other files of word pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hiersearch.data.data_files import find_file
from hiersearch.errors import UsageError
from hiersearch.files import read_rows

__all__ = [
    "COLUMNS",
    "SOURCE",
    "WHOLE",
    "WordPair",
    "hyperlex_files",
    "read_hyperlex",
    "read_pairs",
]

SOURCE = "the HyperLex release, https://github.com/cambridgeltl/hyperlex"
WHOLE = "hyperlex-all.txt"
PARTS = ("training", "dev", "test")
SPLITS = ("random", "lexical")
FOLDERS = ("", "hyperlex-data", "nouns-verbs", "splits/random", "splits/lexical")
COLUMNS = ("WORD1", "WORD2", "POS", "TYPE", "AVG_SCORE")


@dataclass(frozen=True, slots=True)
class WordPair:
    """Two words, and to what degree people say that the first is a kind of the second.

    Attributes:
        word: WORD1 of the release, the child.
        broader: WORD2, the parent.
        part_of_speech: "N" or "V".
        relation: WordNet's, such as "hyp-1" (a step up), "r-hyp-2", "cohyp", "syn" or "no-rel".
        rating: AVG_SCORE, from 0 to 6.
    """

    word: str
    broader: str
    part_of_speech: str
    relation: str
    rating: float


def hyperlex_files(folder: Path) -> tuple[Path, ...]:
    """The files of the release in a folder, or below it where the release puts them.

    Args:
        folder: Where to look; or the one file itself.

    Returns:
        The file of all pairs; else the one to three files of the random split; else those of the
        lexical split; else the only CSV file with the right columns.

    Raises:
        MissingDataError: There is none of these.
        UsageError: Several CSV files have the right columns.
    """
    if folder.is_file():
        return (folder,)
    places = [folder / name for name in FOLDERS]
    for place in places:
        if (place / WHOLE).is_file():
            return (place / WHOLE,)
    for split in SPLITS:
        names = [f"hyperlex_{part}_all_{split}.txt" for part in PARTS]
        found = [next((p / n for p in places if (p / n).is_file()), None) for n in names]
        if any(found):
            return tuple(path for path in found if path is not None)
    # Shorter names by which the parts are passed on.
    for name in ("hyperlex_test_all.txt", "hyperlex_all.txt"):
        if (folder / name).is_file():
            return (folder / name,)
    return (find_file(folder, (WHOLE,), benchmark="hyperlex", source=SOURCE, columns=COLUMNS),)


def read_hyperlex(path: Path) -> tuple[WordPair, ...]:
    """Read a file of the release (columns separated by spaces), or a CSV file with its columns.

    Raises:
        UsageError: It cannot be read, lacks a column, or a row is not a rated pair.
    """
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return tuple(_pair(path, row, line) for line, row in enumerate(read_rows(path, COLUMNS), 2))
    lines = _lines(path)
    header = lines[0].split() if lines else []
    lacking = [name for name in COLUMNS if name not in header]
    if lacking:
        raise UsageError(
            f"{path} has no column {', '.join(lacking)}",
            hint=f"Give a file of {SOURCE}, or a CSV file with {', '.join(COLUMNS)}",
        )
    at = [header.index(name) for name in COLUMNS]
    pairs: list[WordPair] = []
    for line, text in enumerate(lines[1:], 2):
        cells = text.split()
        if cells:
            row = {n: cells[i] for n, i in zip(COLUMNS, at, strict=True) if i < len(cells)}
            pairs.append(_pair(path, row, line))
    return tuple(pairs)


def read_pairs(path: Path) -> tuple[tuple[str, str], ...]:
    """Read pairs of words without ratings: the first two of each line.

    Args:
        path: Words are separated by spaces, tabs or commas; what follows the second is ignored, and
            so are empty lines and HyperLex' header.

    Raises:
        UsageError: The file cannot be read, or a line has only one word; names the line.
    """
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(_lines(path), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0] == COLUMNS[0]:
            continue
        if len(words) < 2:
            raise UsageError(
                f"{path}, line {number}: {line.strip()!r} is not a pair",
                hint="Give two words in each line",
            )
        pairs.append((words[0], words[1]))
    return tuple(pairs)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the pairs in {path} cannot be read: {error}",
            hint="Give a text file in UTF-8, such as one of the HyperLex release",
        ) from error


def _pair(path: Path, row: Mapping[str, str], line: int) -> WordPair:
    word, broader, part, relation = (row.get(name, "").strip() for name in COLUMNS[:4])
    try:
        rating = float(row.get("AVG_SCORE", ""))
    except ValueError:
        rating = math.nan
    if not (word and broader and math.isfinite(rating)):
        raise UsageError(
            f"{path}, line {line}: not two words and {', '.join(COLUMNS[2:])}",
            hint=f"Get the file again from {SOURCE}",
        )
    return WordPair(word, broader, part.upper(), relation, rating)
