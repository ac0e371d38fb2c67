"""Living things, or other things, with a name at every rank: from kingdom to species.

CSV with a column for each rank and perhaps one `file`, a photo's path, and one `common_name`. Ranks
are those of biology, as many as the file has, or any others that are named. A species given by its
epithet alone gets its genus before it. Training reads specimens, evaluation a taxonomy of photos.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from hiersearch.data.data_files import PHOTO_FOLDERS, find_file, find_photo, photos_there
from hiersearch.data.hierarchies import Hierarchy, Split, checked_text, clean_text, split, text_key
from hiersearch.errors import UsageError
from hiersearch.files import (
    MAX_BAD_SHARE,
    Problem,
    Table,
    read_table,
    refuse_any,
    refuse_many,
    require_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hiersearch.types import Integers

__all__ = [
    "RANKS",
    "Specimen",
    "SpecimenFile",
    "Taxonomy",
    "Texts",
    "find_taxonomy",
    "has_ranks",
    "parse_specimens",
    "rank_texts",
    "read_specimens",
    "read_taxonomy",
    "shared_ranks",
    "species_hierarchies",
    "specimen_texts",
    "split_specimens",
    "with_genus",
]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

Texts: TypeAlias = Literal["path", "name"]
"""How a rank is worded: "path", all names from the first rank on; "name", its own name alone."""

FILE = "taxonomy.csv"
SOURCE = "your photos: a CSV file with the columns file and " + ", ".join(RANKS)

TRIES = 8
"""How often a kind is drawn at random before all candidates are listed."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """One thing and its name at every rank.

    Attributes:
        names: General to specific.
        ranks: The rank of each name.
        photo: Its photo; None if it has none.
        common_name: What people call it; empty if unknown.
    """

    names: tuple[str, ...]
    ranks: tuple[str, ...]
    photo: Path | None = None
    common_name: str = ""


@dataclass(frozen=True)
class SpecimenFile:
    """The specimens of a file, in its order, and the rows that were left out."""

    specimens: tuple[Specimen, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Taxonomy:
    """Photos and the kinds of things that they show.

    Attributes:
        ranks: From general to specific, at least two.
        kinds: The distinct things, each with its name at every rank, sorted.
        photos: Image files.
        labels: The position in `kinds` of what each photo shows.
        missing: Rows that were left out because their photo is missing.
        nameless: Rows that were left out because a rank has no name.
    """

    ranks: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    photos: tuple[Path, ...]
    labels: tuple[int, ...]
    missing: int = 0
    nameless: int = 0

    def texts(self, how: Texts = "path") -> tuple[tuple[str, ...], ...]:
        """The text of each kind at every rank; see `rank_texts`."""
        return tuple(rank_texts(kind, self.ranks, how) for kind in self.kinds)


def find_taxonomy(folder: Path) -> Path:
    """The file that says what the photos of a folder show.

    Args:
        folder: Holds `taxonomy.csv` or one CSV file with the right columns; or is one or two levels
            above the only folder that holds a `taxonomy.csv`; or is the file.

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


def has_ranks(table: Table, ranks: Sequence[str] = RANKS) -> bool:
    """Whether the columns are those of a file of specimens: two ranks or more."""
    return sum(rank in table.columns for rank in ranks) > 1


def read_specimens(
    path: Path,
    *,
    ranks: Sequence[str] = RANKS,
    photos: Path | None = None,
    max_bad_share: float = MAX_BAD_SHARE,
) -> SpecimenFile:
    """Read specimens, with or without photos.

    Args:
        path: The CSV file. A photo's path is from its folder, or from `images` or `photos` there.
        ranks: The columns that are ranks, general to specific; those that the file lacks are
            ignored.
        photos: The folder of the photos; None for the file's own.
        max_bad_share: The share of malformed rows above which the file is refused, from 0 to 1. A
            row without a name at some rank, or whose photo is missing, is malformed.

    Raises:
        UsageError: The file cannot be read, has fewer than two ranks, or too many malformed rows;
            names the first of them by line.
    """
    table = read_table(path)
    return parse_specimens(table, ranks=ranks, photos=photos, max_bad_share=max_bad_share)


