"""HierarCaps' train file: found on this machine, or fetched from its authors' repository.

What is fetched is pinned to one commit of the repository. No checksum of the file has been
published or measured for this project, so there is none to check the first download against but
the file's own (gzip ends with one); its SHA-256 is then kept beside it, and each later use is
checked against that. A checksum that is known goes into `SHA256`, and the first download is
checked, too.

HierarCaps' files: test items with their photos, and hierarchies with what contradicts them.

Files of hierarchies in HierarCaps' train format.

CSV with a column `positive` and perhaps one `negative`; each cell holds a hierarchy's tiers from
general to specific, joined by " => ". HierarCaps has four; other files may have others, in each
row as many negatives as positives, or none. Other columns are passed over. A test file's column
`captions` is read as `positive`.

How HierarCaps' files hold a hierarchy in one cell: its texts joined by " => ".
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from hiersearch.config import absolute, cache_dir
from hiersearch.data.benchmark_files import data_folder, find_file, find_photo, read_rows
from hiersearch.data.hierarchies import Hierarchy, text_key
from hiersearch.errors import HiersearchError, MissingDataError, UsageError
from hiersearch.files import (
    MAX_BAD_SHARE,
    MAX_DOWNLOAD,
    DownloadError,
    Problem,
    Table,
    checked_text,
    download,
    read_table,
    refuse_many,
    write_problem,
)
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx

__all__ = [
    "BENCHMARK",
    "FILE",
    "PAIR_FILES",
    "SHA256",
    "SOURCE",
    "TEST_FILES",
    "TRAIN_PART",
    "URL",
    "HierarchyFile",
    "Item",
    "Pairs",
    "TrainFile",
    "find_hierarcaps",
    "find_pairs_file",
    "find_test_file",
    "has_hierarchies",
    "own_folder",
    "parse_hierarchies",
    "read_hierarchies",
    "read_items",
    "read_pairs",
    "tier_texts",
]

FILE = "hierarcaps_train.csv.gz"
COMMIT = "8a28b2e5124b68827bb1486c6d307fa22f0015e2"
URL = f"https://raw.githubusercontent.com/TAU-VAILab/hierarcaps/{COMMIT}/data/{FILE}"

SHA256: str | None = None
"""What the file must hash to; None while that is not known."""

CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class TrainFile:
    """Where the file is, and why it may be trusted.

    Attributes:
        path: The file.
        trust: "own", the user put it there; "known", its checksum is the published one; "first
            use", it is what was downloaded the first time.
        sha256: Its checksum; empty for an own file.
    """

    path: Path
    trust: Literal["own", "known", "first use"]
    sha256: str = ""


def own_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder that `HIERSEARCH_DATA` names, where it is set."""
    named = environ.get("HIERSEARCH_DATA")
    return absolute(named) if named else None


def find_hierarcaps(
    environ: Mapping[str, str],
    *,
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
    sha256: str | None = SHA256,
) -> TrainFile:
    """Find the train file, or fetch it.

    It is looked for in the folder that `HIERSEARCH_DATA` names, with or without ".gz", then in the
    cache; then it is downloaded into the cache.

    Args:
        environ: The environment.
        transport: How to reach the network, if not as usual.
        progress: Told of bytes while it is downloaded.
        sha256: What a download must hash to; None while that is not known.

    Raises:
        UsageError: `HIERSEARCH_DATA` is set, but names nothing that is there.
        MissingDataError: The file is not there, and cannot be downloaded.
        HiersearchError: It cannot be written, or is not what it should be.
    """
    folder = own_folder(environ)
    if folder is not None:
        if not folder.exists():
            raise UsageError(
                f"HIERSEARCH_DATA names {folder}, which is not there", hint="Make it or unset it"
            )
        for name in (FILE, FILE.removesuffix(".gz"), f"hierarcaps/{FILE}"):
            if (folder / name).is_file():
                return TrainFile(folder / name, "own")
    path = cache_dir(environ) / "data" / FILE
    note = path.with_name(f"{FILE}.sha256")
    if not path.is_file():
        digest = _fetch(path, transport, progress, sha256)
        _write(note, f"{digest}  {FILE}\n")
    if not note.is_file() and sha256 is None:
        # The user has put it there, as the message of a failed download says.
        return TrainFile(path, "own")
    expected = sha256 or _noted(note)
    digest = _digest(path)
    if digest != expected:
        raise HiersearchError(
            f"{path} is not what was downloaded: its SHA-256 is {digest}, not {expected}",
            hint=f"Remove it and {note.name} to download it again",
        )
    return TrainFile(path, "known" if sha256 else "first use", digest)


