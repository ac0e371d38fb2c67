"""An encoder that remembers: vectors of texts and photos, kept on disk for each model.

What class names are put into before they are compared with photos.

The ensembles of 80 and of 18 prompts are those of Radford et al. 2021 (CLIP), from its repository
(https://github.com/openai/CLIP, the notebook "Prompt Engineering for ImageNet" and data/prompts.md;
MIT License, Copyright (c) 2021 OpenAI). Most of them come in twos, with "a" and with "the", and are
written here as such. The prompts for two labels are the single-prompt baselines of table 7 of
Alper & Averbuch-Elor 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.encoder.cache import VectorCache
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

PHOTOS_AT_ONCE = 32
"""Photos that are held decoded."""


class Embedder:
    """An encoder behind a cache.

    Args:
        encoder: The model.
        cache: The folder of caches, as `hiersearch.config.cache_dir` gives it; None keeps nothing.

    Attributes:
        root: (dim,) float32, what distances are measured from.
        id: What the model is, wherever it lies.
        name: What was asked for.
        has_photos: Whether the model reads photos, too.
    """

    def __init__(self, encoder: HierarchicalEncoder, *, cache: Path | None) -> None:
        self._encoder = encoder
        self.root: Floats = encoder.root
        self.id: str = encoder.id
        self.name: str = encoder.name
        self.has_photos: bool = encoder.model.supports("image")
        self._vectors = VectorCache.of_model(encoder.id, cache)

    def texts(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts, computed where they are not kept.

        Args:
            texts: Any texts; repeats cost nothing.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            HiersearchError: If the cache cannot be written.
            ModelError: If the model gives something that is no vector.
        """
        return self._rows(self._vectors.vectors(texts, self._encoder.encode_texts))

    def photos(self, paths: Sequence[Path], progress: Progress = tell_nobody) -> Floats:
        """Vectors of photos, computed where they are not kept.

        A photo is known by its file's content, wherever it lies.

        Args:
            paths: Image files; repeats cost nothing.
            progress: Told after each batch of those that are computed.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            UnreadablePhotoError: If a file cannot be read or decoded; names it.
            ModelError: If the model has no image tower, or gives something that is no vector.
            HiersearchError: If the cache cannot be written.
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
                progress("encoding photos", done, max(done, len(path_of)))
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


def _content_hash(path: Path) -> str:
    try:
        return content_hash(path)
    except UnreadablePhotoError as error:
        raise _named(error, path) from error


def _named(error: UnreadablePhotoError, path: Path) -> UnreadablePhotoError:
    """The same error for people who do not know which photo is being read."""
    return UnreadablePhotoError(
        f"the photo {path} cannot be read: {error.message}",
        hint=error.hint or "Replace it, or leave it out of the data",
    )


SLOT = "{}"

DEFAULT_PROMPT = "a photo of a {}."


def _with_articles(patterns: Sequence[str]) -> tuple[str, ...]:
    """Each pattern with "a" and with "the" for its *."""
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
"""Table 7's. It shows two empty slots and does not say which label goes into which: here each goes
where it makes a true sentence."""

ENSEMBLES: Mapping[str, tuple[str, ...]] = {
    "single": (DEFAULT_PROMPT,),
    "name": (SLOT,),
    "cifar": CIFAR_PROMPTS,
    "imagenet": IMAGENET_PROMPTS,
}
"""Prompts by the name that they may be asked for with."""


def named_prompts(prompts: str | Sequence[str]) -> tuple[str, ...]:
    """The prompts of an ensemble, or those that are given.

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
    """The prompt with the name in its place; braces in the name are left alone."""
    return prompt.replace(SLOT, name)


def prompt_vectors(
    texts: Callable[[Sequence[str]], Floats], names: Sequence[str], prompts: Sequence[str]
) -> Floats:
    """One vector for each name: the mean over its prompts, scaled to length 1 (as CLIP does it).

    Args:
        texts: From n texts to (n, dim) rows of length 1.
        names: At least one.
        prompts: At least one, each with "{}".

    Returns:
        (names, dim) float32 rows of length 1; where the prompts' vectors cancel each other out,
        the vector of the first prompt.
    """
    filled = [fill(prompt, name) for name in names for prompt in prompts]
    vectors = texts(filled).reshape(len(names), len(prompts), -1)
    mean = vectors.mean(axis=1, dtype=np.float64)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    lost = length <= np.finfo(np.float32).eps
    unit = np.where(lost, vectors[:, 0], mean / np.where(lost, 1.0, length))
    return unit.astype(np.float32)
