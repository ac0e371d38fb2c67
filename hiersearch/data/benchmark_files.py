"""Where a benchmark's files lie, and what is in them.

The folder that is given holds a folder for each benchmark, with the file names of the official
releases; or it is the folder of one benchmark. Columns of CSV files go by their names in any case;
"file/image" is a column of either name, the first that is there.

The photos of a benchmark: where a list's photos lie, and one checksum of them all.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import opened, unreadable
from hiersearch.photos import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

__all__ = [
    "PHOTO_FOLDERS",
    "checksum",
    "data_folder",
    "fetch_missing",
    "find_file",
    "find_photo",
    "is_table",
    "photos_checksum",
    "photos_there",
    "read_rows",
    "table_name",
    "tables_with",
]

CSV_SUFFIXES = (".csv", ".csv.gz")

CHECKSUM_DIGITS = 16


def data_folder(data: Path | None, benchmark: str) -> Path:
    """The folder of a benchmark's data.

    Args:
        data: A folder that holds one for each benchmark, or is that of this benchmark; or this
            benchmark's one file.
        benchmark: Its name, which is also its folder's.

    Returns:
        `data/benchmark` where it is there, else `data` itself.

    Raises:
        MissingDataError: If no folder was given.
        UsageError: If it is not there.
    """
    if data is None:
        raise MissingDataError(
            f"{benchmark} needs data, and no folder was given",
            hint=f"Put the data into a folder DIR/{benchmark}, and give --data DIR",
        )
    if not data.exists():
        raise UsageError(f"there is no folder {data}", hint="Give the folder that holds the data")
    return data / benchmark if (data / benchmark).is_dir() else data


def find_file(
    folder: Path,
    names: Sequence[str],
    *,
    benchmark: str,
    source: str,
    columns: Sequence[str] = (),
) -> Path:
    """One file of a benchmark.

    Args:
        folder: As `data_folder` gives it.
        names: What it may be called, the best first; a CSV file's may also end in `.csv.gz`.
        benchmark: For the message.
        source: Where the file comes from, for the message.
        columns: If given, the one CSV file in the folder that has all these columns will do, too.

    Raises:
        MissingDataError: If there is no such file: says what is missing, where it comes from, and
            where to put it.
        UsageError: If several CSV files have these columns and none is called as it should be, or
            if the one file that was given has others.
    """
    if folder.is_file():
        if columns:
            _require(folder, _header(folder), columns)
        return folder
    for name in names:
        for spelling in (name, f"{name}.gz") if name.endswith(".csv") else (name,):
            if (folder / spelling).is_file():
                return folder / spelling
    others = tables_with(folder, columns) if columns else []
    if len(others) > 1:
        raise UsageError(
            f"any of {', '.join(path.name for path in others)} in {folder} could be the data of "
            f"{benchmark}",
            hint=f"Call the right one {names[0]}",
        )
    if others:
        return others[0]
    anything = f", or a CSV file with columns {', '.join(columns)}" if columns else ""
    raise MissingDataError(
        f"the data of {benchmark} is not in {folder}: there is no {' or '.join(names)}{anything}",
        hint=f"Get it from {source}, and put it there",
    )


def is_table(path: Path) -> bool:
    """Whether a file is called as a CSV file is."""
    return path.name.endswith(CSV_SUFFIXES)


def table_name(path: Path) -> str:
    """What a data set is called that a CSV file lists: as the file, without its suffix."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def tables_with(folder: Path, columns: Sequence[str]) -> list[Path]:
    """The readable CSV files directly in a folder that have all these columns, sorted."""
    return [path for path in sorted(folder.glob("*")) if is_table(path) and _has(path, columns)]


