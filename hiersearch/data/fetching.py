"""Data sets that can be downloaded: each into a folder of the cache, once.

`DOWNLOADS` says where each comes from. Repositories are pinned to a commit. If no checksum has been
published, the first download is trusted; the SHA-256 of everything is kept beside the files, and
each later use is checked against it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit

from hiersearch.config import cache_dir
from hiersearch.data.breeds_labels import CLASSES, HIERARCHY, LABELS_PART, SUBSETS, drawn_file
from hiersearch.data.breeds_labels import SOURCE as BREEDS_SOURCE
from hiersearch.data.class_sets import RELEASES
from hiersearch.data.class_sets import SOURCE as CIFAR_SOURCE
from hiersearch.data.data_files import data_folder, own_folder
from hiersearch.data.hierarcaps_files import SOURCE as HIERARCAPS_SOURCE
from hiersearch.data.hierarcaps_files import TEST_FILES, TRAIN_FILE, TRAIN_PART, find_test_file
from hiersearch.data.hyperlex_pairs import SOURCE as HYPERLEX_SOURCE
from hiersearch.data.hyperlex_pairs import WHOLE, hyperlex_files
from hiersearch.errors import HiersearchError, MissingDataError
from hiersearch.files import DownloadError, download, read_rows, unwritable, whole_file
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    import httpx

Member: TypeAlias = tuple[str, int, Callable[[], bytes]]
"""Of an archive: name, size (−1 for what is not a regular file), and what reads it."""

__all__ = [
    "DOWNLOADS",
    "SUMS",
    "DataDownload",
    "RemoteFile",
    "TrainFile",
    "fetch_part",
    "find_or_fetch",
    "find_train_file",
]

SUMS = "SHA256SUMS"
"""The checksums of what was downloaded, in the format of `sha256sum`; written last."""

MAX_MEMBER = 2**26
"""The largest file that is unpacked, in bytes; CIFAR's test images take 2^25."""

CHUNK = 2**16
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
RAW = "https://raw.githubusercontent.com"
HIERARCAPS = f"{RAW}/TAU-VAILab/hierarcaps"
HIERARCAPS_TEST = f"{HIERARCAPS}/31a8c169750ce0393e8a2ae7be5559d4d3fcdd0d/data/{TEST_FILES[0]}"
HIERARCAPS_TRAIN = f"{HIERARCAPS}/8a28b2e5124b68827bb1486c6d307fa22f0015e2/data/{TRAIN_FILE}"
HIERARCAPS_PHOTOS = f"{HIERARCAPS}/8a28b2e5124b68827bb1486c6d307fa22f0015e2/assets/test_imgs"
HYPERLEX = f"{RAW}/cambridgeltl/hyperlex/c4875d795d50420a0bd08fbe4b8346395e117c61/hyperlex-data.zip"
BREEDS = (
    f"{RAW}/MadryLab/BREEDS-Benchmarks/3dd8d3517f20e6d01e89c3858880b9d0713070b2/"
    "imagenet_class_hierarchy"
)
CHILS = f"{RAW}/acmi-lab/CHILS/b1fd04bfe3726970b4341f8799ba5261d7f1da32/label_sets"

CIFAR = "https://www.cs.toronto.edu/~kriz/cifar-{}-binary.tar.gz"


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        url: Its address.
        checksum: Its published checksum, such as "md5:…"; None if there is none.
        members: Of a zip or tar archive, the files to keep, under their own names: a path in the
            archive, or a bare name in any of its folders. The archive itself is removed.
    """

    url: str
    checksum: str | None = None
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the files that it leaves in the folder."""
        return tuple(PurePosixPath(each).name for each in self.members) or (self.name,)


@dataclass(frozen=True)
class DataDownload:
    """Files that make up a data set, or a part of one.

    Attributes:
        title: What the progress calls it.
        folder: Where it goes, below the cache's folder of data.
        source: Where to get it by hand.
        files: What to download.
        photos: Whether the first file lists photos that belong to it.
        sums: The file of checksums.
    """

    title: str
    folder: str
    source: str
    files: tuple[RemoteFile, ...]
    photos: bool = False
    sums: str = SUMS


@dataclass(frozen=True, slots=True)
class TrainFile:
    """HierarCaps' train file.

    Attributes:
        path: The file.
        sha256: The checksum of the first download, which it agrees with; empty if the user put the
            file there.
    """

    path: Path
    sha256: str = ""


def _cifar_members(name: str) -> tuple[str, ...]:
    release = RELEASES[name]
    return tuple(f"{release.folders[0]}/{file}" for file in (release.images, release.names))


