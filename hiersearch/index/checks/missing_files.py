"""Files that are no longer where an index knows them: single ones, or a folder that has moved."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

__all__ = ["moved_folder", "moving_command"]

_LOOKED_AT = 50


def moved_folder(missing: Iterable[Path]) -> tuple[Path, Path] | None:
    """Where a folder of photos has gone, if it has moved as it was.

    Args:
        missing: Files that are not there.

    Returns:
        The folder that is gone, and one beside it, or beside a folder above it that is gone, that
        holds the same relative paths. None if there is none, or not all were below one folder.
    """
    paths = list(missing)
    if not paths:
        return None
    gone = Path(os.path.commonpath([path.parent for path in paths]))
    if gone.exists():
        return None
    while not gone.parent.exists():
        gone = gone.parent
    relative = [path.relative_to(gone) for path in paths[:_LOOKED_AT]]
    try:
        beside = sorted(one for one in gone.parent.iterdir() if one.is_dir())
    except OSError:
        return None
    for there in beside:
        if all((there / path).is_file() for path in relative):
            return gone, there
    return None


def moving_command(gone: Path, there: Path, store: str) -> str:
    """The command that tells the index of a folder's new place; no photo is encoded again."""
    words = ["hiersearch", "index", str(there), str(gone), "--prune", "--store", store]
    return shlex.join(words)
