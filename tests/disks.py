"""Disks that are full, or that nobody can write to, made for real where the system lets root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["MIB", "fill", "mounted_read_only", "small_disk"]

MIB = 2**20


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    """A folder that nobody can write to, not even root."""
    with _mounted(folder, "--bind", str(folder)):
        _mount("-o", "remount,bind,ro", str(folder))
        yield


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A folder that is a disk of its own, of so many MiB; what is in it vanishes at the end."""
    folder.mkdir(exist_ok=True)
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={size}m", "tmpfs"):
        yield


def fill(folder: Path, free: int) -> Path:
    """Fills a disk with a file until so many MiB are free; returns the file."""
    ballast = folder / "ballast"
    ballast.unlink(missing_ok=True)
    size = shutil.disk_usage(folder).free - free * MIB
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return ballast


@contextmanager
def _mounted(folder: Path, *what: str) -> Iterator[None]:
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    _mount(*what, str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
