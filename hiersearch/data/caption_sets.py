"""Sets of photos with captions: COCO, Flickr30K, or a CSV file of your own.

A captions file is JSON in COCO's format (`images` with `id` and `file_name`, `annotations` with
`image_id` and `caption`), or in that of the usual splits of COCO and Flickr30K (`images` with
`filename`, `split` and `sentences`), of which the test split is read; or CSV with a row for each
caption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiersearch.data.data_files import data_folder, is_table, table_name, tables_with
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import read_rows

__all__ = [
    "COLUMNS",
    "SOURCES",
    "CaptionSet",
    "caption_files",
    "read_captions",
    "read_photo_captions",
]

SOURCES = {
    "coco": "https://cocodataset.org (captions_val2017.json out of annotations_trainval2017.zip, "
    "241 MB; its photos: val2017.zip, 778 MB)",
    "flickr30k": "https://shannon.cs.illinois.edu/DenotationGraph (photos) and "
    "https://cs.stanford.edu/people/karpathy/deepimagesent (dataset_flickr30k.json)",
}

FILES = {
    "coco": ("captions_val2017.json", "captions_val2014.json", "dataset_coco.json"),
    "flickr30k": ("dataset_flickr30k.json", "captions_flickr30k.json"),
}
PATTERNS = {"coco": "*captions*.json", "flickr30k": "*flickr30k*.json"}
# HierarCaps' photos are COCO's, and its folder may hold their captions.
FOLDERS = {"coco": ("coco", "hierarcaps"), "flickr30k": ("flickr30k",)}

PHOTO_FOLDERS = (
    "images",
    "val2017",
    "val2014",
    "flickr30k-images",
    "flickr30k_images",
    "photos",
    "",
)
COCO_NUMBER = re.compile(r"(\d{12})\.\w+$")
"""What the names of one COCO photo have in common, with or without `COCO_val2014_` before it."""

COLUMNS = ("file/image", "caption")
"""The columns of a CSV file."""

SPLIT = "test"
"""The split that is read where a file has several."""


@dataclass(frozen=True)
class CaptionSet:
    """Photos and their captions.

    Attributes:
        photos: Photos that have a caption, in the file's order.
        captions: Photo by photo, in the file's order.
        photo_of: The position in `photos` of each caption's photo.
        folder: What the photos lie in or below.
        missing: How many photos the file names that are missing; they and their captions are left
            out.
    """

    photos: tuple[Path, ...]
    captions: tuple[str, ...]
    photo_of: tuple[int, ...]
    folder: Path
    missing: int = 0


def caption_files(data: Path | None) -> dict[str, Path]:
    """Find the captions file of each set.

    Args:
        data: The folder of all benchmarks' data, or of this one's; or a captions file.

    Returns:
        The files of "coco" and "flickr30k" if they are there, and every CSV file with the right
        columns under its own name.

    Raises:
        MissingDataError: There is none.
        UsageError: The folder does not exist.
    """
    folder = data_folder(data, "retrieval")
    if folder.is_file() and is_table(folder):
        return {table_name(folder): folder}
    if folder.is_file():
        return {"flickr30k" if "flickr" in folder.name.lower() else "coco": folder}
    found: dict[str, Path] = {}
    for name, folders in FOLDERS.items():
        above = folder if data is None else data
        places = [folder / name, folder, *(above / each for each in folders)]
        places += [place / "annotations" for place in places]
        exact = (place / file for place in places for file in FILES[name])
        path = next((path for path in exact if path.is_file()), None)
        loose = (match for place in places for match in sorted(place.glob(PATTERNS[name])))
        path = path or next((match for match in loose if _is_of(name, match)), None)
        if path is not None:
            found[name] = path
    found = {table_name(path): path for path in tables_with(folder, COLUMNS)} | found
    if not found:
        raise MissingDataError(
            f"the captions of retrieval are not in {folder}: there is no "
            f"{' or '.join(name for names in FILES.values() for name in names)}, or a CSV file "
            f"with columns {', '.join(COLUMNS)}",
            hint=f"Get COCO from {SOURCES['coco']} or Flickr30K from {SOURCES['flickr30k']}, and "
            "put them into the folders coco and flickr30k there",
        )
    return found


def read_captions(
    path: Path,
    *,
    photos: Path | None = None,
    per_photo: int | None = None,
    need_photos: bool = True,
) -> CaptionSet:
    """Read a captions file and find its photos.

    Args:
        path: The captions file.
        photos: The folder of the photos; None for the usual ones beside the file and above it.
        per_photo: Read only the first so many captions of each photo; None for all.
        need_photos: Leave out photos that are missing; otherwise their names are enough.

    Raises:
        UsageError: The file cannot be read, is in none of the formats, or has no captions.
        MissingDataError: None of the photos is there.
    """
    named = {name: texts for name, texts in read_photo_captions(path).items() if texts}
    if not named:
        raise UsageError(f"{path} holds no captions", hint="Give a captions file, not instances")
    folders = [photos] if photos else [base / n for base in _bases(path) for n in PHOTO_FOLDERS]
    there = _Photos(folders) if need_photos else None
    found: list[Path] = []
    captions: list[str] = []
    photo_of: list[int] = []
    for name, texts in named.items():
        photo = there.path(name) if there else Path(name)
        if photo is not None:
            captions += texts[:per_photo]
            photo_of += [len(found)] * len(texts[:per_photo])
            found.append(photo)
    if not found:
        raise MissingDataError(
            f"none of the {len(named)} photos that {path} names is there, such as "
            f"{next(iter(named))}",
            hint=f"Put them into {_bases(path)[0] / PHOTO_FOLDERS[0]}",
        )
    return CaptionSet(
        photos=tuple(found),
        captions=tuple(captions),
        photo_of=tuple(photo_of),
        folder=photos or _bases(path)[0],
        missing=len(named) - len(found),
    )


class _Photos:
    """Looks photos up by name in a few folders, each listed at most once, when needed."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = [folder for folder in folders if folder.is_dir()]
        self._by_number: dict[str, Path] | None = None

    def path(self, name: str) -> Path | None:
        for folder in self._folders:
            for spelling in dict.fromkeys((name, Path(name).name)):
                if (folder / spelling).is_file():
                    return folder / spelling
        number = COCO_NUMBER.search(name)
        if number is None:
            return None
        if self._by_number is None:
            self._by_number = dict(self._numbered())
        return self._by_number.get(number[1])

    def _numbered(self) -> Iterator[tuple[str, Path]]:
        for folder in reversed(self._folders):
            for file in sorted(folder.iterdir()):
                number = COCO_NUMBER.search(file.name)
                if number is not None:
                    yield number[1], file


