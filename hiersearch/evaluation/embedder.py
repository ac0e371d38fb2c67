"""An encoder that remembers: vectors of texts and photos, kept on disk for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos import content_hash, read_photo
from hiersearch.progress import Progress, tell_nobody
from hiersearch.vector_cache import VectorCache

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from hiersearch.encoder import HierarchicalEncoder

    Floats: TypeAlias = NDArray[np.float32]

__all__ = ["Embedder"]

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
        path = None if cache is None else cache / "vectors" / f"{encoder.id}.sqlite"
        self._vectors = VectorCache(path, encoder.id)

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
