"""Data of benchmarks that can be fetched, where it is not there and there is a network.

HierarCaps' test file with its photos, and HyperLex, out of their authors' repositories, each pinned
to a commit. No checksums have been published, so the SHA-256 of all that was fetched first is kept
beside it, and each later use is checked against that.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit

from hiersearch.config import cache_dir
from hiersearch.downloading import DownloadError, download, write_problem
from hiersearch.errors import HiersearchError, MissingDataError
from hiersearch.evaluation.files import data_folder, read_rows
from hiersearch.evaluation.hierarcaps_files import TEST_FILES, find_test_file
from hiersearch.evaluation.hyperlex_pairs import WHOLE, hyperlex_files
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    import httpx

    Find: TypeAlias = Callable[[Path | None], object]
    Fetch: TypeAlias = Callable[[Path, httpx.BaseTransport | None, Progress], list[Path]]

__all__ = ["FETCHED", "SUMS", "find_or_fetch"]

RAW = "https://raw.githubusercontent.com"
HIERARCAPS_TEST = (
    f"{RAW}/TAU-VAILab/hierarcaps/31a8c169750ce0393e8a2ae7be5559d4d3fcdd0d/data/{TEST_FILES[0]}"
)
HIERARCAPS_PHOTOS = (
    f"{RAW}/TAU-VAILab/hierarcaps/8a28b2e5124b68827bb1486c6d307fa22f0015e2/assets/test_imgs"
)
HYPERLEX = f"{RAW}/cambridgeltl/hyperlex/c4875d795d50420a0bd08fbe4b8346395e117c61/hyperlex-data.zip"

SUMS = "SHA256SUMS"
"""What was fetched, as `sha256sum` writes it; there when all of it is."""

MAX_PAIRS = 10 * 2**20
"""The most that HyperLex' file may take when it is unpacked, in bytes."""


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
        folder = cache_dir(environ) / "data" / benchmark
        if (folder / SUMS).is_file():
            _check(folder)
            return folder
        try:
            _note(folder, fetch(folder, transport, progress))
        except DownloadError as error:
            raise MissingDataError(
                f"{missing.message}, and it cannot be downloaded: {error}", hint=missing.hint
            ) from error
        return folder
    return data


def _fetch_hierarcaps(
    folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    path = folder / TEST_FILES[0]
    if not path.is_file():
        task = "downloading HierarCaps"
        download(HIERARCAPS_TEST, path, task=task, transport=transport, progress=progress)
    urls = [row["image_url"] for row in read_rows(path, ("captions", "image_url"))]
    photos = [folder / "images" / PurePosixPath(urlsplit(url).path).name for url in urls]
    for done, photo in enumerate(photos):
        progress("downloading photos", done, len(photos))
        if not photo.is_file():
            url = f"{HIERARCAPS_PHOTOS}/{quote(photo.name)}"
            download(url, photo, task=photo.name, transport=transport)
    progress("downloading photos", len(photos), len(photos))
    return [path, *photos]


def _fetch_hyperlex(
    folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    packed, path = folder / "hyperlex-data.zip", folder / WHOLE
    task = "downloading HyperLex"
    try:
        download(HYPERLEX, packed, task=task, transport=transport, progress=progress)
        content = _unpacked(packed)
        path.write_bytes(content)
    except OSError as error:
        raise write_problem(path, error) from error
    finally:
        packed.unlink(missing_ok=True)
    return [path]


def _unpacked(packed: Path) -> bytes:
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                if PurePosixPath(member.filename).name == WHOLE and member.file_size <= MAX_PAIRS:
                    return archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"what came is no whole zip file ({error})") from error
    raise DownloadError(f"there is no {WHOLE} in what came")


FETCHED: Mapping[str, tuple[Find, Fetch]] = {
    "hierarcaps": (find_test_file, _fetch_hierarcaps),
    "hyperlex": (lambda data: hyperlex_files(data_folder(data, "hyperlex")), _fetch_hyperlex),
}
"""Of each benchmark whose data can be fetched: what finds it, and what fetches it."""


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
