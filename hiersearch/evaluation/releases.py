"""Releases of benchmarks' data that can be fetched, each put into a folder of its own.

HierarCaps, HyperLex and the labels of BREEDS come out of their authors' repositories, each pinned
to a commit, CIFAR from its author's page, which states the archives' MD5.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from hiersearch.downloading import DownloadError, download, write_problem
from hiersearch.evaluation.breeds_labels import CLASSES, HIERARCHY, SUBSETS, drawn_file
from hiersearch.evaluation.cifar import RELEASES
from hiersearch.evaluation.files import read_rows
from hiersearch.evaluation.hierarcaps_files import TEST_FILES
from hiersearch.evaluation.hyperlex_pairs import WHOLE

if TYPE_CHECKING:
    import httpx

    from hiersearch.progress import Progress

__all__ = [
    "CIFAR",
    "CifarArchive",
    "fetch_breeds_labels",
    "fetch_cifar",
    "fetch_hierarcaps",
    "fetch_hyperlex",
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
