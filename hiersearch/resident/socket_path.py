"""Where the process that has an index open listens: a socket in a folder of this user alone."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hiersearch.config import IndexPlace
from hiersearch.errors import StoreError

__all__ = ["SUPPORTED", "index_identity", "own_folder", "socket_path"]

SUPPORTED = hasattr(socket, "AF_UNIX") and hasattr(os, "getuid")
"""Whether this system has such sockets; elsewhere nobody listens and nobody is asked."""

_LONGEST = 100
"""Bytes of a socket's path that every system takes; Linux takes 107, others 103."""


def socket_path(place: IndexPlace, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The socket of an index's folder, whether or not anybody listens there.

    Its folder lies in `$XDG_RUNTIME_DIR` where that is a folder of this user's, or else is one of
    this user's in the folder of temporary files. It is named by a hash of the index's real path.

    Args:
        place: A folder, which need not exist, or a server.
        environ: The environment.

    Returns:
        None for an index on a server, which all can ask, and where there are no such sockets.
    """
    if not SUPPORTED or not isinstance(place, Path):
        return None
    real = os.fsencode(os.path.realpath(place))
    name = f"{hashlib.sha256(real).hexdigest()[:32]}.sock"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and _is_own(runtime):
        path = Path(runtime) / "hiersearch" / name
        if len(os.fsencode(path)) <= _LONGEST:
            return path
    return Path(tempfile.gettempdir()) / f"hiersearch-{os.getuid()}" / name


def own_folder(path: Path, *, make: bool = False) -> bool:
    """Whether the folder of a socket is there, and nobody but this user can write to it or read it.

    In a folder for temporary files, another user may have put it there to be asked, or to listen.

    Args:
        path: The socket.
        make: Makes the folder where it is missing.

    Raises:
        StoreError: It belongs to somebody else, is open to others, or cannot be made.
    """
    folder = path.parent
    try:
        if make:
            folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except FileNotFoundError:
        if make:
            raise StoreError(f"{folder} cannot be made", hint="Make the folder above it") from None
        return False
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be used ({error.strerror})", hint="Check what lies there"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StoreError(
            f"{folder} is not a folder of yours, so nobody is asked or answered there",
            hint="Remove it, or set XDG_RUNTIME_DIR to a folder of yours",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise StoreError(
            f"{folder} is open to other users, so nobody is asked or answered there",
            hint=f"Close it: chmod 700 {folder}",
        )
    return True


def index_identity(place: Path) -> list[int]:
    """What tells a folder from another that takes its place later.

    Raises:
        OSError: It is not there.
    """
    found = place.stat()
    return [found.st_dev, found.st_ino]


def _is_own(folder: str) -> bool:
    """Whether a folder is there, and this user's: after `su` the variable may name another's."""
    try:
        found = Path(folder).stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
