"""Finds the photo files in folders, by their names alone."""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from hiersearch.errors import PhotosNotFoundError
from hiersearch.photos.passed_over import (
    HIDDEN,
    LINK,
    SPECIAL,
    SYSTEM_FOLDER,
    PassedOver,
    kind_of,
    suffix_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["PHOTO_SUFFIXES", "PhotoFile", "find_photos", "photo_suffixes"]

PHOTO_SUFFIXES = frozenset(
    {"avif", "bmp", "dib", "gif", "heic", "heif", "hif", "jfif", "jpe", "jpeg", "jpg", "mpo"}
    | {"png", "tif", "tiff", "webp"}
)
"""Suffixes of photo files. HEIC is included even where it cannot be decoded: such files are
reported as skipped, not silently ignored."""

_BY_PACKAGE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "pylibjxl": frozenset({"jxl"}),
        "rawpy": frozenset({"arw", "cr2", "cr3", "dng", "nef", "nrw", "orf", "pef", "raf", "rw2"}),
    }
)
"""Suffixes of files that are photos where a package is installed, which an extra brings."""

# Where systems keep thumbnails, sidecars and deleted files, under names without a leading dot.
_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "__macosx",
        "lost+found",
        "system volume information",
    }
)


@dataclass(frozen=True)
class PhotoFile:
    """A file that looks like a photo.

    Attributes:
        path: Absolute; links above the file are kept as they were given.
        size: In bytes.
        mtime: Time of the last change, in seconds since 1970.
    """

    path: Path
    size: int
    mtime: float


def photo_suffixes() -> frozenset[str]:
    """Suffixes of what is searched for: `PHOTO_SUFFIXES`, and what the extras `raw` and `jxl` read.

    Without these extras, such files are counted among those of other kinds.
    """
    more = (suffixes for package, suffixes in _BY_PACKAGE.items() if _is_installed(package))
    return PHOTO_SUFFIXES.union(*more)


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def find_photos(
    paths: Iterable[Path],
    *,
    follow_links: bool = False,
    on_problem: Callable[[Path, str], None],
    on_passed: Callable[[PassedOver], None] | None = None,
) -> Iterator[PhotoFile]:
    """Find the photos in files and folders.

    Photos are recognised by their suffix. Names that begin with a dot, and folders in which systems
    keep thumbnails or deleted files, are skipped. Neither rule applies to the given paths
    themselves: a given file is taken whatever its name, and a given link is followed.

    Args:
        paths: Files and folders. Relative ones start at the current folder.
        follow_links: Follow links that are met inside folders, too.
        on_problem: Called with the path and the reason for each folder that cannot be read and
            each photo that is not a regular file. The search goes on.
        on_passed: Called once, after the last photo, with what was passed over. A link
            that is followed is not: it leads to what is found or counted under its own name.

    Returns:
        Each file once, however many of the paths and links lead to it (hard links are files of
        their own). Folder by folder, a folder's files before its folders, each sorted by name;
        files found through links come last, so that a file's own path is preferred.

    Raises:
        PhotosNotFoundError: One of the paths does not exist. Raised before anything is searched.
    """
    roots = [_absolute(path) for path in paths]
    for root in roots:
        _check_exists(root)
    search = _Search(follow_links=follow_links, on_problem=on_problem)
    return search.run(roots, on_passed)


def _absolute(path: Path) -> Path:
    # Path.absolute keeps "..", Path.resolve follows links; neither is the path a user expects.
    return Path(os.path.abspath(path))  # noqa: PTH100


def _check_exists(path: Path) -> None:
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        if isinstance(error, PermissionError):
            raise PhotosNotFoundError(
                f"cannot reach {path}: permission denied", hint="Check its permissions"
            ) from error
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            raise PhotosNotFoundError(
                f"{path} is a link to nowhere", hint="Is a disk not mounted?"
            ) from error
        raise PhotosNotFoundError(f"{path} is not there", hint="Check the path") from error


