"""Files of captions.

JSON in COCO's format (`images` with `id` and `file_name`, `annotations` with `image_id` and
`caption`), or in that of the usual splits of COCO and Flickr30K (`images` with `filename`, `split`
and `sentences`), of which the test split is read; or CSV with a row for each caption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hiersearch.errors import UsageError
from hiersearch.evaluation.files import is_table, read_rows

__all__ = ["COLUMNS", "read_photo_captions"]

COLUMNS = ("file/image", "caption")
"""Of a CSV file."""

SPLIT = "test"


def read_photo_captions(path: Path) -> dict[str, list[str]]:
    """The captions by their photo's file name, photos and captions in the file's order.

    Raises:
        UsageError: The file cannot be read, or is in none of these formats.
    """
    return _rows(path) if is_table(path) else _json(path)


def _rows(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, row in enumerate(read_rows(path, COLUMNS), start=1):
        if not row["file"] or not row["caption"]:
            raise UsageError(
                f"row {number} of {path} lacks a photo or a caption", hint="Mend or remove this row"
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
