"""Vectors of the photos, texts and class names that benchmarks compare.

An `Embedder` is an encoder with a cache on disk. A class name becomes a vector by way of prompts
(`prompt_vectors`): one, or an ensemble. The ensembles of 80 and of 18 prompts are those of Radford
et al. 2021 (CLIP), from its repository (https://github.com/openai/CLIP, the notebook "Prompt
Engineering for ImageNet" and data/prompts.md; MIT License, Copyright (c) 2021 OpenAI). Most come in
pairs, with "a" and with "the", and are written here as one. The prompts for two labels are the
single-prompt baselines of table 7 of Alper & Averbuch-Elor 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.encoder.kept.vector_cache import VectorCache
from hiersearch.errors import UnreadablePhotoError, UsageError
from hiersearch.photos import content_hash, read_photo
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from PIL import Image

    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.types import Floats


__all__ = [
    "CIFAR_PROMPTS",
    "DEFAULT_PROMPT",
    "ENSEMBLES",
    "IMAGENET_PROMPTS",
    "PAIR_PROMPTS",
    "Embedder",
    "fill",
    "named_prompts",
    "prompt_vectors",
]

SLOT = "{}"

DEFAULT_PROMPT = "a photo of a {}."

PHOTOS_AT_ONCE = 32
"""The most decoded photos in memory."""


class Embedder:
    """An encoder with a cache.

    Args:
        encoder: The model.
        cache: The cache folder, as returned by `hiersearch.config.cache_dir`; None for no cache on
            disk.

    Attributes:
        root: (dim,) float32, the root that distances are measured from.
        id: Identifies the model's weights.
        name: The name or folder that was given.
        has_photos: Whether the model can encode photos.
    """

    def __init__(self, encoder: HierarchicalEncoder, *, cache: Path | None) -> None:
        self._encoder = encoder
        self.root: Floats = encoder.root
        self.id: str = encoder.id
        self.name: str = encoder.name
        self.has_photos: bool = encoder.has_photos
        self._vectors = VectorCache.of_model(encoder.id, cache)

    def texts(self, texts: Sequence[str]) -> Floats:
        """Encode texts that are not in the cache.

        Args:
            texts: The texts; repeats are encoded once.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            HiersearchError: The cache cannot be written.
            ModelError: The model returns something other than vectors.
        """
        return self._rows(self._vectors.vectors(texts, self._encoder.encode_texts))

    def photos(self, paths: Sequence[Path], on_progress: Progress = tell_nobody) -> Floats:
        """Encode photos that are not in the cache.

        Photos are cached by their files' content, whatever their paths.

        Args:
            paths: Image files; repeats are encoded once.
            on_progress: Called after each batch that is encoded.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            UnreadablePhotoError: A file cannot be read or decoded; names it.
            ModelError: The model has no image tower, or returns something other than vectors.
            HiersearchError: The cache cannot be written.
        """
        distinct = dict.fromkeys(paths)
        key_of = {path: _content_hash(path) for path in distinct}
        path_of = {key: path for path, key in key_of.items()}
        done = 0

        def compute(keys: Sequence[str]) -> Floats:
            nonlocal done
            found: list[Floats] = []
            for vectors in self._encoder.encode_photo_batches(
                self._decoded([path_of[key] for key in keys])
            ):
                found.append(vectors)
                done += len(vectors)
                on_progress("encoding photos", done, max(done, len(path_of)))
            return np.concatenate(found)

        keys = [key_of[path] for path in paths]
        return self._rows(self._vectors.vectors(keys, compute, kind="photo"))

    def _decoded(self, paths: Sequence[Path]) -> Iterator[list[Image.Image]]:
        for start in range(0, len(paths), PHOTOS_AT_ONCE):
            yield [self._image(path) for path in paths[start : start + PHOTOS_AT_ONCE]]

    def _image(self, path: Path) -> Image.Image:
        try:
            return read_photo(path, min_side=self._encoder.photo_size).image
        except UnreadablePhotoError as error:
            raise _named(error, path) from error

    def _rows(self, vectors: Floats) -> Floats:
        return vectors if len(vectors) else np.empty((0, len(self.root)), dtype=np.float32)


def _with_articles(patterns: Sequence[str]) -> tuple[str, ...]:
    """Each pattern with "a" and with "the" in place of its *."""
    return tuple(p.replace("*", article) for p in patterns for article in ("a", "the"))


CIFAR_PROMPTS: tuple[str, ...] = _with_articles(
    (
        "a photo of * {}.",
        "a blurry photo of * {}.",
        "a black and white photo of * {}.",
        "a low contrast photo of * {}.",
        "a high contrast photo of * {}.",
        "a bad photo of * {}.",
        "a good photo of * {}.",
        "a photo of * small {}.",
        "a photo of * big {}.",
    )
)
"""CLIP's 18 for CIFAR-10 and CIFAR-100."""

