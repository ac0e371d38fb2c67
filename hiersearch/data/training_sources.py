"""`--data`: from a name or a path to hierarchies.

    hierarcaps        HierarCaps' train file, found or downloaded
    wordnet           all of WordNet where its files are on this machine, else the built-in part
    builtin           the built-in vocabulary
    a path            CSV with a column `positive`: hierarchies; CSV with ranks, or a folder that
                      holds taxonomy.csv: specimens; anything else: a vocabulary with parents

A path that is not there is also looked for in the folder that `HIERSEARCH_DATA` names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.concepts import builtin_vocabulary, read_vocabulary
from hiersearch.config import absolute
from hiersearch.data.hierarcaps_files import (
    FILE,
    find_hierarcaps,
    has_hierarchies,
    own_folder,
    parse_hierarchies,
    read_hierarchies,
)
from hiersearch.data.hierarchies import Taxonomy, without_pairs
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
INSIDE = ("taxonomy.csv", FILE)


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on.

    Attributes:
        name: What it is called.
        hierarchies: The hierarchies; of a taxonomy, those that the seed drew.
        specimens: Things with photos and ranks, where there are any.
        taxonomy: What the hierarchies were drawn from, to draw others for a further epoch.
        problems: The malformed rows that were left out.
        notes: What the user should know of where it came from.
    """

    name: str
    hierarchies: tuple[Hierarchy, ...]
    specimens: tuple[Specimen, ...] = ()
    taxonomy: Taxonomy | None = None
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
    environ: Mapping[str, str],
    seed: int,
    count: int | None = None,
    rounds: int = 1,
    tiers: int | None = None,
    widest: float = 1.0,
    max_bad_share: float = MAX_BAD_SHARE,
    exclude: Iterable[tuple[str, str]] = (),
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
) -> TrainingData:
    """Load what `--data` names; this module's top says what that may be.

    Args:
        source: A name or a path; a file called as one of the names is "./hierarcaps".
        environ: The environment; `HIERSEARCH_DATA` names a folder of data.
        seed: For what is drawn at random: the same seed gives the same data.
        count: How many ways to draw from a taxonomy; None for one per leaf and round.
        rounds: How many rounds of them; see `sample_hierarchies`.
        tiers: Of a file of hierarchies, how many each row must have; of a taxonomy, how many a
            drawn hierarchy has at most. None for any.
        widest: The share of a taxonomy's ways that a concept may be on; see `sample_hierarchies`.
        max_bad_share: The share of malformed rows above which a file is refused, from 0 to 1.
        exclude: Pairs of texts to leave out, with what implies them; see `without_pairs`.
        transport: How to reach the network, if not as usual.
        progress: Told of bytes while something is downloaded.

    Raises:
        UsageError: There is no such source, or it is not as it must be.
        HiersearchError: It cannot be downloaded.
    """
    if source in NAMES:
        data = _named(str(source), environ, tiers, max_bad_share, transport, progress)
    else:
        data = _at_path(_locate(source, environ), seed, tiers, max_bad_share)
    if data.taxonomy is None:
        kept = without_pairs(data.hierarchies, exclude)
        return dataclasses.replace(data, hierarchies=kept)
    taxonomy = without_pairs(data.taxonomy, exclude)
    drawn = sample_hierarchies(
        taxonomy, seed=seed, count=count, rounds=rounds, tiers=tiers, widest=widest
    )
    return dataclasses.replace(data, hierarchies=drawn, taxonomy=taxonomy)


def _named(
    name: str,
    environ: Mapping[str, str],
    tiers: int | None,
    max_bad_share: float,
    transport: httpx.BaseTransport | None,
    progress: Progress,
) -> TrainingData:
    if name == "hierarcaps":
        found = find_hierarcaps(environ, transport=transport, progress=progress)
        note = f"HierarCaps is {found.path}"
        if found.trust == "first use":
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
        return TrainingData(name, (), taxonomy=read_wordnet(folder), notes=(note,))
    notes: tuple[str, ...] = ()
    if name == "wordnet":
        notes = (
            "WordNet's files are not on this machine; its built-in part is used, "
            "about 10,000 visible things (for all of it set WNSEARCHDIR to the files' folder)",
        )
    return TrainingData(name, (), taxonomy=Taxonomy(builtin_vocabulary()), notes=notes)


def _at_path(path: Path, seed: int, tiers: int | None, max_bad_share: float) -> TrainingData:
    if path.suffix.lower() in TABLES:
        table = read_table(path)
        if has_hierarchies(table):
            file = parse_hierarchies(table, tiers=tiers, max_bad_share=max_bad_share)
            return TrainingData(path.name, file.hierarchies, problems=file.problems)
        if has_ranks(table):
            rows = parse_specimens(table, max_bad_share=max_bad_share)
            hierarchies = species_hierarchies(rows.specimens, seed=seed)
            return TrainingData(path.name, hierarchies, rows.specimens, problems=rows.problems)
        if path.suffix.lower() == ".gz":
            raise UsageError(
                f"{path} has neither a column `positive` nor columns of ranks",
                hint="Name the columns; a vocabulary must not be compressed",
            )
    return TrainingData(path.name, (), taxonomy=Taxonomy(read_vocabulary(path)))


def named_path(name: str | Path, environ: Mapping[str, str]) -> Path:
    """The absolute path, or where there is nothing, the same below the folder of data.

    Args:
        name: A path.
        environ: The environment; `HIERSEARCH_DATA` names the folder.
    """
    path = absolute(name)
    own = own_folder(environ)
    if not path.exists() and own is not None and (own / name).exists():
        return own / name
    return path


def _locate(source: str | Path, environ: Mapping[str, str]) -> Path:
    path = named_path(source, environ)
    own = own_folder(environ)
    if path.is_dir():
        path = next((path / name for name in INSIDE if (path / name).is_file()), path)
    if not path.is_file():
        where = f"; nor is it in {own}" if own is not None else ""
        raise UsageError(
            f"{path} is no file of training data{where}",
            hint=f"Give a file, or one of {', '.join(NAMES)}",
        )
    return path
