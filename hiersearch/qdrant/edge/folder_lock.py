"""The lock of a folder of collections: one process at a time makes or changes what is in it.

The engine locks a collection only once there is one, so two processes could make the same one. This
lock is of a file beside the collections. The system lets go of it when its process ends, however
that happens, so the file stays and means nothing by itself.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from hiersearch.errors import StoreLockedError, StoreUnreachableError
from hiersearch.qdrant.edge.folder_modes import make_private

__all__ = ["LOCK_FILE", "FolderLock"]

LOCK_FILE = ".lock"

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}

_LEFT_BY_KILLS = (".draft-*", ".deleted-*", ".hiersearch-*", ".vocabulary-*", ".photos.edition.*")
"""What writers make for a moment, and rename or remove; only a kill leaves it."""

logger = logging.getLogger(__name__)


class FolderLock:
    """The lock of a folder, from its making until it is closed.

    Who has it is alone, so it removes what writers that were killed have left.

    On NFS, Linux keeps it on the file server, where it holds between machines. A disk whose system
    has no locks is used without one, after a warning.

    Args:
        folder: The folder; made for its owner alone if it is missing.

    Raises:
        StoreLockedError: Another process has it, or another object of this process.
        StoreUnreachableError: The folder or the file in it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        try:
            make_private(folder)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnreachableError(
                f"{folder} cannot be opened ({error.strerror or error})",
                hint="Check that it is a folder you may write to",
            ) from error
        try:
            _take(self._file)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                logger.warning(
                    "%s is on a disk without locks: let one process at a time use it", folder
                )
                return
            self.close()
            if error.errno not in _TAKEN:
                raise StoreUnreachableError(
                    f"{path} cannot be locked ({error.strerror or error})",
                    hint="Check the disk, or name another store",
                ) from error
            raise StoreLockedError(
                f"another process has {folder} open", hint="Wait until it ends, or end it"
            ) from None
        _remove_leftovers(folder)

    def close(self) -> None:
        """Lets go of the lock; again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _remove_leftovers(folder: Path) -> None:
    for left in (path for kind in _LEFT_BY_KILLS for path in folder.glob(kind)):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):  # it takes some room, and is in nobody's way
                left.unlink()


def _take(file: int) -> None:
    """Takes the lock of an open file, without waiting.

    Raises:
        OSError: It is taken, or there are no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
