"""Views of photos, computed once: what the first, frozen part of an image tower makes of them.

View 0 is a photo as the model will see it. The others are crops that show at least two fifths of
it, some mirrored, some lighter or darker: a trained tower must not go by where things stand.

Each view is a file of half-precision numbers in the folder of the unfinished run. A run that was
cut off goes on where it stopped.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import Tensor

from hiersearch.alignment.pairs.eye import CutTower
from hiersearch.encoder.fusing import fuse_tower, prepare
from hiersearch.encoder.threads import torch_threads
from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import read_photo
from hiersearch.progress import Progress

__all__ = ["Views", "crop", "make_views", "named_photo"]

PART = 32
"""Photos computed at once; what is done is noted after each part."""

LEAST_SHOWN = 0.4
"""The smallest share of a photo that a crop shows."""

WIDEST = 4 / 3
"""The widest and, the other way round, the highest that a crop's part of a photo is."""

CHANGE = 0.25
"""How much lighter, darker, flatter or harsher a crop gets at most."""

TRIES = 10

LEAST_DEVIATION = 1e-3
"""Added to the deviations of features: some hardly ever differ from 0."""


class Views:
    """What is known of some photos.

    Args:
        maps: For each view (photos, ...) half-precision maps, or pooled features if no block of the
            tower is trained.
        features: For each view (photos, width) half-precision pooled features, before training.
    """

    def __init__(self, maps: Sequence[NDArray[Any]], features: Sequence[NDArray[Any]]) -> None:
        self._maps = maps
        self._features = features

    def draw(self, photos: Sequence[int], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A view of each photo, drawn at random: its maps, and its features before training."""
        chosen = generator.integers(len(self._maps), size=len(photos))
        found = [
            np.stack([views[v][p] for v, p in zip(chosen, photos, strict=True)])
            for views in (self._maps, self._features)
        ]
        maps, features = (torch.from_numpy(each).float() for each in found)
        return maps, features

    def spread(self) -> tuple[Tensor, Tensor]:
        """(width,) mean and deviation of the features of photos as the model will see them."""
        features = np.asarray(self._features[0], dtype=np.float32)
        deviation = features.std(axis=0) + LEAST_DEVIATION
        return torch.from_numpy(features.mean(axis=0)), torch.from_numpy(deviation)


def make_views(
    folder: Path,
    files: Sequence[Path],
    eye: CutTower,
    *,
    count: int,
    bf16: bool = False,
    on_progress: Progress,
) -> Views:
    """Compute views of photos, or what an earlier run has left to do of them.

    Args:
        folder: Where they are kept.
        files: The photos.
        eye: Before its first step of training.
        count: The number of views, at least 1.
        bf16: Whether the tower computes in bfloat16.
        on_progress: Told about it.

    Raises:
        UnreadablePhotoError: A photo cannot be decoded; says which.
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    look = _Look(eye, bf16=bf16)
    found = [
        _View(folder / f"view-{view}", files, view, look, on_progress).arrays()
        for view in range(count)
    ]
    return Views([maps for maps, _ in found], [features for _, features in found])


class _Look:
    """The frozen part of a tower, and the rest of it as it was before training."""

    def __init__(self, eye: CutTower, *, bf16: bool) -> None:
        self._bf16 = bf16
        self._processor = eye.processor
        fused: Any = fuse_tower(eye.tower)
        self._tower = fused
        self._cut = len(fused.encoder.blocks) - eye.blocks
        self.size: int = eye.tower.config.image_size
        self.edge: int = eye.processor.size.shortest_edge

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
        """Maps and features of pixels (n, 3, height, width)."""
        # The parts of a batch are shared among threads instead.
        with torch_threads(1), torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            encoder = self._tower.encoder
            maps = self._tower.embeddings(pixels.contiguous(memory_format=torch.channels_last))
            for block in encoder.blocks[: self._cut]:
                maps = block(maps)
            top = maps
            for block in encoder.blocks[self._cut :]:
                top = block(top)
            top = encoder.top_activation(encoder.top_bn(encoder.top_conv(top)))
            features = top.mean(dim=(2, 3)).half().numpy()
        if self._cut == len(encoder.blocks):
            return features, features
        return maps.contiguous().half().numpy(), features

    def as_seen(self, image: Image.Image) -> Tensor:
        return prepare(self._processor, [image])[0]

    def cropped(self, image: Image.Image, generator: random.Random) -> Tensor:
        pixels = np.asarray(crop(image, self.size, generator), dtype=np.float32)
        mean = np.asarray(self._processor.image_mean, dtype=np.float32)
        deviation = np.asarray(self._processor.image_std, dtype=np.float32)
        return torch.from_numpy((pixels - mean) / deviation).permute(2, 0, 1)


class _View:
    """One view of all photos, on disk."""

    def __init__(
        self, stem: Path, files: Sequence[Path], view: int, look: _Look, on_progress: Progress
    ) -> None:
        self._stem = stem
        self._files = files
        self._view = view
        self._look = look
        self._on_progress = on_progress

    def arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """(photos, ...) maps and (photos, width) features, read as they are needed."""
        starts = [*range(0, len(self._files), PART), len(self._files)]
        parts = list(pairwise(starts))
        done = self._done()
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            found = pool.map(lambda part: self._part(*part), parts[done:])
            for number, ((start, end), (maps, features)) in enumerate(
                zip(parts[done:], found, strict=True), start=done
            ):
                for name, rows in (("maps", maps), ("features", features)):
                    array = self._open(name, rows.shape[1:], fresh=number == 0)
                    array[start:end] = rows
                    array.flush()
                self._note(number + 1)
                self._on_progress(f"looking at photos, view {self._view + 1}", end, starts[-1])
        return self._open("maps"), self._open("features")

    def _part(self, start: int, end: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._look(torch.stack([self._pixels(file) for file in self._files[start:end]]))

    def _pixels(self, file: Path) -> Tensor:
        image = named_photo(file, min_side=self._look.edge)
        if self._view == 0:
            return self._look.as_seen(image)
        return self._look.cropped(image, random.Random(f"{self._view} {file.name}"))

    def _open(self, name: str, shape: tuple[int, ...] = (), *, fresh: bool = False) -> Any:
        path = Path(f"{self._stem}-{name}.npy")
        if fresh:
            whole = (len(self._files), *shape)
            return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=whole)
        return np.lib.format.open_memmap(path, mode="r+")

    def _done(self) -> int:
        """The number of parts that an earlier run has written."""
        try:
            return int(Path(f"{self._stem}.done").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _note(self, parts: int) -> None:
        Path(f"{self._stem}.done").write_text(str(parts), encoding="ascii")


def named_photo(file: Path, *, min_side: int | None = None) -> Image.Image:
    """A photo of the data; see `read_photo`.

    Raises:
        UnreadablePhotoError: It cannot be decoded; says which.
    """
    try:
        return read_photo(file, min_side=min_side).image
    except (UnreadablePhotoError, OSError) as error:
        reason = getattr(error, "message", None) or getattr(error, "strerror", None) or error
        raise UnreadablePhotoError(
            f"cannot read {file}: {reason}", hint="Remove its captions from the data"
        ) from error


def crop(image: Image.Image, size: int, generator: random.Random) -> Image.Image:
    """A part of a photo as a square, some mirrored and some of another brightness.

    Args:
        image: An RGB image.
        size: Pixels of the square's edge.
        generator: Decides which part.
    """
    box = _part_of(image.size, generator)
    found = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    if generator.random() < 0.5:
        found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if generator.random() < 0.5:
        enhancers: tuple[Callable[[Image.Image], Any], ...] = (
            ImageEnhance.Brightness,
            ImageEnhance.Contrast,
        )
        for enhancer in enhancers:
            found = enhancer(found).enhance(generator.uniform(1 - CHANGE, 1 + CHANGE))
    return found


def _part_of(size: tuple[int, int], generator: random.Random) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a part of an image, in pixels."""
    width, height = size
    for _ in range(TRIES):
        area = width * height * generator.uniform(LEAST_SHOWN, 1.0)
        ratio = math.exp(generator.uniform(-math.log(WIDEST), math.log(WIDEST)))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            break
    else:
        wide = high = min(size)
    left = generator.randint(0, width - wide)
    top = generator.randint(0, height - high)
    return left, top, left + wide, top + high