def parse_specimens(
    table: Table,
    *,
    ranks: Sequence[str] = RANKS,
    photos: Path | None = None,
    max_bad_share: float = MAX_BAD_SHARE,
) -> SpecimenFile:
    """Read the specimens of a table; see `read_specimens`."""
    present = _present_ranks(table, ranks)
    folder = table.path.parent if photos is None else photos
    specimens: list[Specimen] = []
    problems = list(table.problems)
    for line, row in table.by_column():
        try:
            names = _names(row, present)
            photo = _photo(folder, row.get("file", "").strip())
        except ValueError as error:
            problems.append(Problem(line, str(error)))
            continue
        specimens.append(Specimen(names, present, photo, clean_text(row.get("common_name", ""))))
    problems.sort(key=lambda problem: problem.line)
    refuse_many(table.path, problems, len(specimens), max_bad_share)
    return SpecimenFile(tuple(specimens), tuple(problems))


def read_taxonomy(path: Path, ranks: Sequence[str] = RANKS) -> Taxonomy:
    """Read the photos of a file and the kinds that they show.

    Args:
        path: The CSV file, with a column `file`; as for `read_specimens`.
        ranks: As for `read_specimens`.

    Raises:
        UsageError: The file cannot be read, has no column `file`, fewer than two ranks or a row
            that is not readable as CSV, or no row has a name at every rank.
        MissingDataError: None of the photos is there.
    """
    table = read_table(path)
    require_columns(path, table.columns, ("file",))
    present = _present_ranks(table, ranks)
    refuse_any(path, table.problems)
    named: list[tuple[str, tuple[str, ...]]] = []
    for _, row in table.by_column():
        try:
            named.append((row["file"].strip(), _names(row, present)))
        except ValueError:  # counted as nameless
            continue
    if not named:
        raise UsageError(
            f"no row of {path} has a name at every rank ({', '.join(present)})",
            hint="Fill in the ranks, or remove the columns that are empty",
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
        nameless=len(table.rows) - len(named),
    )


def with_genus(species: str, genus: str) -> str:
    """The name of a species; an epithet alone gets its genus, if any, before it."""
    return f"{genus} {species}" if genus and species and " " not in species else species


def rank_texts(names: Sequence[str], ranks: Sequence[str], how: Texts = "path") -> tuple[str, ...]:
    """A text for each rank.

    Args:
        names: A name for each rank, general to specific, without surrounding blanks.
        ranks: The rank of each name.
        how: "path" for "Animalia Chordata Aves", "name" for "Aves". The genus stands once in a
            path, though it is part of the species' name.
    """
    if how == "name":
        return tuple(names)
    found: list[str] = []
    for at, name in enumerate(names):
        genus = f"{names[at - 1]} " if at and ranks[at] == "species" else ""
        own = name.removeprefix(genus)
        found.append(f"{found[-1]} {own}" if found else own)
    return tuple(found)


def shared_ranks(kinds: Sequence[Sequence[str]]) -> Integers:
    """How many ranks, from the first on, each pair of kinds has in common.

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


def specimen_texts(specimen: Specimen, texts: Texts = "path") -> tuple[str, ...]:
    """A specimen's text at each rank; see `rank_texts`."""
    return rank_texts(specimen.names, specimen.ranks, texts)


