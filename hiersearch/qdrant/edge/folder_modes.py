"""Who may read a folder of collections: its owner alone, or others as the folder's mode says.

The engine makes files as the umask has it, whenever it likes. What keeps others out is the mode of
the folder itself; the files in it are given what that allows when a run is done.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["allow_others", "make_private", "settle_modes"]

_PRIVATE = 0o700


def make_private(folder: Path) -> None:
    """Makes a folder that only its owner may look into; one that is there stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_PRIVATE, exist_ok=True)


def allow_others(folder: Path, shared: bool) -> None:
    """Lets others read a folder and what is in it as far as the umask does, or nobody.

    Args:
        folder: An existing folder.
        shared: Whether others may.

    Raises:
        OSError: It is somebody else's.
    """
    folder.chmod(0o777 & ~_umask() | _PRIVATE if shared else _PRIVATE)
    settle_modes(folder)


def settle_modes(folder: Path) -> None:
    """Gives all that is in a folder the mode of the folder; files are not made executable.

    What vanishes meanwhile, and what belongs to somebody else, is left alone.
    """
    if not folder.is_dir():
        return
    mode = stat.S_IMODE(folder.stat().st_mode) & 0o777
    for root, folders, files in os.walk(folder):
        for names, wanted in ((folders, mode), (files, mode & 0o666)):
            for name in names:
                path = Path(root, name)
                try:
                    if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != wanted:
                        path.chmod(wanted)
                except (FileNotFoundError, PermissionError):
                    continue


def _umask() -> int:
    # It can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
