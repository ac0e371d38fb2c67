"""Files: written whole, downloaded whole and checked, and CSV files read row by row."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from hiersearch.errors import HiersearchError, UsageError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

__all__ = [
    "MAX_BAD_SHARE",
    "MAX_BYTES",
    "MAX_DOWNLOAD",
    "DownloadError",
    "Problem",
    "Table",
    "download",
    "opened",
    "read_columns",
    "read_rows",
    "read_table",
    "refuse_any",
    "refuse_many",
    "require_columns",
    "unreadable",
    "unwritable",
    "whole_file",
]

MAX_DOWNLOAD = 200 * 2**20
"""The largest file that is downloaded, in bytes."""

MAX_BYTES = 2**29
"""The most text that is read from a CSV file, in bytes."""

MAX_BAD_SHARE = 0.01
"""The share of malformed rows up to which a file is read without them."""

MAX_ROW_LINES = 20
"""The most lines of one row: a quote left open must not swallow the rows below it."""

CHUNK = 2**16
GZIP = b"\x1f\x8b"
QUOTED = re.compile(r'"(?:[^"]++|"")*+"')


class DownloadError(Exception):
    """A file could not be downloaded; says why. Callers know where to get it by hand."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears only once it is complete.

    Others see all of it or what was there before, even after a power cut.

    Args:
        path: The file; its folder must exist.

    Yields:
        The stream to write to.

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
    checksum: str | None = None,
    check: Callable[[Path], None] | None = None,
    max_bytes: int = MAX_DOWNLOAD,
    transport: httpx.BaseTransport | None = None,
    on_progress: Progress = tell_nobody,
) -> None:
    """Download a file unless it is there; it takes its place once it is whole and checked.

    Args:
        url: The file's address.
        path: Where to put it; folders are made.
        task: What the progress is called.
        checksum: Its known checksum in hexadecimal, such as "md5:…" or "sha256:…".
        check: Looks at the whole file, and raises a `DownloadError` if it is not what it should be.
        max_bytes: The largest size that is accepted.
        transport: How httpx reaches the network; None for the usual way.
        on_progress: Called with bytes.

    Raises:
        DownloadError: The file cannot be downloaded, or is not what it should be.
        HiersearchError: It cannot be written, or pooch is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise HiersearchError(
            "downloading data needs pooch, which is not installed",
            hint='Install it: pip install "hiersearch[eval]"',
        ) from error
    pooch.get_logger().setLevel("WARNING")  # what it says of a download, `on_progress` says

    def fetch(url: str, draft: str, _: object) -> None:
        with Path(draft).open("wb") as stream:
            _stream(url, stream, max_bytes, transport, partial(on_progress, task))
            stream.flush()
            os.fsync(stream.fileno())
        if check is not None:
            check(Path(draft))

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(url, checksum, fname=path.name, path=path.parent, downloader=fetch)
    except ValueError as error:  # pooch's word for a wrong checksum
        raise DownloadError(f"what arrived does not have the checksum {checksum}") from error
    except OSError as error:
        raise unwritable(path, error) from error


def _stream(
    url: str,
    stream: BinaryIO,
    max_bytes: int,
    transport: httpx.BaseTransport | None,
    on_bytes: Callable[[int, int], None],
) -> None:
    import httpx

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
                if done > max_bytes:
                    raise DownloadError(f"it is larger than {max_bytes >> 20} MB")
                stream.write(chunk)
                on_bytes(done, max(done, total))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise DownloadError(str(error) or type(error).__name__) from error


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked if its first bytes say that it is gzipped.

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
    """The error for a file that cannot be read."""
    return UsageError(
        f"{path} cannot be read: {error.strerror or error}", hint="Give a readable file"
    )


def unwritable(path: Path, error: OSError) -> HiersearchError:
    """The error for a file in the cache that cannot be written."""
    return HiersearchError(
        f"cannot write {path}: {error.strerror or error}",
        hint="Free some space, or set HIERSEARCH_CACHE to another folder",
    )


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
    """The rows of a CSV file.

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

    def by_column(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The first line of each row, and its cells by column."""
        for line, cells in self.rows:
            yield line, dict(zip(self.columns, cells, strict=True))


def read_table(path: Path) -> Table:
    """Read a CSV file so that a broken row costs that row alone.

    Args:
        path: The file, in UTF-8, gzipped or not. Its first line names the columns. A row may run
            over several lines where a quoted cell holds line ends.

    Raises:
        UsageError: The file cannot be read, is too large, or is empty.
    """
    content = _content(path, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{path} holds more than {MAX_BYTES >> 20} MB of text", hint="Give a part of it"
        )
    records = _records(content)
    columns = _columns(path, records)
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


def read_columns(path: Path) -> tuple[str, ...]:
    """The names of a CSV file's columns in lower case, without reading all of it.

    Raises:
        UsageError: The file cannot be read, or is empty.
    """
    return _columns(path, _records(_content(path, CHUNK)))


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file in which every row must be right.

    Args:
        path: The file, as for `read_table`. Rows of empty cells are skipped.
        columns: The columns that it must have, in any case and order; others may be among them.
            "file/image" is a column of either name, the first that is there.

    Returns:
        Each row's cells by column, without surrounding blanks: the required ones under the names
        asked for (of several, the first), others under their names in lower case.

    Raises:
        UsageError: The file cannot be read, lacks a column, has a malformed row, or no row at all.
    """
    table = read_table(path)
    require_columns(path, table.columns, columns)
    names = list(table.columns)
    for column in columns:
        names[_position(table.columns, column)] = column.partition("/")[0]
    problems = [*table.problems]
    rows: list[dict[str, str]] = []
    for line, cells in table.rows:
        if not _is_text("".join(cells)):
            problems.append(Problem(line, "not UTF-8"))
        elif any(cell.strip() for cell in cells):
            rows.append(dict(zip(names, map(str.strip, cells), strict=True)))
    refuse_any(path, problems)
    refuse_many(path, (), len(rows), 0.0)
    return rows


def require_columns(path: Path, present: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a CSV file that lacks a column.

    Args:
        path: The file, for the message.
        present: Its columns, as `read_columns` returns them.
        columns: Those that it must have, as for `read_rows`.

    Raises:
        UsageError: One is missing.
    """
    missing = [column for column in columns if _position(present, column) < 0]
    if missing:
        raise UsageError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(present)}",
            hint=f"Give a CSV file with the columns {', '.join(columns)}",
        )


def refuse_any(path: Path, problems: Sequence[Problem]) -> None:
    """Refuse a file in which a row is malformed; names the first one."""
    if problems:
        first = min(problems, key=lambda problem: problem.line)
        raise UsageError(
            f"line {first.line} of {path}: {first.reason}", hint="Correct or remove this row"
        )


def refuse_many(path: Path, problems: Sequence[Problem], good: int, max_share: float) -> None:
    """Refuse a file of which too many rows are malformed.

    Args:
        path: The file, for the message.
        problems: The malformed rows.
        good: How many rows are fine.
        max_share: The largest share of malformed rows that is accepted, from 0 to 1.

    Raises:
        UsageError: More than that are malformed, or none is fine.
    """
    share = len(problems) / max(1, len(problems) + good)
    if good and share <= max_share:
        return
    if not problems:
        raise UsageError(f"{path} holds no rows", hint="Give a file with one row per item")
    shown = "; ".join(map(str, sorted(problems, key=lambda problem: problem.line)[:5]))
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise UsageError(
        f"{len(problems)} of {len(problems) + good} rows of {path} are malformed: {shown}{more}",
        hint="Correct or remove these rows",
    )


def _content(path: Path, most: int) -> bytes:
    with opened(path) as stream:
        content = stream.read(most)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(f"{path} is UTF-16 text", hint="Save it as UTF-8")
    return content


def _columns(path: Path, records: Iterator[tuple[int, str | None]]) -> tuple[str, ...]:
    _, first = next(records, (1, None))
    header = _cells(first) if first is not None else None
    if header is None:
        raise UsageError(f"{path} holds no table", hint="Give a CSV file that names its columns")
    return tuple(name.strip().lower() for name in header)


def _records(content: bytes) -> Iterator[tuple[int, str | None]]:
    """The first line of each row, from 1, and its text; None for a quote that is never closed."""
    # Bytes that are not UTF-8 become lone surrogates, which are refused row by row.
    text = content.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    at = 0
    while at < len(lines):
        end, record = at + 1, lines[at]
        while _is_open(record) and end < min(len(lines), at + MAX_ROW_LINES):
            record += lines[end]
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
        rows = list(csv.reader(io.StringIO(record, newline="")))
    except csv.Error:
        return None
    return tuple(rows[0]) if len(rows) == 1 else None


def _position(present: Sequence[str], column: str) -> int:
    """The position of a column; −1 if it is missing."""
    names = column.lower().split("/")
    return next((present.index(name) for name in names if name in present), -1)


def _is_text(text: str) -> bool:
    """Whether it holds no lone surrogate, which stands for a byte that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
