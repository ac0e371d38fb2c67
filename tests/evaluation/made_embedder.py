"""An embedder whose vectors a test decides on, and photos and files made of nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hiersearch.progress import tell_nobody

DIM = 16


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def drawn(key: str, dim: int = DIM) -> np.ndarray:
    """A direction that hangs on the key alone."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    return unit(*np.random.default_rng(seed).normal(size=dim))


class MadeEmbedder:
    """Vectors by text, and by photo from its path; drawn by default."""

    id = "made"
    name = "made"

    def __init__(
        self,
        text: Callable[[str], np.ndarray] = drawn,
        photo: Callable[[Path], np.ndarray] | None = lambda path: drawn(path.name),
    ) -> None:
        self._text, self._photo = text, photo
        self.root = text("")
        self.has_photos = photo is not None
        self.asked: list[str] = []

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.stack([self._text(text) for text in texts])

    def photos(self, paths: Sequence[Path], on_progress=tell_nobody) -> np.ndarray:
        on_progress("encoding photos", len(paths), len(paths))
        assert all(path.is_file() for path in paths)
        return np.stack([self._photo(path) for path in paths])


def photo_file(path: Path, colour: tuple[int, int, int] = (90, 90, 90)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def text_file(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def json_file(path: Path, content: object) -> Path:
    return text_file(path, json.dumps(content))


def numbers_in(scores) -> list[float]:
    """All numbers of nested scores."""
    found: list[float] = []
    for value in scores.values():
        if isinstance(value, dict):
            found += numbers_in(value)
        elif isinstance(value, float | int):
            found.append(value)
    return found
