"""Data sets with classes: which are there, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hiersearch.datasets.ranks import RANKS
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.cifar import RELEASES, SOURCE, find_release
from hiersearch.evaluation.class_folders import read_class_folders
from hiersearch.evaluation.class_table import COLUMNS
from hiersearch.evaluation.files import data_folder, fetch_missing, table_name, tables_with

__all__ = ["chosen_sets", "class_sets"]

CIFAR_SPELLINGS = {
    "cifar10": ("cifar10", "cifar-10", "CIFAR10", "CIFAR-10"),
    "cifar100": ("cifar100", "cifar-100", "CIFAR100", "CIFAR-100"),
}


def class_sets(data: Path | None) -> dict[str, Path]:
    """The data sets that are there.

    Args:
        data: The folder of all benchmarks' data, or of this one's; or a folder of classes, or a CSV
            file.

    Returns:
        By name: CIFAR-10 and CIFAR-100 in a folder `cifar10` and `cifar100`, whether as folders of
        classes or as released; every other folder of such folders in `classify`, and every CSV file
        with the right columns; where there is none of these, the given folder itself, or the CSV
        files in it.

    Raises:
        MissingDataError: There are none.
        UsageError: The folder is not there, or cannot be read.
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
    """The data sets of these names, of which CIFAR's are fetched where they are not there.

    Args:
        data: As for `class_sets`.
        names: As `class_sets` has them, or "cifar10", "cifar100".
        fetch: As `hiersearch.evaluation.fetching.fetch_part`; None to do without it.

    Raises:
        MissingDataError: CIFAR is not there, and cannot be fetched.
        UsageError: No data set is called so.
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


def _tables(folder: Path) -> list[Path]:
    """A taxonomy is left out: its column `class` is a rank."""
    taxonomies = tables_with(folder, RANKS[-2:])
    return [path for path in tables_with(folder, COLUMNS) if path not in taxonomies]


def _is_set(folder: Path) -> bool:
    return folder.is_dir() and read_class_folders(folder) is not None
