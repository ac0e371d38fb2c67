"""Data of benchmarks that can be fetched, where it is not there and there is a network.

The SHA-256 of all that was fetched is kept beside it, and each later use is checked against that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hiersearch.config import cache_dir
from hiersearch.datasets.hierarcaps_train import find_hierarcaps
from hiersearch.downloading import DownloadError, write_problem
from hiersearch.errors import HiersearchError, MissingDataError
from hiersearch.evaluation.breeds_labels import LABELS_PART
from hiersearch.evaluation.breeds_labels import SOURCE as BREEDS_SOURCE
from hiersearch.evaluation.cifar import SOURCE as CIFAR_SOURCE
from hiersearch.evaluation.files import data_folder
from hiersearch.evaluation.hierarcaps_files import TRAIN_PART, find_test_file
from hiersearch.evaluation.hyperlex_pairs import hyperlex_files
from hiersearch.evaluation.releases import (
    CIFAR,
    fetch_breeds_labels,
    fetch_cifar,
    fetch_hierarcaps,
    fetch_hyperlex,
)
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    import httpx

    Find: TypeAlias = Callable[[Path | None], object]
    Fetch: TypeAlias = Callable[[Path, httpx.BaseTransport | None, Progress], list[Path]]

__all__ = ["FETCHED", "PARTS", "SUMS", "fetch_part", "find_or_fetch"]

SUMS = "SHA256SUMS"
"""What was fetched, as `sha256sum` writes it; there when all of it is."""


def find_or_fetch(
    benchmark: str,
    data: Path | None,
    *,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
) -> Path | None:
    """Where a benchmark's data lies.

    Args:
        benchmark: Its name.
        data: What was given.
        environ: The environment, for the cache folder.
        transport: How to reach the network, if not as usual.
        progress: Told of what is downloaded.

    Returns:
        What was given, if the data is there or is none that can be fetched; else the folder that
        it was fetched into.

    Raises:
        MissingDataError: It is not there, and cannot be fetched.
        UsageError: What was given is not there, or not what it should be.
        HiersearchError: What was fetched before has changed, or cannot be written.
    """
    if benchmark not in FETCHED:
        return data
    find, fetch = FETCHED[benchmark]
    try:
        find(data)
    except MissingDataError as missing:
        try:
            return _fetched(benchmark, fetch, environ, transport, progress)
        except DownloadError as error:
            raise MissingDataError(
                f"{missing.message}, and it cannot be downloaded: {error}", hint=missing.hint
            ) from error
    return data


def fetch_part(
    part: str,
    *,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
) -> Path:
    """A part of a benchmark's data that may come from elsewhere than the rest.

    Args:
        part: HierarCaps' `TRAIN_PART`, or one of `PARTS`.
        environ: The environment, for the cache folder; `HIERSEARCH_DATA` may name a folder that
            has HierarCaps' train file.
        transport: How to reach the network, if not as usual.
        progress: Told of what is downloaded.

    Returns:
        The train file; else the folder of the part's files.

    Raises:
        MissingDataError: It is not there, and cannot be fetched.
        HiersearchError: What was fetched before has changed, or cannot be written.
    """
    if part == TRAIN_PART:
        return find_hierarcaps(environ, transport=transport, progress=progress).path
    name, fetch, source = PARTS[part]
    try:
        return _fetched(name, fetch, environ, transport, progress)
    except DownloadError as error:
        raise MissingDataError(
            f"{part} cannot be downloaded: {error}", hint=f"Get it from {source}"
        ) from error


def _fetched(
    name: str,
    fetch: Fetch,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None,
    progress: Progress,
) -> Path:
    """The folder of this name in the cache, filled by now, and as it was when it was filled."""
    folder = cache_dir(environ) / "data" / name
    if (folder / SUMS).is_file():
        _check(folder)
    else:
        _note(folder, fetch(folder, transport, progress))
    return folder


FETCHED: Mapping[str, tuple[Find, Fetch]] = {
    "hierarcaps": (find_test_file, fetch_hierarcaps),
    "hyperlex": (lambda data: hyperlex_files(data_folder(data, "hyperlex")), fetch_hyperlex),
}
"""Of each benchmark whose data can be fetched: what finds it, and what fetches it."""

PARTS: Mapping[str, tuple[str, Fetch, str]] = {
    LABELS_PART: ("breeds", fetch_breeds_labels, BREEDS_SOURCE),
    **{name: (f"classify/{name}", partial(fetch_cifar, name), CIFAR_SOURCE) for name in CIFAR},
}
"""Of each part: the folder in the cache, what fetches it, and where it comes from."""


def _note(folder: Path, paths: list[Path]) -> None:
    """Written last: where it stands, all of the files do."""
    lines = (f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)
    try:
        (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise write_problem(folder / SUMS, error) from error


def _check(folder: Path) -> None:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _changed(folder / SUMS, folder) from error
    for line in lines:
        digest, _, name = line.partition("  ")
        path = folder / name
        if not name or _digest(path) != digest:
            raise _changed(path, folder)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _changed(path: Path, folder: Path) -> HiersearchError:
    return HiersearchError(
        f"{path} is not what was downloaded", hint=f"Remove {folder} to download it again"
    )