DOWNLOADS: Mapping[str, DataDownload] = {
    "hierarcaps": DataDownload(
        "HierarCaps", "hierarcaps", HIERARCAPS_SOURCE, (RemoteFile(HIERARCAPS_TEST),), photos=True
    ),
    TRAIN_PART: DataDownload(
        "HierarCaps",
        "",
        HIERARCAPS_SOURCE,
        (RemoteFile(HIERARCAPS_TRAIN),),
        sums=f"{TRAIN_FILE}.sha256",
    ),
    "hyperlex": DataDownload(
        "HyperLex", "hyperlex", HYPERLEX_SOURCE, (RemoteFile(HYPERLEX, members=(WHOLE,)),)
    ),
    LABELS_PART: DataDownload(
        "BREEDS",
        "breeds",
        BREEDS_SOURCE,
        (
            RemoteFile(f"{BREEDS}/wordnet/{CLASSES}"),
            *(RemoteFile(f"{BREEDS}/modified/{name}") for name in HIERARCHY),
            *(RemoteFile(f"{CHILS}/{drawn_file(name)}") for name in SUBSETS),
        ),
    ),
    **{
        name: DataDownload(
            name,
            f"classify/{name}",
            CIFAR_SOURCE,
            (RemoteFile(CIFAR.format(number), md5, _cifar_members(name)),),
        )
        for name, number, md5 in (
            ("cifar10", 10, "md5:c32a1d4ab5d03f1284b67883e8d87530"),
            ("cifar100", 100, "md5:03b5dce01913d631647c71ecec9e9cb8"),
        )
    },
}
"""What can be downloaded, by the name of a benchmark or of a part of its data."""

FIND: Mapping[str, Callable[[Path | None], object]] = {
    "hierarcaps": find_test_file,
    "hyperlex": lambda data: hyperlex_files(data_folder(data, "hyperlex")),
}
"""What finds the data of a benchmark that is downloaded as a whole."""


