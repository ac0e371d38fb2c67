"""Photos of living things with their place at every rank, and the tree that the ranks make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.datasets.ranks import RANKS, Texts, rank_texts, with_genus
from hiersearch.errors import UsageError
from hiersearch.evaluation.files import find_file, read_rows
from hiersearch.evaluation.photo_files import photos_there

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts: TypeAlias = NDArray[np.int64]

__all__ = ["Taxonomy", "find_taxonomy", "read_taxonomy", "shared_ranks"]

FILE = "taxonomy.csv"
SOURCE = "your photos: a CSV file with the columns file and " + ", ".join(RANKS)


@dataclass(frozen=True)
class Taxonomy:
    """Photos, and what they are of.

    Attributes:
        ranks: From general to specific, at least two.
        kinds: The distinct things, each with its name at every rank, sorted.
        photos: Image files.
        labels: The position in `kinds` of what each photo shows.
        missing: Rows that were left out because their photo is not there.
        nameless: Rows that were left out because a rank has no name.
    """

    ranks: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    photos: tuple[Path, ...]
    labels: tuple[int, ...]
    missing: int = 0
    nameless: int = 0

    def texts(self, how: Texts = "path") -> tuple[tuple[str, ...], ...]:
        """For each kind its text at every rank; see `rank_texts`."""
        return tuple(rank_texts(kind, self.ranks, how) for kind in self.kinds)


def find_taxonomy(folder: Path) -> Path:
    """The file that says what the photos of a folder show.

    Args:
        folder: Holds `taxonomy.csv` or one CSV file with the right columns; or is above the one
            folder that holds a `taxonomy.csv`, by one step or by two; or is the file.

    Raises:
        MissingDataError: There is none.
        UsageError: There are several.
    """
    if folder.is_dir() and not (folder / FILE).is_file():
        below = sorted({*folder.glob(f"*/{FILE}"), *folder.glob(f"*/*/{FILE}")})
        if len(below) == 1:
            return below[0]
        if below:
            raise UsageError(
                f"there are {len(below)} files {FILE} below {folder}, such as {below[0]}",
                hint="Give the folder of one of them",
            )
    return find_file(
        folder, (FILE,), benchmark="species", source=SOURCE, columns=("file", *RANKS[-2:])
    )


def read_taxonomy(path: Path, ranks: Sequence[str] = RANKS) -> Taxonomy:
    """Read a CSV file with a column `file`, a photo's path from the CSV file's folder, and ranks.

    A species given by its epithet alone gets its genus before it.

    Args:
        path: The file.
        ranks: The columns that are ranks, general to specific; those that the file lacks are
            passed over.

    Raises:
        UsageError: The file cannot be read, or has no column `file` or no two ranks, or no row has
            a name at every rank.
        MissingDataError: None of the photos is there.
    """
    rows = [
        {name.lower(): cell for name, cell in row.items()} for row in read_rows(path, ("file",))
    ]
    present = tuple(rank for rank in ranks if rank in rows[0])
    if len(present) < 2:
        raise UsageError(
            f"{path} has no two columns of {', '.join(ranks)}",
            hint="Give a CSV file with a column for each rank",
        )
    named = [(row["file"], names) for row in rows if all(names := _names(row, present))]
    if not named:
        raise UsageError(
            f"no row of {path} has a name at every rank ({', '.join(present)})",
            hint="Fill in the ranks, or remove those columns that are empty",
        )
    shown = photos_there(path, named)
    kinds = sorted({names for _, names in shown})
    position = {kind: at for at, kind in enumerate(kinds)}
    return Taxonomy(
        ranks=present,
        kinds=tuple(kinds),
        photos=tuple(photo for photo, _ in shown),
        labels=tuple(position[names] for _, names in shown),
        missing=len(named) - len(shown),
        nameless=len(rows) - len(named),
    )


def shared_ranks(kinds: Sequence[Sequence[str]]) -> Counts:
    """How many ranks, from the first on, each two kinds have in common.

    Args:
        kinds: n kinds with r names each.

    Returns:
        (n, n) from 0 to r; r on the diagonal.
    """
    shared = np.zeros((len(kinds), len(kinds)), dtype=np.int64)
    same = np.ones_like(shared, dtype=bool)
    for names in zip(*kinds, strict=True):
        _, codes = np.unique(np.array(names), return_inverse=True)
        same &= codes[:, None] == codes[None, :]
        shared += same
    return shared


def _names(row: Mapping[str, str], ranks: Sequence[str]) -> tuple[str, ...]:
    names = [" ".join(row[rank].split()) for rank in ranks]
    if "species" in ranks:
        at = ranks.index("species")
        names[at] = with_genus(names[at], " ".join(row.get("genus", "").split()))
    return tuple(names)