def fetch_missing(
    fetch: Callable[[str], Path] | None, part: str, missing: MissingDataError
) -> Path:
    """Fetch what was not found.

    Args:
        fetch: As `hiersearch.data.releases.fetch_part`; None to do without it.
        part: What it calls it.
        missing: Why it is needed.

    Raises:
        MissingDataError: It cannot be fetched, either; says so.
    """
    if fetch is None:
        raise missing
    try:
        return fetch(part)
    except MissingDataError as error:
        raise MissingDataError(f"{missing.message}; {error.message}", hint=missing.hint) from error


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, `.csv` or `.csv.gz`, in UTF-8 with or without a byte order mark.

    Args:
        path: The file. Its first line names the columns, in any case and order; others may be
            among them. Empty lines are passed over.
        columns: The columns that it must have.

    Returns:
        Each row's cells by column: the needed ones under the names asked for (of several, the
        first), others under the file's own. Cells are as they stand, without surrounding blanks.

    Raises:
        UsageError: If the file cannot be read, lacks a column, has a row of another length, or no
            row at all.
    """
    rows: list[dict[str, str]] = []
    with closing(_records(path)) as records:
        header = next(records, (1, []))[1]
        _require(path, header, columns)
        names = list(header)
        for column in columns:
            names[_position(header, column)] = column.partition("/")[0]
        for line, cells in records:
            if len(cells) != len(names):
                raise UsageError(
                    f"line {line} of {path} has {len(cells)} cells instead of {len(names)}",
                    hint="Mend or remove this line",
                )
            rows.append(dict(zip(names, cells, strict=True)))
    if not rows:
        raise UsageError(f"{path} holds no rows", hint="Give a file with one row per item")
    return rows


def checksum(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's bytes.

    Raises:
        UsageError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:CHECKSUM_DIGITS]
    except OSError as error:
        raise unreadable(path, error) from error


def _has(path: Path, columns: Sequence[str]) -> bool:
    """Whether a file that lies about can be read, and has the columns."""
    try:
        return not _missing(_header(path), columns)
    except UsageError:
        return False


def _header(path: Path) -> list[str]:
    with closing(_records(path)) as records:
        return next(records, (1, []))[1]


def _position(header: Sequence[str], column: str) -> int:
    """Where a column stands; −1 where it does not."""
    present = [name.lower() for name in header]
    asked = column.lower().split("/")
    return next((present.index(name) for name in asked if name in present), -1)


def _missing(header: Sequence[str], columns: Sequence[str]) -> list[str]:
    return [column for column in columns if _position(header, column) < 0]


def _require(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = _missing(header, columns)
    if missing:
        raise UsageError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(header) or 'none'}",
            hint=f"Give a CSV file with the columns {', '.join(columns)}",
        )


def _records(path: Path) -> Generator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line it ends on, from 1."""
    try:
        with opened(path) as stream:
            reader = csv.reader(TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not in UTF-8", hint="Save it as UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path} is damaged: {error}", hint="Get it again") from error


Kind = TypeVar("Kind")

PHOTO_FOLDERS = ("", "images", "photos")
"""Where photos lie, from the folder of the file that names them."""

CHECKSUM_DIGITS_PHOTO_FILES = 16


def find_photo(folder: Path, name: str, places: Sequence[str] = PHOTO_FOLDERS) -> Path | None:
    """The photo of this name, in the first of the places below a folder that has it."""
    paths = (folder / place / name for place in places)
    return next((path for path in paths if path.is_file()), None) if name else None


def photos_there(table: Path, rows: Sequence[tuple[str, Kind]]) -> list[tuple[Path, Kind]]:
    """Of a table's rows those whose photos are there, with the photo's path for its name.

    Args:
        table: The file; a photo's path is from its folder, or from `images` or `photos` there.
        rows: The name of a photo and what it is of, at least one.

    Raises:
        MissingDataError: None of the photos is there.
    """
    found = [(photo, kind) for name, kind in rows if (photo := find_photo(table.parent, name))]
    if not found:
        raise MissingDataError(
            f"none of the {len(rows)} photos that {table} names is there, such as {rows[0][0]}",
            hint=f"Put them into {table.parent}",
        )
    return found


def photos_checksum(photos: Iterable[Path], base: Path) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over photos' names and contents.

    Args:
        photos: Image files in any order; repeats count once.
        base: The folder from which they are named, so that it may be moved. A photo that lies
            elsewhere goes by its file's name.

    Raises:
        UnreadablePhotoError: A file cannot be read.
    """
    lines = {f"{_name(photo, base)}\0{content_hash(photo)}\n" for photo in dict.fromkeys(photos)}
    content = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:CHECKSUM_DIGITS_PHOTO_FILES]


def _name(photo: Path, base: Path) -> str:
    return photo.relative_to(base).as_posix() if photo.is_relative_to(base) else photo.name
