"""ImageNet photos that carry the labels of BREEDS."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from hiersearch.evaluation.breeds_labels import Classes
from hiersearch.evaluation.class_folders import photos_in

__all__ = ["class_photos"]

WORDNET_ID = re.compile(r"n\d{8}")


def class_photos(
    folders: Iterable[Path], classes: Classes
) -> tuple[Path | None, dict[str, list[Path]], tuple[str, ...]]:
    """Photos by class, from a folder for each, called by WordNet id or by name.

    Args:
        folders: Where the classes' folders may lie; the first that holds any is taken.
        classes: As `read_classes` gives them.

    Returns:
        The folder that was taken, or None; the photos of each class, by its WordNet id; and the
        names of the folders that several classes share, which are left out.

    Raises:
        UsageError: A folder cannot be read.
    """
    ids: dict[str, set[str]] = defaultdict(set)
    usual: dict[str, set[str]] = defaultdict(set)
    for each, names in classes.names.items():
        usual[_key(names[0])].add(each)
        for name in (*names, ", ".join(names)):
            ids[_key(name)].add(each)
    for folder in folders:
        found: dict[str, list[Path]] = {}
        shared: list[str] = []
        for below in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not below.is_dir():
                continue
            key = _key(below.name)
            options = usual[key] if len(usual[key]) == 1 else ids[key]
            if WORDNET_ID.fullmatch(below.name) and below.name in classes.names:
                options = {below.name}
            photos = photos_in(below) if options else []
            if photos and len(options) > 1:
                shared.append(below.name)
            elif photos:
                found.setdefault(next(iter(options)), []).extend(photos)
        if found:
            return folder, found, tuple(shared)
    return None, {}, ()


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
