"""The files that an index knows, and what a run over some folders has to do about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hiersearch.index.fields import FOLDER, MTIME, NAME, PATH, SIZE
from hiersearch.photos import PhotoFile, path_to_text, photo_folders, text_to_path
from hiersearch.qdrant import HierarchicalCollection

__all__ = [
    "Catalogue",
    "KnownFile",
    "Plan",
    "StoredFiles",
    "file_payload",
    "make_plan",
    "read_stored_files",
]


@dataclass(frozen=True)
class KnownFile:
    """A file as it was when it was indexed.

    Attributes:
        photo: Id of the photo's point; files of equal content share it.
        size: Bytes.
        mtime: Time of the last change, in seconds since 1970, to 5 decimals: a store may change
            the last of more digits, and the file would look changed for ever.
    """

    photo: str
    size: int
    mtime: float

    @classmethod
    def of(cls, file: PhotoFile, photo: str) -> Self:
        """The file as it is now, which holds a photo."""
        return cls(photo, file.size, round(file.mtime, 5))


class Catalogue:
    """The files of an index by path, and the paths of each photo.

    Args:
        files: Path (as `photos.path_to_text` gives it) to the file known there.
    """

    def __init__(self, files: Mapping[str, KnownFile]) -> None:
        self._files = dict(files)
        self._paths: dict[str, list[str]] = {}
        for path, file in self._files.items():
            self._paths.setdefault(file.photo, []).append(path)

    def __len__(self) -> int:
        return len(self._files)

    def get(self, path: str) -> KnownFile | None:
        """The file known at a path."""
        return self._files.get(path)

    def paths(self) -> Iterable[str]:
        """Every known path."""
        return self._files.keys()

    def files_of(self, photo: str) -> dict[str, KnownFile]:
        """The files that hold a photo, by path, in the order they were met; empty if unknown."""
        return {path: self._files[path] for path in self._paths.get(photo, ())}

    def put(self, path: str, file: KnownFile) -> None:
        """Records that a path now holds this file."""
        self.remove(path)
        self._files[path] = file
        self._paths.setdefault(file.photo, []).append(path)

    def remove(self, path: str) -> KnownFile | None:
        """Forgets a path; returns the file that was known there."""
        file = self._files.pop(path, None)
        if file is not None:
            self._paths[file.photo].remove(path)
        return file

    def snapshot(self) -> dict[int, frozenset[str]]:
        """The photos by their file's size in bytes: only a file of that size can equal them."""
        photos: dict[int, set[str]] = {}
        for file in self._files.values():
            photos.setdefault(file.size, set()).add(file.photo)
        return {size: frozenset(ids) for size, ids in photos.items()}


@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    Attributes:
        unchanged: Number of files that are as they were.
        read: Files that are new or changed.
        gone: Known paths whose file was deleted from a folder that still holds photos.
        lost: Known paths whose whole folder is missing or holds no photo any more, by that
            folder: perhaps a disk that is not mounted.
    """

    unchanged: int
    read: tuple[PhotoFile, ...]
    gone: tuple[str, ...]
    lost: Mapping[Path, tuple[str, ...]]


def make_plan(
    found: Sequence[PhotoFile],
    catalogue: Catalogue,
    roots: Sequence[Path],
    unreadable: Sequence[Path] = (),
) -> Plan:
    """Compares the files found below some roots with those known there.

    Args:
        found: Every photo file found below the roots.
        catalogue: The files the index knows.
        roots: The absolute files and folders that were searched.
        unreadable: Folders and files that could not be searched; what is known below them stays.

    Returns:
        The plan. Files known outside the roots are not touched.
    """
    texts = {path_to_text(file.path): file for file in found}
    read = [file for text, file in texts.items() if _changed(file, catalogue.get(text))]
    direct = {file.path.parent for file in found}
    inhabited = direct.union(*(folder.parents for folder in direct))
    folders = set(roots) - {file.path for file in found}
    closed = set(unreadable)
    gone: list[str] = []
    lost: dict[Path, list[str]] = {}
    for text in catalogue.paths():
        if text in texts:
            continue
        path = text_to_path(text)
        root = next((folder for folder in path.parents if folder in folders), None)
        if root is None or path in closed or not closed.isdisjoint(path.parents):
            continue
        if path.parent in inhabited:
            gone.append(text)
        else:
            lost.setdefault(_lost_folder(path, root, inhabited), []).append(text)
    return Plan(
        unchanged=len(texts) - len(read),
        read=tuple(read),
        gone=tuple(gone),
        lost={folder: tuple(paths) for folder, paths in lost.items()},
    )


def _changed(file: PhotoFile, known: KnownFile | None) -> bool:
    return known is None or known != KnownFile.of(file, known.photo)


def _lost_folder(path: Path, root: Path, inhabited: set[Path]) -> Path:
    """The highest folder from the root down to the path that holds no photo any more."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return next((folder for folder in reversed(folders) if folder not in inhabited), root)


@dataclass(frozen=True)
class StoredFiles:
    """The files that an index knows.

    Attributes:
        catalogue: The files by path.
        stale: Photos whose point still names a path that another photo has taken over: a run was
            cut off between storing the one and updating the other.
    """

    catalogue: Catalogue
    stale: frozenset[str]

    def knows_below(self, folder: Path) -> bool:
        """Whether some file below a folder is known."""
        return any(text_to_path(path).is_relative_to(folder) for path in self.catalogue.paths())


def read_stored_files(photos: HierarchicalCollection) -> StoredFiles:
    """Reads which files an index knows."""
    files: dict[str, KnownFile] = {}
    stale: set[str] = set()
    for record in photos.scroll(payload=[PATH, SIZE, MTIME]):
        paths, size = record.payload[PATH], record.payload[SIZE]
        for path, mtime in zip(paths, record.payload[MTIME], strict=True):
            file = KnownFile(str(record.id), size, mtime)
            other = files.setdefault(path, file)
            if other is not file:
                newer, older = (file, other) if mtime > other.mtime else (other, file)
                files[path] = newer
                stale.add(older.photo)
    return StoredFiles(Catalogue(files), frozenset(stale))


def file_payload(files: Mapping[str, KnownFile]) -> dict[str, Any]:
    """The payload fields that a photo's files decide.

    Args:
        files: At least one file, by path; equal in content.
    """
    return {
        PATH: list(files),
        NAME: [_name(path) for path in files],
        FOLDER: sorted({folder for path in files for folder in photo_folders(path)}),
        SIZE: next(iter(files.values())).size,
        MTIME: [file.mtime for file in files.values()],
    }


def _name(path: str) -> str:
    """The file's name as people would type it; bytes that are not text are replaced."""
    return os.fsencode(text_to_path(path).name).decode(errors="replace")