def _fetch(
    path: Path, transport: httpx.BaseTransport | None, progress: Progress, sha256: str | None
) -> str:
    try:
        return download(
            URL,
            path,
            task="downloading HierarCaps",
            sha256=sha256,
            check=_check_gzip,
            most=MAX_DOWNLOAD,
            transport=transport,
            progress=progress,
        )
    except DownloadError as error:
        raise MissingDataError(
            f"cannot download HierarCaps from {URL}: {error}",
            hint=f"Fetch it elsewhere, and put it at {path} or into the folder of HIERSEARCH_DATA",
        ) from error


def _check_gzip(part: Path) -> None:
    """Read it to its end, where gzip keeps length and checksum."""
    try:
        with gzip.open(part, "rb") as stream:
            while stream.read(CHUNK):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"what came is no whole gzip file ({error})") from error


def _noted(note: Path) -> str:
    try:
        return note.read_text(encoding="ascii", errors="replace").partition(" ")[0]
    except OSError as error:
        raise HiersearchError(
            f"cannot read {note}: {error.strerror or error}", hint="Make it readable or remove it"
        ) from error


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise HiersearchError(
            f"cannot read {path}: {error.strerror or error}", hint="Make it readable or remove it"
        ) from error


def _write(note: Path, text: str) -> None:
    try:
        note.write_text(text, encoding="ascii")
    except OSError as error:
        raise write_problem(note, error) from error


BENCHMARK = "hierarcaps"
SOURCE = "https://github.com/TAU-VAILab/hierarcaps (data/), its photos from https://cocodataset.org"
TEST_FILES = ("hierarcaps_test.csv", "hierarcaps_dev.csv")
PAIR_FILES = ("hierarcaps_pairs.csv", "hierarcaps_train.csv")
TRAIN_PART = "hierarcaps train"
"""What `hiersearch.data.releases` calls the train file, which may come from elsewhere."""

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


POSITIVE = ("positive", "captions")
NEGATIVE = "negative"


@dataclass(frozen=True)
class HierarchyFile:
    """What a file holds: hierarchies in its order, and the rows that were left out."""

    hierarchies: tuple[Hierarchy, ...]
    problems: tuple[Problem, ...]


def has_hierarchies(table: Table) -> bool:
    """Whether the columns are those of a file of hierarchies."""
    return any(name in table.columns for name in POSITIVE)


def read_hierarchies(
    path: Path, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read a file of hierarchies.

    Args:
        path: The file, CSV or gzipped CSV.
        tiers: How many tiers each row must have; None for any, from two up.
        max_bad_share: The share of malformed rows above which the file is refused, from 0 to 1.

    Raises:
        UsageError: The file cannot be read, has no column of hierarchies, or holds too many
            malformed rows; names the first of them by line.
    """
    return parse_hierarchies(read_table(path), tiers=tiers, max_bad_share=max_bad_share)


def parse_hierarchies(
    table: Table, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read the hierarchies of a table; see `read_hierarchies`."""
    if not has_hierarchies(table):
        raise UsageError(
            f"{table.path} has no column `positive`",
            hint='Name the columns positive and negative, and join tiers by " => "',
        )
    at = table.columns.index(next(name for name in POSITIVE if name in table.columns))
    below = table.columns.index(NEGATIVE) if NEGATIVE in table.columns else None
    hierarchies: list[Hierarchy] = []
    problems = list(table.problems)
    for line, cells in table.rows:
        try:
            negative = cells[below] if below is not None else ""
            hierarchies.append(_hierarchy(cells[at], negative, tiers))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    problems.sort(key=lambda problem: problem.line)
    refuse_many(table.path, problems, len(hierarchies), max_bad_share)
    return HierarchyFile(tuple(hierarchies), tuple(problems))


def _hierarchy(positive: str, negative: str, tiers: int | None) -> Hierarchy:
    """Raises ValueError, which says why, where the cells are malformed."""
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


SEPARATOR = "=>"


def tier_texts(cell: str) -> tuple[str, ...]:
    """The texts of a cell, general to specific, without surrounding blanks; some may be empty."""
    return tuple(text.strip() for text in cell.split(SEPARATOR))