def _is_of(name: str, path: Path) -> bool:
    return name == "flickr30k" or "flickr" not in path.name.lower()


def _bases(path: Path) -> list[Path]:
    """Where photo folders may lie: beside the file, or beside the folder `annotations`."""
    return [path.parent.parent, path.parent] if path.parent.name == "annotations" else [path.parent]


def read_photo_captions(path: Path) -> dict[str, list[str]]:
    """The captions of each photo by its file name, in the file's order.

    Raises:
        UsageError: The file cannot be read, or is in none of these formats.
    """
    return _rows(path) if is_table(path) else _json(path)


def _rows(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, row in enumerate(read_rows(path, COLUMNS), start=1):
        if not row["file"] or not row["caption"]:
            raise UsageError(
                f"row {number} of {path} lacks a photo or a caption",
                hint="Correct or remove this row",
            )
        found.setdefault(row["file"], []).append(_text(row["caption"]))
    return found


def _json(path: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read as JSON: {error}", hint="Give a captions file in COCO's format"
        ) from error
    try:
        if "annotations" in content:
            return _coco(content)
        return _split(content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{path} is not in COCO's format: {type(error).__name__} {error}",
            hint="It has images (id, file_name) and annotations (image_id, caption)",
        ) from error


def _coco(content: Mapping[str, Any]) -> dict[str, list[str]]:
    name_of = {image["id"]: str(image["file_name"]) for image in content["images"]}
    found: dict[str, list[str]] = {name: [] for name in name_of.values()}
    for annotation in content["annotations"]:
        found[name_of[annotation["image_id"]]].append(_text(annotation["caption"]))
    return found


def _split(content: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        str(image["filename"]): [_text(sentence["raw"]) for sentence in image["sentences"]]
        for image in content["images"]
        if image.get("split", SPLIT) == SPLIT
    }


def _text(caption: object) -> str:
    if not isinstance(caption, str):
        raise ValueError(f"a caption is {caption!r}")
    return " ".join(caption.split())
