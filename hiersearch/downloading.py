"""Files fetched from the network: whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import httpx

from hiersearch.errors import HiersearchError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_DOWNLOAD", "DownloadError", "download", "write_problem"]

MAX_DOWNLOAD = 200 * 2**20
"""The most that is fetched, in bytes."""

CHUNK = 2**16


class DownloadError(Exception):
    """A file could not be fetched; says why. Callers know where to put it by hand."""


def download(
    url: str,
    path: Path,
    *,
    task: str,
    sha256: str | None = None,
    check: Callable[[Path], None] | None = None,
    most: int = MAX_DOWNLOAD,
    transport: httpx.BaseTransport | None = None,
    progress: Progress = tell_nobody,
) -> str:
    """Fetch a file: beside its place, and renamed when it is whole and checked.

    Args:
        url: From where.
        path: Its place; folders are made.
        task: What the progress is called.
        sha256: What it must hash to; None while that is not known.
        check: Raises a `DownloadError` where what came is not what it should be.
        most: Bytes that are fetched at most.
        transport: How to reach the network, if not as usual.
        progress: Told of bytes.

    Returns:
        Its SHA-256.

    Raises:
        DownloadError: It cannot be fetched, or is not what it should be.
        HiersearchError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                digest = _stream(url, stream, task, most, transport, progress)
                stream.flush()
                os.fsync(stream.fileno())
            if sha256 is not None and digest != sha256:
                raise DownloadError(f"its SHA-256 is {digest}, not {sha256}")
            if check is not None:
                check(Path(beside))
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise write_problem(path, error) from error
    return digest


def write_problem(path: Path, error: OSError) -> HiersearchError:
    """The error of a file in the cache that cannot be written."""
    return HiersearchError(
        f"cannot write {path}: {error.strerror or error}",
        hint="Free some space, or set HIERSEARCH_CACHE to another folder",
    )


def _stream(
    url: str,
    stream: BinaryIO,
    task: str,
    most: int,
    transport: httpx.BaseTransport | None,
    progress: Progress,
) -> str:
    digest = hashlib.sha256()
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
                if done > most:
                    raise DownloadError(f"it is larger than {most >> 20} MB")
                digest.update(chunk)
                stream.write(chunk)
                progress(task, done, max(done, total))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise DownloadError(str(error) or type(error).__name__) from error
    return digest.hexdigest()
