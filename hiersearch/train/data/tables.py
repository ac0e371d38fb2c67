"""CSV files of many rows, read so that one broken row costs one row.

UTF-8, with or without gzip. The first line names the columns. A row may run over several lines
where a quoted cell holds line ends.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.datasets.packed import opened
from hiersearch.errors import UsageError
from hiersearch.train.data.hierarchies import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "MAX_BAD_SHARE",
    "MAX_BYTES",
    "MAX_TEXT",
    "Problem",
    "Table",
    "checked_text",
    "read_table",
    "refuse_many",
]

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
