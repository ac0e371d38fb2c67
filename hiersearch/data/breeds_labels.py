"""The labels of BREEDS' subsets, and the ImageNet photos that carry them.

A subset has coarse labels, and under each equally many fine ones, which are ImageNet classes. Files
like `living17-true.json` list the classes that Novack et al. (CHILS), whose subsets the paper uses,
drew; `breeds_subsets.json` holds lists of WordNet ids. The two draws differ.
`dataset_class_info.json` of BREEDS names the classes.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiersearch.data.class_sets import photos_in
from hiersearch.data.data_files import find_file
from hiersearch.errors import UsageError

__all__ = [
    "CLASSES",
    "HIERARCHY",
    "LABELS_PART",
    "SOURCE",
    "SUBSETS",
    "Classes",
    "Subset",
    "class_photos",
    "drawn_file",
    "read_classes",
    "read_subset",
]

SUBSETS = ("living17", "nonliving26", "entity13", "entity30")

CLASSES = "dataset_class_info.json"
HIERARCHY = ("class_hierarchy.txt", "node_names.txt")
LABELS_PART = "breeds labels"
"""What `hiersearch.data.fetching` calls these files, which are downloaded by themselves."""

DRAWN = "breeds_subsets.json"
WORDNET_ID = re.compile(r"n\d{8}")
SOURCE = (
    "https://github.com/MadryLab/BREEDS-Benchmarks (imagenet_class_hierarchy/modified) and "
    "https://github.com/acmi-lab/CHILS (label_sets)"
)


@dataclass(frozen=True)
class Classes:
    """ImageNet's classes.

    Attributes:
        names: The names of each class by its WordNet id, the usual one first.
        parents: The parents of each node of the hierarchy; empty if its file is missing.
        nodes: The name of each node of the hierarchy, likewise.
    """

    names: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, frozenset[str]]
    nodes: Mapping[str, str]

    def under(self, wordnet_id: str, coarse: str) -> bool:
        """Whether the class, or a node above it in the hierarchy, is called `coarse`."""
        seen: set[str] = set()
        above = [wordnet_id]
        while above:
            node = above.pop()
            if _first(self.nodes.get(node, "")) == coarse:
                return True
            if node not in seen:
                seen.add(node)
                above += self.parents.get(node, ())
        return False


@dataclass(frozen=True)
class Subset:
    """One subset.

    Attributes:
        name: Such as "living17".
        labels: Coarse and fine labels, each text once.
        truth: For each class, by its WordNet id, the positions of its coarse and its fine label.
        file: The file that it was read from.
    """

    name: str
    labels: tuple[str, ...]
    truth: Mapping[str, tuple[int, int]]
    file: Path


def read_classes(folder: Path) -> tuple[Classes, tuple[Path, ...]]:
    """Read the names of ImageNet's classes, and BREEDS' hierarchy if it is there.

    Returns:
        The classes, and the files that were read.

    Raises:
        MissingDataError: The names are not there.
        UsageError: A file is malformed.
    """
    path = find_file(folder, (CLASSES,), benchmark="breeds", source=SOURCE)
    try:
        names = {str(row[1]): _names(str(row[2])) for row in _json(path)}
    except (IndexError, KeyError, TypeError) as error:
        raise _wrong(path, "rows of number, WordNet id and names") from error
    files = [path]
    parents: dict[str, set[str]] = defaultdict(set)
    nodes: dict[str, str] = {}
    tree, named = (folder / name for name in HIERARCHY)
    if tree.is_file() and named.is_file():
        for line in _lines(tree):
            above, _, below = line.partition(" ")
            parents[below.strip()].add(above)
        for line in _lines(named):
            node, _, name = line.partition("\t")
            nodes[node] = name
        files += [tree, named]
    frozen = {node: frozenset(above) for node, above in parents.items()}
    return Classes(names, frozen, nodes), tuple(files)


def read_subset(folder: Path, name: str, classes: Classes) -> Subset | None:
    """Read a subset as CHILS drew it if its file is there, else as BREEDS did.

    Args:
        folder: Where the files lie.
        name: One of `SUBSETS`.
        classes: As `read_classes` returns them.

    Returns:
        None if neither file is there, or has this subset.

    Raises:
        UsageError: A file is malformed, or names an unknown class.
    """
    path = folder / drawn_file(name)
    if path.is_file():
        return _subset(name, _drawn_by_chils(path, classes), classes, path)
    path = folder / DRAWN
    if not path.is_file():
        return None
    try:
        groups = _json(path).get(name)
        if groups is None:
            return None
        drawn = {_first(str(g["name"])): [*g["source"], *g["target"]] for g in groups}
    except (AttributeError, KeyError, TypeError) as error:
        raise _wrong(path, "for each subset a list of name, source and target") from error
    unknown = [each for ids in drawn.values() for each in ids if each not in classes.names]
    if unknown:
        raise _wrong(path, f"only classes that {CLASSES} names; {unknown[0]} is not one")
    return _subset(name, drawn, classes, path)


def drawn_file(name: str) -> str:
    """The name of the file that holds a subset as Novack et al. drew it."""
    return f"{name}-true.json"


def class_photos(
    folders: Iterable[Path], classes: Classes
) -> tuple[Path | None, dict[str, list[Path]], tuple[str, ...]]:
    """Find photos by class, in a folder for each, called by WordNet id or by name.

    Args:
        folders: Where the classes' folders may lie; the first that holds any is used.
        classes: As `read_classes` returns them.

    Returns:
        The folder that was used, or None; the photos of each class by its WordNet id; and the names
        of folders that could be several classes, which are left out.

    Raises:
        UsageError: A folder cannot be read.
    """
    ids: dict[str, set[str]] = defaultdict(set)
    usual: dict[str, set[str]] = defaultdict(set)
    for each, names in classes.names.items():
        usual[_key(names[0])].add(each)
        for name in (*names, ", ".join(names)):
            ids[_key(name)].add(each)
    for folder in folders:
        found: dict[str, list[Path]] = {}
        shared: list[str] = []
        for below in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not below.is_dir():
                continue
            key = _key(below.name)
            options = usual[key] if len(usual[key]) == 1 else ids[key]
            if WORDNET_ID.fullmatch(below.name) and below.name in classes.names:
                options = {below.name}
            photos = photos_in(below) if options else []
            if photos and len(options) > 1:
                shared.append(below.name)
            elif photos:
                found.setdefault(next(iter(options)), []).extend(photos)
        if found:
            return folder, found, tuple(shared)
    return None, {}, ()


def _drawn_by_chils(path: Path, classes: Classes) -> dict[str, list[str]]:
    """Coarse labels and the WordNet ids of their classes."""
    groups = _json(path)
    if not isinstance(groups, dict) or not all(isinstance(g, list) for g in groups.values()):
        raise _wrong(path, "for each coarse label a list of classes")
    by_name: dict[str, list[str]] = defaultdict(list)
    for each, names in classes.names.items():
        by_name[names[0]].append(each)
    drawn: dict[str, list[str]] = {}
    for coarse, fine in groups.items():
        drawn[coarse] = []
        for name, times in Counter(map(str, fine)).items():
            options = by_name.get(name, [])
            if len(options) > times:  # "crane" is a bird, and a machine
                options = [each for each in options if classes.under(each, coarse)]
            if not options or len(options) > times:
                raise _wrong(
                    path, f"classes that {CLASSES} tells apart; {name!r} matches {len(options)}"
                )
            drawn[coarse] += options
    return drawn


def _subset(name: str, drawn: Mapping[str, list[str]], classes: Classes, path: Path) -> Subset:
    fine = {each: classes.names[each][0] for ids in drawn.values() for each in ids}
    labels = list(dict.fromkeys([*drawn, *fine.values()]))
    truth = {
        each: (labels.index(coarse), labels.index(fine[each]))
        for coarse, ids in drawn.items()
        for each in ids
    }
    if not truth:
        raise _wrong(path, f"classes for {name}")
    return Subset(name, tuple(labels), truth, path)


def _names(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))


def _first(names: str) -> str:
    return _names(names)[0]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read as JSON: {error}", hint=f"Get it again from {SOURCE}"
        ) from error


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="Get it again") from error


def _wrong(path: Path, expected: str) -> UsageError:
    return UsageError(f"{path} does not hold {expected}", hint=f"Get it again from {SOURCE}")


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
