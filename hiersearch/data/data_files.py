"""Where the files of data sets lie on this machine, and checksums that identify them.

The folder of data holds a folder for each benchmark, with the file names of the official releases;
or it is the folder of one benchmark.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, TypeVar

from hiersearch.config import absolute
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import read_columns, require_columns, unreadable
from hiersearch.photos import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "PHOTO_FOLDERS",
    "checksum",
    "data_folder",
    "fetch_missing",
    "find_file",
    "find_photo",
    "is_table",
    "own_folder",
    "photos_checksum",
    "photos_there",
    "table_name",
    "tables_with",
]

Kind = TypeVar("Kind")

PHOTO_FOLDERS = ("", "images", "photos")
"""Where photos may lie, from the folder of the file that names them."""

CSV_SUFFIXES = (".csv", ".csv.gz")
CHECKSUM_DIGITS = 16


def own_folder(
    given: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> Path | None:
    """The user's folder of data: the one that was given, or else `HIERSEARCH_DATA`.

    Returns:
        Its absolute path; None if neither says anything.

    Raises:
        UsageError: It does not exist.
    """
    named = given or environ.get("HIERSEARCH_DATA")
    if not named:
        return None
    folder = absolute(named)
    if folder.exists():
        return folder
    if given:
        raise UsageError(f"there is no folder {folder}", hint="Give the folder that holds the data")
    raise UsageError(
        f"HIERSEARCH_DATA names {folder}, which does not exist", hint="Create it or unset it"
    )


def data_folder(data: Path | None, benchmark: str) -> Path:
    """The folder of one benchmark's data.

    Args:
        data: A folder that holds one for each benchmark, or is that of this benchmark; or this
            benchmark's one file.
        benchmark: Its name, which is also its folder's.

    Returns:
        `data/benchmark` if it exists, else `data` itself.

    Raises:
        MissingDataError: No folder was given.
        UsageError: It does not exist.
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
    """Find one file of a benchmark.

    Args:
        folder: As `data_folder` returns it.
        names: What the file may be called, best first; a CSV file may also end in `.csv.gz`.
        benchmark: For the message.
        source: Where the file comes from, for the message.
        columns: If given, the only CSV file in the folder that has all these columns will do, too.

    Raises:
        MissingDataError: There is no such file; says what is missing, where to get it and where to
            put it.
        UsageError: Several CSV files have these columns and none has the right name, or the one
            file that was given lacks them.
    """
    if folder.is_file():
        if columns:
            require_columns(folder, read_columns(folder), columns)
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
    """Whether a file has the suffix of a CSV file."""
    return path.name.endswith(CSV_SUFFIXES)


def table_name(path: Path) -> str:
    """The name of the data set in a CSV file: the file's, without its suffix."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def tables_with(folder: Path, columns: Sequence[str]) -> list[Path]:
    """The readable CSV files directly in a folder that have all these columns, sorted."""
    return [path for path in sorted(folder.glob("*")) if is_table(path) and _has(path, columns)]


def fetch_missing(
    fetch: Callable[[str], Path] | None, part: str, missing: MissingDataError
) -> Path:
    """Fetch data that was not found.

    Args:
        fetch: Such as `hiersearch.data.fetching.fetch_part`; None to raise `missing` at once.
        part: What `fetch` calls the data.
        missing: Why it is needed.

    Raises:
        MissingDataError: It cannot be fetched either; says both.
    """
    if fetch is None:
        raise missing
    try:
        return fetch(part)
    except MissingDataError as error:
        raise MissingDataError(f"{missing.message}; {error.message}", hint=missing.hint) from error


def find_photo(folder: Path, name: str, places: Sequence[str] = PHOTO_FOLDERS) -> Path | None:
    """The photo of this name in the first of the places below a folder that has it."""
    paths = (folder / place / name for place in places)
    return next((path for path in paths if path.is_file()), None) if name else None


def photos_there(table: Path, rows: Sequence[tuple[str, Kind]]) -> list[tuple[Path, Kind]]:
    """Replace the names of photos by their paths, and leave out rows whose photo is missing.

    Args:
        table: The file; a photo's path is from its folder, or from `images` or `photos` there.
        rows: The name of a photo and what it shows, at least one.

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


def checksum(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's bytes.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:CHECKSUM_DIGITS]
    except OSError as error:
        raise unreadable(path, error) from error


def photos_checksum(photos: Iterable[Path], base: Path) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over photos' names and contents.

    Args:
        photos: Image files in any order; repeats count once.
        base: The folder that names are relative to, so that it may be moved. A photo elsewhere goes
            by its file name.

    Raises:
        UnreadablePhotoError: A file cannot be read.
    """
    lines = {f"{_name(photo, base)}\0{content_hash(photo)}\n" for photo in dict.fromkeys(photos)}
    content = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:CHECKSUM_DIGITS]


def _has(path: Path, columns: Sequence[str]) -> bool:
    """Whether a file can be read and has the columns."""
    try:
        require_columns(path, read_columns(path), columns)
    except UsageError:
        return False
    return True


def _name(photo: Path, base: Path) -> str:
    return photo.relative_to(base).as_posix() if photo.is_relative_to(base) else photo.name
