"""What a folder of graphs says of itself, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiersearch.encoder.preparation import Preparation
from hiersearch.errors import ModelError

__all__ = [
    "NOTES",
    "PHOTO_GRAPH",
    "TEXT_GRAPH",
    "TEXT_INPUTS",
    "TOKENIZER",
    "WEIGHTS",
    "GraphNotes",
    "TextPreparation",
    "read_notes",
    "write_notes",
]

NOTES = "graphs.json"
TEXT_GRAPH = "text.onnx"
PHOTO_GRAPH = "photo.onnx"
TOKENIZER = "tokenizer.json"
WEIGHTS = "weights.safetensors"

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What a graph of texts may read."""

VERSION = 1
"""The newest version of the notes that is understood."""


@dataclass(frozen=True)
class TextPreparation:
    """How texts are prepared.

    Attributes:
        inputs: What the graph of texts reads, by name: "input_ids", "attention_mask" and
            "token_type_ids" are known.
        tokenizer: The tokenizer's file, relative to the folder.
        length: The most tokens of a text.
        padded_to: Tokens that every text is filled up to; None for the longest of those at once.
        pad: The token that texts are filled up with.
        prompt: What is put before every text.
    """

    inputs: tuple[str, ...]
    tokenizer: str
    length: int
    padded_to: int | None
    pad: int
    prompt: str


@dataclass(frozen=True)
class GraphNotes:
    """What a folder of graphs says of itself.

    Attributes:
        source: The name or folder of the stock model that the graphs do the same as.
        text: How texts are prepared.
        photo: How photos are; None for a model of texts only.
        photo_batch: How many photos make the fastest part of a batch.
    """

    source: str
    text: TextPreparation
    photo: Preparation | None
    photo_batch: int


def read_notes(folder: Path) -> GraphNotes | None:
    """What a folder says of its graphs; None if it holds none.

    Raises:
        ModelError: It cannot be read, or is of a later version.
    """
    path = folder / NOTES
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    try:
        version = int(content["version"])
        if version > VERSION:
            raise ModelError(
                f"{path} is of version {version}, this program reads up to {VERSION}",
                hint="Install a newer hiersearch",
            )
        photo = content["photo"]
        return GraphNotes(
            source=str(content["source"]),
            text=_text(content["text"]),
            photo=None if photo is None else _photo(photo),
            photo_batch=max(1, int(content["photo_batch"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def write_notes(folder: Path, notes: GraphNotes) -> None:
    """Writes what a folder says of its graphs."""
    text = json.dumps({"version": VERSION, **asdict(notes)}, indent=1)
    (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def _text(stored: Mapping[str, Any]) -> TextPreparation:
    padded_to = stored["padded_to"]
    inputs = tuple(map(str, stored["inputs"]))
    if not set(inputs) <= set(TEXT_INPUTS):
        raise ValueError(f"a graph of texts that reads {', '.join(inputs)}")
    return TextPreparation(
        inputs=inputs,
        tokenizer=str(stored["tokenizer"]),
        length=int(stored["length"]),
        padded_to=None if padded_to is None else int(padded_to),
        pad=int(stored["pad"]),
        prompt=str(stored["prompt"]),
    )


def _photo(stored: Mapping[str, Any]) -> Preparation:
    def pair(name: str) -> tuple[int, int] | None:
        if stored[name] is None:
            return None
        height, width = stored[name]
        return int(height), int(width)

    def colours(name: str) -> tuple[float, float, float]:
        red, green, blue = map(float, stored[name])
        return red, green, blue

    shortest, scale = stored["shortest"], stored["scale"]
    return Preparation(
        shortest=None if shortest is None else int(shortest),
        resized=pair("resized"),
        resample=int(stored["resample"]),
        crop=pair("crop"),
        scale=None if scale is None else float(scale),
        mean=colours("mean"),
        deviation=colours("deviation"),
    )


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} cannot be used: {reason}",
        hint="Export the model again with 'hiersearch export'; or install hiersearch again",
    )
