"""Data of benchmarks that can be fetched, where it is not there and there is a network.

The SHA-256 of all that was fetched is kept beside it, and each later use is checked against that.

Releases of benchmarks' data that can be fetched, each put into a folder of its own.

HierarCaps, HyperLex and the labels of BREEDS come out of their authors' repositories, each pinned
to a commit, CIFAR from its author's page, which states the archives' MD5.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from hiersearch.config import cache_dir
from hiersearch.data.benchmark_files import data_folder, read_rows
from hiersearch.data.breeds_labels import CLASSES, HIERARCHY, LABELS_PART, SUBSETS, drawn_file
from hiersearch.data.breeds_labels import SOURCE as BREEDS_SOURCE
from hiersearch.data.class_sets import RELEASES
from hiersearch.data.class_sets import SOURCE as CIFAR_SOURCE
from hiersearch.data.hierarcaps_files import TEST_FILES, TRAIN_PART, find_hierarcaps, find_test_file
from hiersearch.data.hyperlex_pairs import WHOLE, hyperlex_files
from hiersearch.errors import HiersearchError, MissingDataError
from hiersearch.files import DownloadError, download, write_problem
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    import httpx

    from hiersearch.progress import Progress

    Find: TypeAlias = Callable[[Path | None], object]
    Fetch: TypeAlias = Callable[[Path, httpx.BaseTransport | None, Progress], list[Path]]

__all__ = [
    "CIFAR",
    "FETCHED",
    "PARTS",
    "SUMS",
    "CifarArchive",
    "fetch_breeds_labels",
    "fetch_cifar",
    "fetch_hierarcaps",
    "fetch_hyperlex",
    "fetch_part",
    "find_or_fetch",
]

RAW = "https://raw.githubusercontent.com"
HIERARCAPS_TEST = (
    f"{RAW}/TAU-VAILab/hierarcaps/31a8c169750ce0393e8a2ae7be5559d4d3fcdd0d/data/{TEST_FILES[0]}"
)
HIERARCAPS_PHOTOS = (
    f"{RAW}/TAU-VAILab/hierarcaps/8a28b2e5124b68827bb1486c6d307fa22f0015e2/assets/test_imgs"
)
HYPERLEX = f"{RAW}/cambridgeltl/hyperlex/c4875d795d50420a0bd08fbe4b8346395e117c61/hyperlex-data.zip"
BREEDS = (
    f"{RAW}/MadryLab/BREEDS-Benchmarks/3dd8d3517f20e6d01e89c3858880b9d0713070b2/"
    "imagenet_class_hierarchy"
)
CHILS = f"{RAW}/acmi-lab/CHILS/b1fd04bfe3726970b4341f8799ba5261d7f1da32/label_sets"


class CifarArchive(NamedTuple):
    """Where a release of CIFAR comes from.

    Attributes:
        url: The archive of the binary version.
        md5: What it must hash to, as its page states.
    """

    url: str
    md5: str


CIFAR = {
    "cifar10": CifarArchive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
    ),
    "cifar100": CifarArchive(
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
    ),
}

MAX_MEMBER = 2**26
"""The most that a file may take when it is unpacked, in bytes; CIFAR's test images take 2^25."""


def fetch_hierarcaps(
    folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    """Fetch the test file and its photos, those of them that are not there yet.

    Args:
        folder: Where to put them.
        transport: How to reach the network, if not as usual.
        progress: Told of what is downloaded.

    Returns:
        The files, as of all functions here.

    Raises:
        DownloadError: They cannot be fetched, or are not what they should be.
        HiersearchError: They cannot be written.
    """
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


def fetch_hyperlex(
    folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    """Fetch the file with all pairs; as `fetch_hierarcaps`."""
    packed = folder / "hyperlex-data.zip"
    task = "downloading HyperLex"
    try:
        download(HYPERLEX, packed, task=task, transport=transport, progress=progress)
        return _written(folder, {WHOLE: _unzipped(packed)})
    finally:
        packed.unlink(missing_ok=True)


def fetch_cifar(
    name: str, folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    """Fetch the test images and class names of "cifar10" or "cifar100"; as `fetch_hierarcaps`."""
    url, md5 = CIFAR[name]
    packed = folder / PurePosixPath(urlsplit(url).path).name
    try:
        download(
            url,
            packed,
            task=f"downloading {name}",
            check=partial(_require_md5, md5),
            transport=transport,
            progress=progress,
        )
        release = RELEASES[name]
        return _written(folder, _untarred(packed, release.folders[0], release[1:3]))
    finally:
        packed.unlink(missing_ok=True)


def fetch_breeds_labels(
    folder: Path, transport: httpx.BaseTransport | None, progress: Progress
) -> list[Path]:
    """Fetch the classes' names, their hierarchy and the subsets; as `fetch_hierarcaps`."""
    urls = {
        CLASSES: f"{BREEDS}/wordnet/{CLASSES}",
        **{name: f"{BREEDS}/modified/{name}" for name in HIERARCHY},
        **{drawn_file(name): f"{CHILS}/{drawn_file(name)}" for name in SUBSETS},
    }
    for done, (name, url) in enumerate(urls.items()):
        progress("downloading BREEDS", done, len(urls))
        download(url, folder / name, task=name, transport=transport)
    progress("downloading BREEDS", len(urls), len(urls))
    return [folder / name for name in urls]


def _unzipped(packed: Path) -> bytes:
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                if PurePosixPath(member.filename).name == WHOLE and member.file_size <= MAX_MEMBER:
                    return archive.read(member)
    except (zipfile.BadZipFile, RuntimeError) as error:  # or encrypted
        raise DownloadError(f"what came is no whole zip file ({error})") from error
    raise DownloadError(f"there is no {WHOLE} in what came")


def _untarred(packed: Path, folder: str, names: tuple[str, ...]) -> dict[str, bytes]:
    """Regular files of these names in the archive's folder; no other member is looked into."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(packed, "r:gz") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if str(path.parent) != folder or path.name not in names:
                    continue
                if not member.isreg() or member.size > MAX_MEMBER:
                    raise DownloadError(f"{member.name} in what came is not what it should be")
                if (stream := archive.extractfile(member)) is not None:
                    found[path.name] = stream.read()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"what came is no whole tar file ({error})") from error
    for name in names:
        if name not in found:
            raise DownloadError(f"there is no {folder}/{name} in what came")
    return found


def _require_md5(expected: str, path: Path) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    if found != expected:
        raise DownloadError(f"its MD5 is {found}, not {expected}")


def _written(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    try:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise write_problem(folder, error) from error
    return [folder / name for name in contents]


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