IMAGENET_PROMPTS: tuple[str, ...] = (
    *_with_articles(
        (
            "a photo of * {}.",
            "a bad photo of * {}.",
            "a good photo of * {}.",
            "a low resolution photo of * {}.",
            "a cropped photo of * {}.",
            "a bright photo of * {}.",
            "a dark photo of * {}.",
            "a close-up photo of * {}.",
            "a black and white photo of * {}.",
            "a pixelated photo of * {}.",
            "a jpeg corrupted photo of * {}.",
            "a blurry photo of * {}.",
            "a photo of * hard to see {}.",
            "a photo of * clean {}.",
            "a photo of * dirty {}.",
            "a photo of * cool {}.",
            "a photo of * nice {}.",
            "a photo of * weird {}.",
            "a photo of * small {}.",
            "a photo of * large {}.",
            "a sculpture of * {}.",
            "a rendering of * {}.",
            "a rendition of * {}.",
            "a tattoo of * {}.",
            "a drawing of * {}.",
            "a painting of * {}.",
            "a doodle of * {}.",
            "a sketch of * {}.",
            "graffiti of * {}.",
            "art of * {}.",
            "itap of * {}.",
            "* embroidered {}.",
            "* plastic {}.",
            "* origami {}.",
            "* toy {}.",
            "* cartoon {}.",
            "* plushie {}.",
            "* {} in a video game.",
        )
    ),
    "a photo of many {}.",
    "a photo of my {}.",
    "a photo of one {}.",
    "itap of my {}.",
)
"""CLIP's 80 for ImageNet. "itap" is "I took a picture"."""

PAIR_PROMPTS: tuple[str, ...] = (
    "a picture of a {fine}, a type of {coarse}",
    "a {coarse} of type {fine}",
    "this is a {fine}, a type of {coarse}",
    "a picture of a {coarse} of type {fine}",
    "a picture of a {coarse} which is a {fine}",
)
"""Those of table 7, which shows two empty slots and does not say which label goes into which; here
each goes where it makes a true sentence."""

ENSEMBLES: Mapping[str, tuple[str, ...]] = {
    "single": (DEFAULT_PROMPT,),
    "name": (SLOT,),
    "cifar": CIFAR_PROMPTS,
    "imagenet": IMAGENET_PROMPTS,
}
"""Prompts by the name that options take."""


def named_prompts(prompts: str | Sequence[str]) -> tuple[str, ...]:
    """The prompts of an ensemble, or the given prompts.

    Args:
        prompts: The name of one of `ENSEMBLES`, one prompt, or several.

    Raises:
        UsageError: One of them has no "{}", or there are none.
    """
    if isinstance(prompts, str):
        prompts = ENSEMBLES.get(prompts, (prompts,))
    wrong = [prompt for prompt in prompts if SLOT not in prompt]
    if wrong or not prompts:
        raise UsageError(
            f"{wrong[0]!r} has no {SLOT} for a name" if wrong else "there are no prompts",
            hint=f"Give a prompt such as {DEFAULT_PROMPT!r}, or one of {', '.join(ENSEMBLES)}",
        )
    return tuple(prompts)


def fill(prompt: str, name: str) -> str:
    """The prompt with the name in its slot; braces in the name are left alone."""
    return prompt.replace(SLOT, name)


def prompt_vectors(
    texts: Callable[[Sequence[str]], Floats], names: Sequence[str], prompts: Sequence[str]
) -> Floats:
    """One vector for each name: the mean over its prompts, scaled to length 1, as in CLIP.

    Args:
        texts: Maps n texts to (n, dim) rows of length 1.
        names: At least one.
        prompts: At least one, each with "{}".

    Returns:
        (names, dim) float32 rows of length 1; if the prompts' vectors cancel out, the vector of
        the first prompt.
    """
    filled = [fill(prompt, name) for name in names for prompt in prompts]
    vectors = texts(filled).reshape(len(names), len(prompts), -1)
    mean = vectors.mean(axis=1, dtype=np.float64)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    lost = length <= np.finfo(np.float32).eps
    unit = np.where(lost, vectors[:, 0], mean / np.where(lost, 1.0, length))
    return unit.astype(np.float32)


def _content_hash(path: Path) -> str:
    try:
        return content_hash(path)
    except UnreadablePhotoError as error:
        raise _named(error, path) from error


def _named(error: UnreadablePhotoError, path: Path) -> UnreadablePhotoError:
    """The same error, with the photo's path."""
    return UnreadablePhotoError(
        f"the photo {path} cannot be read: {error.message}",
        hint=error.hint or "Replace it, or leave it out of the data",
    )
