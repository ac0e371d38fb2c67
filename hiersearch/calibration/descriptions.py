"""Photos that people have described: with captions, with lists of concepts, or by their folder.

A caption tells what it names, and nothing of the rest. A list of concepts, or the name of a photo's
folder, also tells what the photo does not show: the other concepts that are used there, save kinds
of what it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hiersearch.calibration.fitting import PEOPLE_ASKED
from hiersearch.concepts import PEOPLE, ConceptNames, Mentions, Vocabulary
from hiersearch.concepts.mentions import MISLEADING
from hiersearch.data.captioned_photos import (
    CaptionedPhoto,
    has_captions,
    is_kept,
    read_captioned,
)
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import MAX_BAD_SHARE, Problem, read_table, refuse_many
from hiersearch.photos import find_photos

__all__ = ["Described", "Description", "read_described"]

_SEPARATOR = ";"


@dataclass(frozen=True)
class Description:
    """What is said of one photo.

    Attributes:
        path: The image file.
        times: How many captions name each concept, by its position in the vocabulary; those above
            it included.
        captions: How many captions there are; of more than `PEOPLE_ASKED` the first are taken.
    """

    path: Path
    times: Mapping[int, int]
    captions: int


@dataclass(frozen=True)
class Described:
    """Photos and what is said of them.

    Attributes:
        train: To learn from.
        kept: A fixed tenth, by the files' names, to measure by.
        asked: Positions of the concepts that are said to be shown or not; None where captions
            name whatever they like.
        below: For each of `asked` the positions of all below it.
        problems: What was left out, and why.
    """

    train: tuple[Description, ...]
    kept: tuple[Description, ...]
    asked: frozenset[int] | None = None
    below: Mapping[int, frozenset[int]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def times(self, photos: Sequence[Description], concepts: Sequence[int]) -> np.ndarray:
        """(n, k) int8, how many captions of each photo name each concept; -1 where unknown."""
        place = {at: column for column, at in enumerate(concepts)}
        unknown = [] if self.asked is None else [at for at in concepts if at not in self.asked]
        found = np.zeros((len(photos), len(concepts)), dtype=np.int8)
        found[:, [place[at] for at in unknown]] = -1
        for row, photo in enumerate(photos):
            for at in photo.times:
                kinds = self.below.get(at, frozenset())
                # A dog is an animal, and no cat; of which kind of dog it is nothing is said.
                if kinds.isdisjoint(photo.times):
                    found[row, [place[kind] for kind in kinds if kind in place]] = -1
            for at, times in photo.times.items():
                if at in place:
                    found[row, place[at]] = min(times, PEOPLE_ASKED)
        return found


def read_described(data: Path | None, photos: Path, vocabulary: Vocabulary) -> Described:
    """Reads what is said of photos.

    Args:
        data: A CSV file with the column `file`, and `caption` (a row for each) or `concepts`
            (names, with ";" between); None where the photos lie in folders named by a concept.
        photos: The folder that the file's paths are relative to, or that holds the folders.
        vocabulary: What is looked for.

    Raises:
        UsageError: The file cannot be read, too many of its rows are malformed, or none of the
            names is a concept.
        MissingDataError: None of the photos is there.
        PhotosNotFoundError: There is no such folder.
    """
    if data is None:
        return _labelled(*_folders(photos), vocabulary)
    table = read_table(data)
    if has_captions(table):
        return _captioned(data, photos, vocabulary)
    if not {"file", "concepts"} <= set(table.columns):
        raise UsageError(
            f"{data} has no columns file and caption, nor file and concepts",
            hint="Name the columns in its first line",
        )
    problems = list(table.problems)
    labels: dict[str, tuple[str, ...]] = {}
    for line, row in table.by_column():
        named = tuple(filter(None, (one.strip() for one in row["concepts"].split(_SEPARATOR))))
        if not named:
            problems.append(Problem(line, "no concepts"))
            continue
        file = row["file"].strip()
        labels[file] = labels.get(file, ()) + named
    refuse_many(data, problems, len(labels), MAX_BAD_SHARE)
    there = {photos / file: named for file, named in labels.items() if (photos / file).is_file()}
    if not there:
        raise MissingDataError(
            f"none of the {len(labels)} photos of {data} is in {photos}",
            hint="Name their folder with --photos",
        )
    said = [f"line {one.line}: {one.reason}" for one in problems]
    return _labelled(there, [*said, *_missing(len(labels) - len(there))], vocabulary)


def _captioned(data: Path, photos: Path, vocabulary: Vocabulary) -> Described:
    names = {name.casefold() for name in vocabulary.names}
    mentions = Mentions(
        vocabulary,
        leave_out=[name for name in MISLEADING if name in names],
        also=dict.fromkeys(PEOPLE, "person") if "person" in names else None,
    )
    read = read_captioned(data, photos)

    def described(photo: CaptionedPhoto) -> Description:
        captions = photo.captions[:PEOPLE_ASKED]
        times = Counter(at for text in captions for at in mentions(text))
        return Description(photo.path, times, len(captions))

    problems = [f"line {one.line}: {one.reason}" for one in read.problems]
    return Described(
        tuple(map(described, read.train)),
        tuple(map(described, read.kept)),
        problems=(*problems, *_missing(len(read.missing))),
    )


def _folders(photos: Path) -> tuple[dict[Path, tuple[str, ...]], list[str]]:
    """The photos below a folder with the name of their own one, and what could not be read."""
    problems: list[str] = []
    found = find_photos([photos], on_problem=lambda path, why: problems.append(f"{path}: {why}"))
    top = photos.expanduser().resolve()
    labels: dict[Path, tuple[str, ...]] = {}
    for photo in found:
        folder = photo.path.parent
        if folder.resolve() == top:
            problems.append(f"{photo.path}: in no folder that a concept names")
        else:
            labels[photo.path] = (folder.name.replace("_", " "),)
    if not labels:
        raise UsageError(
            f"there are no photos in folders of {photos}",
            hint="Make a folder for each concept, or give a CSV file with captions",
        )
    return labels, problems


def _labelled(
    labels: Mapping[Path, Sequence[str]], problems: Iterable[str], vocabulary: Vocabulary
) -> Described:
    names = ConceptNames(vocabulary)
    called = {
        name: _called(name, names, vocabulary)
        for name in {n for one in labels.values() for n in one}
    }
    wrong = [f"{name!r} is no concept" for name, found in called.items() if not found]
    wrong += [
        f"{name!r} is {len(found)} concepts; say which by its id"
        for name, found in called.items()
        if len(found) > 1
    ]
    meant = {name: found[0] for name, found in called.items() if len(found) == 1}
    if not meant:
        raise UsageError(
            f"none of the {len(called)} names that the photos have is a concept: {wrong[0]}",
            hint="Name concepts of the vocabulary, or give your own with --concepts",
        )
    above = {at: _lineage(at, vocabulary) for at in meant.values()}
    asked = frozenset().union(*above.values())
    below: dict[int, set[int]] = {at: set() for at in asked}
    for at in asked:
        for one in _lineage(at, vocabulary) - {at}:
            below[one].add(at)
    train: list[Description] = []
    kept: list[Description] = []
    for path, named in labels.items():
        # Of a photo with a name that nobody understands it is not known what it shows.
        if all(name in meant for name in named):
            shown = frozenset().union(*(above[meant[name]] for name in named))
            (kept if is_kept(path.name) else train).append(
                Description(path, dict.fromkeys(shown, PEOPLE_ASKED), PEOPLE_ASKED)
            )
    return Described(
        tuple(train),
        tuple(kept),
        asked=asked,
        below={at: frozenset(kinds) for at, kinds in below.items()},
        problems=(*problems, *wrong),
    )


def _called(name: str, names: ConceptNames, vocabulary: Vocabulary) -> tuple[int, ...]:
    return (vocabulary.position(name),) if name in vocabulary else names.whole(name)


def _lineage(at: int, vocabulary: Vocabulary) -> frozenset[int]:
    one = vocabulary.concepts[at].id
    return frozenset({at, *map(vocabulary.position, vocabulary.ancestors(one))})


def _missing(count: int) -> list[str]:
    return [f"{count} photos are named and not there"] if count else []
