"""HierarCaps' train file: found on this machine, or fetched from its authors' repository.

What is fetched is pinned to one commit of the repository. No checksum of the file has been
published or measured for this project, so there is none to check the first download against but
the file's own (gzip ends with one); its SHA-256 is then kept beside it, and each later use is
checked against that. A checksum that is known goes into `SHA256`, and the first download is
checked, too.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hiersearch.config import absolute, cache_dir
from hiersearch.downloading import MAX_DOWNLOAD, DownloadError, download, write_problem
from hiersearch.errors import HiersearchError, MissingDataError, UsageError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = ["FILE", "SHA256", "URL", "TrainFile", "find_hierarcaps", "own_folder"]

FILE = "hierarcaps_train.csv.gz"
COMMIT = "8a28b2e5124b68827bb1486c6d307fa22f0015e2"
URL = f"https://raw.githubusercontent.com/TAU-VAILab/hierarcaps/{COMMIT}/data/{FILE}"

SHA256: str | None = None
"""What the file must hash to; None while that is not known."""

CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class TrainFile:
    """Where the file is, and why it may be trusted.

    Attributes:
        path: The file.
        trust: "own", the user put it there; "known", its checksum is the published one; "first
            use", it is what was downloaded the first time.
        sha256: Its checksum; empty for an own file.
    """

    path: Path
    trust: Literal["own", "known", "first use"]
    sha256: str = ""


def own_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder that `HIERSEARCH_DATA` names, where it is set."""
    named = environ.get("HIERSEARCH_DATA")
    return absolute(named) if named else None


def find_hierarcaps(
    environ: Mapping[str, str],
    *,
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
    sha256: str | None = SHA256,
) -> TrainFile:
    """Find the train file, or fetch it.

    It is looked for in the folder that `HIERSEARCH_DATA` names, with or without ".gz", then in the
    cache; then it is downloaded into the cache.

    Args:
        environ: The environment.
        transport: How to reach the network, if not as usual.
        progress: Told of bytes while it is downloaded.
        sha256: What a download must hash to; None while that is not known.

    Raises:
        UsageError: `HIERSEARCH_DATA` is set, but names nothing that is there.
        MissingDataError: The file is not there, and cannot be downloaded.
        HiersearchError: It cannot be written, or is not what it should be.
    """
    folder = own_folder(environ)
    if folder is not None:
        if not folder.exists():
            raise UsageError(
                f"HIERSEARCH_DATA names {folder}, which is not there", hint="Make it or unset it"
            )
        for name in (FILE, FILE.removesuffix(".gz"), f"hierarcaps/{FILE}"):
            if (folder / name).is_file():
                return TrainFile(folder / name, "own")
    path = cache_dir(environ) / "data" / FILE
    note = path.with_name(f"{FILE}.sha256")
    if not path.is_file():
        digest = _fetch(path, transport, progress, sha256)
        _write(note, f"{digest}  {FILE}\n")
    if not note.is_file() and sha256 is None:
        # The user has put it there, as the message of a failed download says.
        return TrainFile(path, "own")
    expected = sha256 or _noted(note)
    digest = _digest(path)
    if digest != expected:
        raise HiersearchError(
            f"{path} is not what was downloaded: its SHA-256 is {digest}, not {expected}",
            hint=f"Remove it and {note.name} to download it again",
        )
    return TrainFile(path, "known" if sha256 else "first use", digest)


def _fetch(
    path: Path, transport: httpx.BaseTransport | None, progress: Progress, sha256: str | None
) -> str:
    try:
        return download(
            URL,
            path,
            task="downloading HierarCaps",
            sha256=sha256,
            check=_check_gzip,
            most=MAX_DOWNLOAD,
            transport=transport,
            progress=progress,
        )
    except DownloadError as error:
        raise MissingDataError(
            f"cannot download HierarCaps from {URL}: {error}",
            hint=f"Fetch it elsewhere, and put it at {path} or into the folder of HIERSEARCH_DATA",
        ) from error


def _check_gzip(part: Path) -> None:
    """Read it to its end, where gzip keeps length and checksum."""
    try:
        with gzip.open(part, "rb") as stream:
            while stream.read(CHUNK):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"what came is no whole gzip file ({error})") from error


def _noted(note: Path) -> str:
    try:
        return note.read_text(encoding="ascii", errors="replace").partition(" ")[0]
    except OSError as error:
        raise HiersearchError(
            f"cannot read {note}: {error.strerror or error}", hint="Make it readable or remove it"
        ) from error


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise HiersearchError(
            f"cannot read {path}: {error.strerror or error}", hint="Make it readable or remove it"
        ) from error


def _write(note: Path, text: str) -> None:
    try:
        note.write_text(text, encoding="ascii")
    except OSError as error:
        raise write_problem(note, error) from error