def species_hierarchies(
    specimens: Iterable[Specimen], *, seed: int, texts: Texts = "path", deeper: int = 2
) -> tuple[Hierarchy, ...]:
    """The hierarchies of the distinct kinds, each with hard negatives.

    The negative of rank i comes from a kind that has the same name at rank i − 1 and another at
    rank i: its text `deeper` ranks further down, or of the last rank if there are fewer (RCME,
    arXiv 2506.21476, as in its code). If there is no such kind, one is taken that differs from a
    rank further up. Ranks at the top that are the same for all kinds have no negative and are left
    out.

    Args:
        specimens: Their order does not matter.
        seed: Random seed; the same seed draws the same negatives.
        texts: How a rank is worded.
        deeper: How many ranks below i the negative's text is, at least 0.

    Returns:
        One for each kind, in the order of their names; none for a single kind.
    """
    kinds = sorted({s.names: s for s in specimens}.values(), key=lambda s: s.names)
    chance = random.Random(seed)
    keys = [tuple(map(text_key, kind.names)) for kind in kinds]
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, key in enumerate(keys):
        for length in range(len(key)):
            groups.setdefault(key[:length], []).append(at)
    worded = [specimen_texts(kind, texts) for kind in kinds]
    found: list[Hierarchy] = []
    for at in range(len(kinds)):
        tiers: list[tuple[str, str]] = []
        for rank, text in enumerate(worded[at]):
            other = _other(keys, groups, at, rank, chance)
            if other is not None:
                down = min(rank + deeper, len(worded[other]) - 1)
                tiers.append((text, worded[other][down]))
        if len(tiers) > 1:
            positive, negative = zip(*tiers, strict=True)
            found.append(Hierarchy(positive, negative))
    return tuple(found)


def split_specimens(
    specimens: Sequence[Specimen], *, share: float = 0.2, seed: int
) -> Split[Specimen]:
    """Split specimens so that a kind's photos stay together: validation sees other species.

    Args:
        specimens: What to split.
        share: The share of kinds that goes to validation, from 0 to below 1.
        seed: Random seed.

    Raises:
        UsageError: The share is out of range.
    """
    return split(specimens, key=lambda s: text_key(" > ".join(s.names)), share=share, seed=seed)


def _present_ranks(table: Table, ranks: Sequence[str]) -> tuple[str, ...]:
    if not has_ranks(table, ranks):
        raise UsageError(
            f"{table.path} has no two columns of {', '.join(ranks)}",
            hint="Give a CSV file with a column for each rank",
        )
    return tuple(rank for rank in ranks if rank in table.columns)


def _names(row: Mapping[str, str], ranks: Sequence[str]) -> tuple[str, ...]:
    """A row's name at every rank; raises ValueError, which says why, if one is malformed."""
    names: list[str] = []
    for rank in ranks:
        try:
            name = checked_text(row[rank])
        except ValueError as error:
            raise ValueError(f"{rank}: {error}") from error
        names.append(
            with_genus(name, clean_text(row.get("genus", ""))) if rank == "species" else name
        )
    return tuple(names)


def _photo(folder: Path, name: str) -> Path | None:
    """A row's photo; raises ValueError if it is named and missing."""
    photo = find_photo(folder, name, PHOTO_FOLDERS)
    if name and photo is None:
        raise ValueError(f"no photo {name!r}")
    return photo


def _other(
    keys: Sequence[tuple[str, ...]],
    groups: dict[tuple[str, ...], list[int]],
    kind: int,
    rank: int,
    chance: random.Random,
) -> int | None:
    """A kind that differs from this one from the rank on, or from a rank as near above it."""
    own = keys[kind]
    names = set(own)
    for parting in range(rank, -1, -1):
        group = groups[own[:parting]]
        if len(group) == len(groups.get(own[: parting + 1], [kind])):
            continue
        # The same name elsewhere in the tree is, as a text, the same thing.
        for other in _drawn(group, chance):
            if len(keys[other]) > parting and names.isdisjoint(keys[other][parting:]):
                return other
    return None


def _drawn(group: Sequence[int], chance: random.Random) -> Iterator[int]:
    for _ in range(TRIES):
        yield chance.choice(group)
    yield from chance.sample(group, len(group))
