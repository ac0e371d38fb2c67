"""Files fetched from the network: whole and checked, or not at all.

Files that may be gzipped, opened so that what is wrong with one is said alike everywhere.

CSV files of many rows, read so that one broken row costs one row.

UTF-8, with or without gzip. The first line names the columns. A row may run over several lines
where a quoted cell holds line ends.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import os
import re
import tempfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import httpx

from hiersearch.errors import HiersearchError, UsageError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "MAX_BAD_SHARE",
    "MAX_BYTES",
    "MAX_DOWNLOAD",
    "MAX_TEXT",
    "DownloadError",
    "Problem",
    "Table",
    "checked_text",
    "clean_text",
    "download",
    "opened",
    "read_table",
    "refuse_many",
    "unreadable",
    "whole_file",
    "write_problem",
]

MAX_DOWNLOAD = 200 * 2**20
"""The most that is fetched, in bytes."""

CHUNK = 2**16


class DownloadError(Exception):
    """A file could not be fetched; says why. Callers know where to put it by hand."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its place once it is complete.

    Others see all of it or what was there before, also after a power cut.

    Args:
        path: Its place; the folder must be there.

    Yields:
        Where to write.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def download(
    url: str,
    path: Path,
    *,
    task: str,
    sha256: str | None = None,
    check: Callable[[Path], None] | None = None,
    most: int = MAX_DOWNLOAD,
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
) -> str:
    """Fetch a file: beside its place, and renamed when it is whole and checked.

    Args:
        url: From where.
        path: Its place; folders are made.
        task: What the progress is called.
        sha256: What it must hash to; None while that is not known.
        check: Raises a `DownloadError` where what came is not what it should be.
        most: Bytes that are fetched at most.
        transport: How to reach the network, if not as usual.
        progress: Told of bytes.

    Returns:
        Its SHA-256.

    Raises:
        DownloadError: It cannot be fetched, or is not what it should be.
        HiersearchError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                digest = _stream(url, stream, task, most, transport, progress)
                stream.flush()
                os.fsync(stream.fileno())
            if sha256 is not None and digest != sha256:
                raise DownloadError(f"its SHA-256 is {digest}, not {sha256}")
            if check is not None:
                check(Path(beside))
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise write_problem(path, error) from error
    return digest


def write_problem(path: Path, error: OSError) -> HiersearchError:
    """The error of a file in the cache that cannot be written."""
    return HiersearchError(
        f"cannot write {path}: {error.strerror or error}",
        hint="Free some space, or set HIERSEARCH_CACHE to another folder",
    )


def _stream(
    url: str,
    stream: BinaryIO,
    task: str,
    most: int,
    transport: httpx.BaseTransport | None,
    progress: Progress,
) -> str:
    digest = hashlib.sha256()
    done = 0
    timeout = httpx.Timeout(60, connect=10)
    try:
        with (
            httpx.Client(transport=transport, timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise DownloadError(f"the server answered {response.status_code}")
            total = int(response.headers.get("Content-Length") or 0)
            for chunk in response.iter_bytes(CHUNK):
                done += len(chunk)
                if done > most:
                    raise DownloadError(f"it is larger than {most >> 20} MB")
                digest.update(chunk)
                stream.write(chunk)
                progress(task, done, max(done, total))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise DownloadError(str(error) or type(error).__name__) from error
    return digest.hexdigest()


GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked if its first ones say that it is gzipped.

    Args:
        path: The file.

    Raises:
        UsageError: It cannot be read or unpacked, now or while it is being read.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is damaged: {error}", hint="Get it again") from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> UsageError:
    """The error of a file that cannot be read."""
    return UsageError(
        f"{path} cannot be read: {error.strerror or error}", hint="Give a readable file"
    )


MAX_BAD_SHARE = 0.01
"""The share of malformed rows up to which a file is read without them."""

MAX_BYTES = 2**29
"""The most text that is read from a file."""

MAX_TEXT = 2000
"""The longest text of a tier, in characters."""

MAX_ROW_LINES = 20
"""The most lines of one row: a quote that is left open must not swallow the rows below it."""

QUOTED = re.compile(r'"(?:[^"]++|"")*+"')


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was left out.

    Attributes:
        line: The row's first line in the file, from 1.
        reason: What is wrong with it.
    """

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file.

    Attributes:
        path: The file.
        columns: The columns' names in lower case.
        rows: The first line of each row and its cells, as many as there are columns.
        problems: The rows that could not be read.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    problems: tuple[Problem, ...]