class _Search:
    """One search: the files and folders found so far, and the links still to follow."""

    def __init__(self, *, follow_links: bool, on_problem: Callable[[Path, str], None]) -> None:
        self._follow_links = follow_links
        self._on_problem = on_problem
        self._seen_folders: set[tuple[int, int] | str] = set()
        self._seen_files: set[str] = set()
        self._links: deque[Path] = deque()
        # By path, because a file that is passed over in a folder may be given by itself, too.
        self._passed: dict[str, str] = {}
        self._given: set[str] = set()
        self._suffixes = photo_suffixes()

    def run(
        self, roots: list[Path], on_passed: Callable[[PassedOver], None] | None
    ) -> Iterator[PhotoFile]:
        for root in roots:
            real_parent = os.path.realpath(root.parent)
            self._given |= {os.path.realpath(root), os.path.join(real_parent, root.name)}  # noqa: PTH118
        for root in roots:
            yield from self._search(root, given=True)
        while self._links:
            yield from self._search(self._links.popleft(), given=False)
        if on_passed is not None:
            on_passed(PassedOver.of(self._passed.values()))

    def _search(self, path: Path, *, given: bool) -> Iterator[PhotoFile]:
        """Search a given path or a link, which is followed."""
        try:
            status = path.stat()
        except OSError as error:
            gone = isinstance(error, FileNotFoundError) and path.is_symlink()
            self._on_problem(path, "a link to nowhere" if gone else _reason(error))
            return
        real = os.path.realpath(path)
        if stat.S_ISDIR(status.st_mode):
            self._passed.pop(real, None)
            yield from self._search_folder(str(path), real)
        elif given or self._has_photo_suffix(path.name):
            if not stat.S_ISREG(status.st_mode):
                self._on_problem(path, "not a regular file")
            elif real not in self._seen_files:
                self._seen_files.add(real)
                self._passed.pop(real, None)
                yield PhotoFile(path, status.st_size, status.st_mtime)
        elif real not in self._seen_files:
            regular = stat.S_ISREG(status.st_mode)
            self._pass_over(real, kind_of(path.name) if regular else SPECIAL)

    def _search_folder(self, folder: str, real: str) -> Iterator[PhotoFile]:
        # Not recursive: trees can be deeper than Python's stack.
        pending = [(folder, real)]
        while pending:
            folder, real = pending.pop()
            real_prefix = real.rstrip(os.sep) + os.sep
            below: list[tuple[str, str]] = []
            for entry in self._entries(folder, real):
                try:
                    if kind := self._left_alone(entry):
                        self._pass_over(real_prefix + entry.name, kind)
                    elif entry.is_symlink():
                        self._links.append(Path(entry.path))
                    elif entry.is_dir(follow_symlinks=False):
                        below.append((entry.path, real_prefix + entry.name))
                    elif photo := self._photo(entry, real_prefix + entry.name):
                        yield photo
                except FileNotFoundError:
                    pass  # deleted since the folder was listed
                except OSError as error:
                    self._on_problem(Path(entry.path), _reason(error))
            pending.extend(reversed(below))

    def _left_alone(self, entry: os.DirEntry[str]) -> str | None:
        """Why an entry is left whatever is in it; None if it is not."""
        if entry.name.startswith("."):
            return HIDDEN
        if entry.is_symlink():
            return None if self._follow_links else LINK
        system = entry.name.lower() in _SYSTEM_FOLDERS and entry.is_dir(follow_symlinks=False)
        return SYSTEM_FOLDER if system else None

    def _photo(self, entry: os.DirEntry[str], real: str) -> PhotoFile | None:
        """The photo of an entry that is neither link nor folder, if it was not found before."""
        if real in self._seen_files:
            return None
        if not self._has_photo_suffix(entry.name):
            regular = entry.is_file(follow_symlinks=False)
            self._pass_over(real, kind_of(entry.name) if regular else SPECIAL)
            return None
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            self._on_problem(Path(entry.path), "not a regular file")
            return None
        self._seen_files.add(real)
        return PhotoFile(Path(entry.path), status.st_size, status.st_mtime)

    def _has_photo_suffix(self, name: str) -> bool:
        return suffix_of(name).lower() in self._suffixes

    def _pass_over(self, real: str, kind: str) -> None:
        """Notes what is no photo, unless it is given by itself, and so taken or searched."""
        if real not in self._given:
            self._passed.setdefault(real, kind)

    def _entries(self, folder: str, real: str) -> list[os.DirEntry[str]]:
        """List a folder, sorted; nothing if it was listed before."""
        try:
            status = os.stat(folder)  # noqa: PTH116
            # Device and inode identify a folder under all its names, loops and bind mounts
            # included; some network file systems have no inodes.
            identity = (status.st_dev, status.st_ino) if status.st_ino else real
            if identity in self._seen_folders:
                return []
            self._seen_folders.add(identity)
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._on_problem(Path(folder), _reason(error))
            return []


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
