"""Training data by name or path: hierarchies, ready to train on.

    hierarcaps   HierarCaps' train file, found or downloaded
    wordnet      all of WordNet if its files are on this machine, else the built-in part
    builtin      the built-in vocabulary
    a path       CSV with a column `positive`: hierarchies; CSV with ranks, or a folder that holds
                 taxonomy.csv: specimens; anything else: a vocabulary with parents

A path that does not exist is also looked for in the folder that `HIERSEARCH_DATA` names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.concepts import builtin_vocabulary, read_vocabulary
from hiersearch.config import absolute
from hiersearch.data.data_files import own_folder
from hiersearch.data.fetching import find_train_file
from hiersearch.data.hierarcaps_files import (
    TRAIN_FILE,
    has_hierarchies,
    parse_hierarchies,
    read_hierarchies,
)
from hiersearch.data.hierarchies import ConceptGraph, without_pairs
from hiersearch.data.sampling import sample_hierarchies
from hiersearch.data.taxonomies import Specimen, has_ranks, parse_specimens, species_hierarchies
from hiersearch.data.wordnet import find_wordnet, read_wordnet
from hiersearch.errors import UsageError
from hiersearch.files import MAX_BAD_SHARE, Problem, read_table
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from hiersearch.data.hierarchies import Hierarchy

__all__ = ["NAMES", "TrainingData", "load_data", "named_path"]

NAMES = ("hierarcaps", "wordnet", "builtin")
HIERARCAPS_TIERS = 4
TABLES = (".csv", ".gz")
INSIDE = ("taxonomy.csv", TRAIN_FILE)


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on.

    Attributes:
        name: Its name.
        hierarchies: The hierarchies; from a concept graph, those that the seed drew.
        specimens: Things with photos and ranks, if there are any.
        graph: What the hierarchies were drawn from; None if they were read from a file.
        problems: The malformed rows that were left out.
        notes: What the user should know about where it came from.
    """

    name: str
    hierarchies: tuple[Hierarchy, ...]
    specimens: tuple[Specimen, ...] = ()
    graph: ConceptGraph | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """16 hexadecimal digits that change whenever a hierarchy or their order does."""
        content = json.dumps([[h.positive, h.negative] for h in self.hierarchies])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_data(
    source: str | Path,
    *,
    seed: int,
    count: int | None = None,
    rounds: int = 1,
    tiers: int | None = None,
    widest: float = 1.0,
    max_bad_share: float = MAX_BAD_SHARE,
    exclude: Iterable[tuple[str, str]] = (),
    photos: Path | None = None,
    transport: httpx.BaseTransport | None = None,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> TrainingData:
    """Load training data; the top of this module lists the sources.

    Args:
        source: A name or a path; write "./hierarcaps" for a file that is called as one of the
            names.
        seed: Random seed; the same seed gives the same data.
        count: How many paths to draw from a vocabulary; None for one for each leaf and round.
        rounds: How many rounds to draw; see `sample_hierarchies`.
        tiers: How many tiers each row of a file of hierarchies must have, and the most that a
            hierarchy drawn from a vocabulary has. None for any.
        widest: The largest share of paths that a concept may be on; see `sample_hierarchies`.
        max_bad_share: The share of malformed rows above which a file is refused, from 0 to 1.
        exclude: Pairs of texts to leave out, with what implies them; see `without_pairs`.
        photos: The folder of the photos of specimens; None for their file's own.
        transport: How httpx reaches the network; None for the usual way.
        on_progress: Called with bytes while something is downloaded.
        environ: The environment; `HIERSEARCH_DATA` names a folder of data.

    Raises:
        UsageError: There is no such source, or it is malformed.
        MissingDataError: It cannot be downloaded.
    """
    if source in NAMES:
        data = _named(str(source), tiers, max_bad_share, transport, on_progress, environ)
    else:
        data = _at_path(_locate(source, environ), seed, tiers, max_bad_share, photos)
    if data.graph is None:
        kept = without_pairs(data.hierarchies, exclude)
        return dataclasses.replace(data, hierarchies=kept)
    graph = without_pairs(data.graph, exclude)
    drawn = sample_hierarchies(
        graph, seed=seed, count=count, rounds=rounds, tiers=tiers, widest=widest
    )
    return dataclasses.replace(data, hierarchies=drawn, graph=graph)


def _named(
    name: str,
    tiers: int | None,
    max_bad_share: float,
    transport: httpx.BaseTransport | None,
    on_progress: Progress,
    environ: Mapping[str, str],
) -> TrainingData:
    if name == "hierarcaps":
        found = find_train_file(transport=transport, on_progress=on_progress, environ=environ)
        note = f"HierarCaps is {found.path}"
        if found.sha256:
            note += (
                "; no checksum of it has been published, "
                f"so it is checked against the first download: SHA-256 {found.sha256}"
            )
        file = read_hierarchies(
            found.path, tiers=tiers or HIERARCAPS_TIERS, max_bad_share=max_bad_share
        )
        return TrainingData(name, file.hierarchies, problems=file.problems, notes=(note,))
    folder = find_wordnet(environ) if name == "wordnet" else None
    if folder is not None:
        note = f"WordNet is {folder}, nouns and verbs"
        return TrainingData(name, (), graph=read_wordnet(folder), notes=(note,))
    notes: tuple[str, ...] = ()
    if name == "wordnet":
        notes = (
            "WordNet's files are not on this machine, so its built-in part is used: about 10,000 "
            "visible things (for all of it set WNSEARCHDIR to the folder of the files)",
        )
    return TrainingData(name, (), graph=ConceptGraph(builtin_vocabulary()), notes=notes)


def _at_path(
    path: Path, seed: int, tiers: int | None, max_bad_share: float, photos: Path | None
) -> TrainingData:
    if path.suffix.lower() in TABLES:
        table = read_table(path)
        if has_hierarchies(table):
            file = parse_hierarchies(table, tiers=tiers, max_bad_share=max_bad_share)
            return TrainingData(path.name, file.hierarchies, problems=file.problems)
        if has_ranks(table):
            rows = parse_specimens(table, photos=photos, max_bad_share=max_bad_share)
            hierarchies = species_hierarchies(rows.specimens, seed=seed)
            return TrainingData(path.name, hierarchies, rows.specimens, problems=rows.problems)
        if path.suffix.lower() == ".gz":
            raise UsageError(
                f"{path} has neither a column `positive` nor columns of ranks",
                hint="Name the columns; a vocabulary must not be compressed",
            )
    return TrainingData(path.name, (), graph=ConceptGraph(read_vocabulary(path)))


def named_path(name: str | Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The absolute path; if nothing is there, the same path below the user's folder of data.

    Args:
        name: A path.
        environ: The environment; `HIERSEARCH_DATA` names the folder.

    Raises:
        UsageError: Nothing is there, and `HIERSEARCH_DATA` names a folder that does not exist.
    """
    path = absolute(name)
    own = None if path.exists() else own_folder(environ=environ)
    return own / name if own is not None and (own / name).exists() else path


def _locate(source: str | Path, environ: Mapping[str, str]) -> Path:
    path = named_path(source, environ)
    if path.is_dir():
        path = next((path / name for name in INSIDE if (path / name).is_file()), path)
    if not path.is_file():
        own = own_folder(environ=environ)
        where = f", nor is there one in {own}" if own is not None else ""
        raise UsageError(
            f"there is no file of training data at {path}{where}",
            hint=f"Give a file, or one of {', '.join(NAMES)}",
        )
    return path