def read_table(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        UsageError: The file cannot be read, is too large, or is empty.
    """
    # Bytes that are no UTF-8 become lone surrogates, which `checked_text` refuses row by row.
    text = _content(path).removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    records = _records(lines)
    first = next(records, None)
    header = _cells(first[1]) if first and first[1] is not None else None
    if header is None:
        raise UsageError(f"{path} holds no table", hint="Give a CSV file with a line of names")
    columns = tuple(name.strip().lower() for name in header)
    rows: list[tuple[int, tuple[str, ...]]] = []
    problems: list[Problem] = []
    for line, record in records:
        cells = None if record is None else _cells(record)
        if record is None:
            problems.append(Problem(line, "a quote is never closed"))
        elif cells is None:
            problems.append(Problem(line, "not readable as CSV"))
        elif len(cells) != len(columns):
            problems.append(Problem(line, f"{len(cells)} cells instead of {len(columns)}"))
        else:
            rows.append((line, cells))
    return Table(path, columns, tuple(rows), tuple(problems))


def clean_text(text: str) -> str:
    """The text with single spaces, and none at its ends."""
    return " ".join(text.split())


def checked_text(text: str) -> str:
    """A text with single spaces.

    Raises:
        ValueError: It is empty, too long, no UTF-8, or holds control characters; says which.
    """
    text = clean_text(text)
    if not text:
        raise ValueError("an empty text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"a text of {len(text)} characters")
    if text.isprintable():  # much faster, and what most texts are
        return text
    kinds = set(map(unicodedata.category, text))
    if "Cs" in kinds:
        raise ValueError("not UTF-8")
    if "Cc" in kinds:
        raise ValueError("a control character")
    return text


def refuse_many(path: Path, problems: Sequence[Problem], good: int, max_share: float) -> None:
    """Refuse a file of which too many rows are malformed.

    Args:
        path: The file, for the message.
        problems: The malformed rows.
        good: How many rows are fine.
        max_share: The largest share of malformed rows that is let pass, from 0 to 1.

    Raises:
        UsageError: More than that are malformed, or none is fine.
    """
    share = len(problems) / max(1, len(problems) + good)
    if good and share <= max_share:
        return
    if not problems:
        raise UsageError(f"{path} holds no rows", hint="Give a file with one row per item")
    shown = "; ".join(map(str, problems[:5]))
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise UsageError(
        f"{len(problems)} of {len(problems) + good} rows of {path} are malformed: {shown}{more}",
        hint="Mend or remove these rows",
    )


def _content(path: Path) -> bytes:
    with opened(path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{path} holds more than {MAX_BYTES >> 20} MB of text", hint="Give a part of it"
        )
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(f"{path} is UTF-16 text", hint="Save it as UTF-8")
    return content


def _records(lines: Sequence[str]) -> Iterator[tuple[int, str | None]]:
    """The first line of each row, from 1, and its text; None for a quote that is never closed."""
    at = 0
    while at < len(lines):
        end, record = at + 1, lines[at]
        while _is_open(record) and end < min(len(lines), at + MAX_ROW_LINES):
            record = f"{record}\n{lines[end]}"
            end += 1
        if _is_open(record):
            yield at + 1, None
            end = at + 1
        elif record.strip():
            yield at + 1, record
        at = end


def _is_open(record: str) -> bool:
    """Whether the record ends inside a quoted cell."""
    if '"' not in record:
        return False
    at = 0
    while True:
        if record.startswith('"', at):
            cell = QUOTED.match(record, at)
            if cell is None:
                return True
            at = cell.end()
        comma = record.find(",", at)
        if comma < 0:
            return False
        at = comma + 1


def _cells(record: str) -> tuple[str, ...] | None:
    try:
        rows = list(csv.reader([f"{line}\n" for line in record.split("\n")]))
    except csv.Error:
        return None
    return tuple(rows[0]) if len(rows) == 1 else None