def find_or_fetch(
    benchmark: str,
    data: Path | None,
    *,
    transport: httpx.BaseTransport | None = None,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> Path | None:
    """The folder of a benchmark's data, downloaded if need be.

    Args:
        benchmark: Its name.
        data: The folder that was given.
        transport: How httpx reaches the network; None for the usual way.
        on_progress: Called while something is downloaded.
        environ: Says where the cache folder is.

    Returns:
        `data` if the benchmark's files are there or cannot be downloaded; else the folder that they
        were downloaded to.

    Raises:
        MissingDataError: The data is not there, and cannot be downloaded.
        UsageError: What was given does not exist, or is not what it should be.
        HiersearchError: What was downloaded before has changed, or cannot be written.
    """
    if benchmark not in FIND:
        return data
    try:
        FIND[benchmark](data)
    except MissingDataError as missing:
        try:
            return _fetched(DOWNLOADS[benchmark], transport, on_progress, environ)
        except DownloadError as error:
            raise MissingDataError(
                f"{missing.message}, and it cannot be downloaded: {error}", hint=missing.hint
            ) from error
    return data


def fetch_part(
    part: str,
    *,
    transport: httpx.BaseTransport | None = None,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """A part of a benchmark's data that is downloaded by itself.

    Args:
        part: One of `DOWNLOADS`.
        transport: How httpx reaches the network; None for the usual way.
        on_progress: Called while something is downloaded.
        environ: Says where the cache folder is; `HIERSEARCH_DATA` may name a folder that has
            HierarCaps' train file.

    Returns:
        HierarCaps' train file, or else the folder of the part's files.

    Raises:
        MissingDataError: It is not there, and cannot be downloaded.
        HiersearchError: What was downloaded before has changed, or cannot be written.
    """
    if part == TRAIN_PART:
        return find_train_file(transport=transport, on_progress=on_progress, environ=environ).path
    wanted = DOWNLOADS[part]
    try:
        return _fetched(wanted, transport, on_progress, environ)
    except DownloadError as error:
        raise MissingDataError(
            f"{part} cannot be downloaded: {error}", hint=f"Get it from {wanted.source}"
        ) from error


def find_train_file(
    *,
    transport: httpx.BaseTransport | None = None,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> TrainFile:
    """HierarCaps' train file, downloaded if need be.

    It is looked for in the folder that `HIERSEARCH_DATA` names, with or without ".gz", then in the
    cache; then it is downloaded into the cache.

    Args:
        transport: How httpx reaches the network; None for the usual way.
        on_progress: Called with bytes while it is downloaded.
        environ: The environment.

    Raises:
        UsageError: `HIERSEARCH_DATA` names a folder that does not exist.
        MissingDataError: The file is not there, and cannot be downloaded.
        HiersearchError: What was downloaded before has changed, or cannot be written.
    """
    own = own_folder(environ=environ)
    if own is not None:
        for name in (TRAIN_FILE, TRAIN_FILE.removesuffix(".gz"), f"hierarcaps/{TRAIN_FILE}"):
            if (own / name).is_file():
                return TrainFile(own / name)
    wanted = DOWNLOADS[TRAIN_PART]
    path = cache_dir(environ=environ) / "data" / wanted.folder / TRAIN_FILE
    sums = path.with_name(wanted.sums)
    if path.is_file() and not sums.is_file():
        return TrainFile(path)  # the user put it there, as the message of a failed download says
    if sums.is_file() and not path.is_file():
        sums.unlink()
    try:
        _fetched(wanted, transport, on_progress, environ)
    except DownloadError as error:
        raise MissingDataError(
            f"cannot download HierarCaps from {wanted.files[0].url}: {error}",
            hint=f"Get it elsewhere, and put it at {path} or into the folder of HIERSEARCH_DATA",
        ) from error
    return TrainFile(path, _digest(path))


def _fetched(
    wanted: DataDownload,
    transport: httpx.BaseTransport | None,
    on_progress: Progress,
    environ: Mapping[str, str],
) -> Path:
    """The folder of a download: complete, and as it was when it was completed."""
    folder = cache_dir(environ=environ) / "data" / wanted.folder
    sums = folder / wanted.sums
    if sums.is_file():
        _check(sums)
        return folder
    files = _download_all(
        wanted.files, folder, f"downloading {wanted.title}", transport, on_progress
    )
    if wanted.photos:
        urls = [row["image_url"] for row in read_rows(files[0], ("captions", "image_url"))]
        names = (PurePosixPath(urlsplit(url).path).name for url in urls)
        photos = [RemoteFile(f"{HIERARCAPS_PHOTOS}/{quote(name)}") for name in names]
        files += _download_all(
            photos, folder / "images", "downloading photos", transport, on_progress
        )
    lines = (f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    _write(sums, "".join(lines).encode())
    return folder


def _download_all(
    files: Sequence[RemoteFile],
    folder: Path,
    task: str,
    transport: httpx.BaseTransport | None,
    on_progress: Progress,
) -> list[Path]:
    """Download what is not there yet; the progress of one file counts bytes, of several files."""
    alone = len(files) == 1
    found: list[Path] = []
    for done, file in enumerate(files):
        if not alone:
            on_progress(task, done, len(files))
        paths = [folder / name for name in file.kept]
        if not all(path.is_file() for path in paths):
            download(
                file.url,
                folder / file.name,
                task=task,
                checksum=file.checksum,
                check=_check_gzip if file.name.endswith(".csv.gz") else None,
                transport=transport,
                on_progress=on_progress if alone else tell_nobody,
            )
            if file.members:
                _unpack(folder / file.name, file.members)
        found += paths
    if not alone:
        on_progress(task, len(files), len(files))
    return found


def _check_gzip(path: Path) -> None:
    """Read it to its end, where gzip keeps length and checksum."""
    try:
        with gzip.open(path, "rb") as stream:
            while stream.read(CHUNK):
                pass
    except DAMAGED as error:
        raise DownloadError(f"what arrived is not a whole gzip file ({error})") from error


def _unpack(archive: Path, members: tuple[str, ...]) -> None:
    """Put members beside an archive and remove it; nothing else in it is looked at."""
    # Not by pooch's processors: those follow links and unpack files of any size.
    kind, entries = ("zip", _zipped) if archive.suffix == ".zip" else ("tar", _tarred)
    found: dict[str, bytes] = {}
    try:
        for name, size, read in entries(archive):
            path = PurePosixPath(name)
            if str(path) not in members and path.name not in members:
                continue
            if not 0 <= size <= MAX_MEMBER:
                raise DownloadError(f"{name} in the archive is not what it should be")
            found[path.name] = read()
    except (*DAMAGED, RuntimeError) as error:  # or an encrypted zip file
        raise DownloadError(f"what arrived is not a whole {kind} file ({error})") from error
    finally:
        archive.unlink()
    for member in members:
        if PurePosixPath(member).name not in found:
            raise DownloadError(f"there is no {member} in the archive")
    for name, content in found.items():
        _write(archive.with_name(name), content)


def _zipped(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            yield member.filename, member.file_size, partial(opened.read, member)


def _tarred(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            stream = opened.extractfile(member) if member.isreg() else None
            if stream is None:
                yield member.name, -1, bytes
            else:
                yield member.name, member.size, stream.read


def _write(path: Path, content: bytes) -> None:
    try:
        with whole_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise unwritable(path, error) from error


def _check(sums: Path) -> None:
    """Compare the files with their checksums.

    Raises:
        HiersearchError: One has changed or is gone.
    """
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = [""]
    for line in lines:
        digest, _, name = line.partition("  ")
        path = sums.parent / name if name else sums
        if not name or _digest(path) != digest:
            what = sums.parent if sums.name == SUMS else f"it and {sums}"
            raise HiersearchError(
                f"{path} is not what was downloaded", hint=f"Remove {what} to download it again"
            )


def _digest(path: Path) -> str:
    """The SHA-256 of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
