"""Photos and texts to unit vectors, and the root that they are measured from.

A `HierarchicalEncoder` is a dual encoder that sentence-transformers loads, with its entailment
root: the embedding of the empty text, unless the model's folder fixes another. Where the model's
graphs are at hand, as `mini`'s are, they compute the same vectors without torch.
"""

from __future__ import annotations

import math
import os
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from hiersearch.encoder.graphs import GraphRuntime, read_notes
from hiersearch.encoder.known import known_statistics, own_statistics
from hiersearch.encoder.model_folder import (
    Sidecar,
    fingerprint,
    load_model,
    quiet,
    read_sidecar,
    write_sidecar,
)
from hiersearch.encoder.registry import (
    IN_MEMORY,
    MINI,
    graph_folder,
    model_folder,
)
from hiersearch.encoder.threads import spread, spread_ahead
from hiersearch.errors import ModelError, UsageError
from hiersearch.photos.pixels import upright
from hiersearch.trees import MEMBERSHIP_FILE, read_statistics, write_statistics

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from hiersearch.encoder.graphs import GraphNotes
    from hiersearch.encoder.runtime import Runtime
    from hiersearch.encoder.words import ReadWord
    from hiersearch.trees import PhotoStatistics
    from hiersearch.types import Floats

    Photo = Image.Image | str | Path

__all__ = ["HierarchicalEncoder"]

Item = TypeVar("Item")

LEAST_PART = 8
"""Up to this many texts are not worth a second thread."""


class HierarchicalEncoder:
    """A dual encoder and its root.

    It reflects the model as it is now: after training the model further, make a new one.

    Args:
        model: A short name from `hiersearch.encoder.MODELS`, a Hugging Face name, a folder, or a
            loaded model. Models that are not on this machine are downloaded.
        device: Where to compute, as torch names it. By default the processor where the model has
            graphs, as `mini` has, else the fastest there is.
        environ: The environment, for the cache folders.

    Attributes:
        name: The name that was asked for; for a folder, its absolute path.
        has_photos: Whether it encodes photos.

    Raises:
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: It was found, but cannot be used.
        MissingPackageError: The packages that it needs are not installed.
    """

    def __init__(
        self,
        model: str | Path | SentenceTransformer,
        *,
        device: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._environ = environ
        self._sidecar = Sidecar()
        self._folder: Path | None = None
        self._notes: GraphNotes | None = None
        self._model: SentenceTransformer | None = None
        if not isinstance(model, str | Path):
            self.name = IN_MEMORY
            self._model = model if device is None else model.to(device)
        else:
            graphs = graph_folder(model)
            self._folder = graphs or model_folder(model, environ)
            is_folder = Path(model).expanduser() == self._folder
            self.name = str(self._folder.absolute()) if is_folder else str(model)
            self._sidecar = read_sidecar(self._folder)
            self._notes = None if graphs is None else read_notes(graphs)
            if self._notes is None:
                self._model = load_model(self._folder, device)
            elif not (self._sidecar.id and self._sidecar.weights):
                raise ModelError(
                    f"the graphs in {graphs} do not say of what model they are",
                    hint="Export the model again with 'hiersearch export'",
                )
            elif device not in (None, "cpu"):
                self._model = self._source(device)
        self._runtime: Runtime
        if self._model is None:
            assert self._folder is not None
            assert self._notes is not None
            self._runtime = GraphRuntime(self._folder, self._notes)
        else:
            from hiersearch.encoder.stock import StockRuntime

            self._runtime = StockRuntime(self._model)
        self.has_photos = self._runtime.has_photos
        if self._model is not None:
            _ = self.root  # a model that gives no vectors is refused at once

    @property
    def has_graphs(self) -> bool:
        """Whether the model's graphs compute the vectors, without torch."""
        return isinstance(self._runtime, GraphRuntime)

    @property
    def model(self) -> SentenceTransformer:
        """The stock model, loaded if need be. Its own `encode` gives the same vectors.

        Raises:
            MissingPackageError: The model libraries are not installed.
            ModelError: It cannot be loaded, or has changed since its graphs were made.
            ModelNotFoundError: It is no longer where it was when its graphs were made.
        """
        if self._model is None:
            self._model = self._source(None)
        return self._model

    @cached_property
    def root(self) -> Floats:
        """(dim,) float32, of length 1.

        Raises:
            ModelError: The root that the model's folder states is none.
        """
        if self._sidecar.root is None:
            found: Floats = self.encode_texts([""])[0]
            return found
        root = np.asarray(self._sidecar.root, dtype=np.float32)
        dimension = self.encode_texts([""]).shape[1]
        if root.shape != (dimension,) or abs(np.linalg.norm(root) - 1.0) > 1e-3:
            raise ModelError(
                f"the root that {self.name} states is not a vector of length 1 "
                f"and dimension {dimension}",
                hint="Save the model again",
            )
        return root

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return len(self.root)

    @cached_property
    def id(self) -> str:
        """Identifies the model, wherever it lies: by its recipe, or by a hash of its weights."""
        return (self._is_as_stated and self._sidecar.id) or self._weights

    @property
    def temperature(self) -> float | None:
        """T of the posterior descent for photos, if it was measured for these weights."""
        return self._sidecar.temperature if self._is_as_stated else None

    @property
    def statistics(self) -> PhotoStatistics | None:
        """What is known of this model's vectors of photos: found out by this user, or shipped.

        Raises:
            ModelError: The file that holds it is damaged.
        """
        if self._folder is None:
            return None
        return own_statistics(self.id, self._environ) or self.shipped_statistics

    @cached_property
    def shipped_statistics(self) -> PhotoStatistics | None:
        """What comes with the model, if it was measured for these weights.

        Raises:
            ModelError: The file that holds it is damaged.
        """
        if self._folder is None or not self._is_as_stated:
            return None
        return read_statistics(self._folder / MEMBERSHIP_FILE) or known_statistics(self.id)

    @cached_property
    def photo_size(self) -> int:
        """Pixels of a photo's shortest edge that the model uses; more make no difference.

        Raises:
            ModelError: The model has no image tower.
        """
        self._require_photos()
        return self._runtime.photo_size

    def read_words(self, text: str) -> tuple[ReadWord, ...]:
        """The words of a text, and how well the model knows each.

        Only WordPiece tokenizers, such as the built-in models', tell; with others all are known.

        Args:
            text: Any text.
        """
        return self._runtime.read_words(text)

    def encode_texts(self, texts: Sequence[str], *, batch_size: int = 64) -> Floats:
        """Embeds texts.

        Args:
            texts: Any texts; a text that names a file or a web address is still a text.
            batch_size: The most texts computed at once, at least 1.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            UsageError: These are not texts.
            ModelError: The model returned something that is no vector.
        """
        _require_list(texts, "texts")
        for position, text in enumerate(texts):
            if not isinstance(text, str):
                raise UsageError(f"texts[{position}] is of type {type(text).__name__}, not a text")
        if not texts:
            return self._nothing()
        # Texts of like length together: the shorter ones are padded to the longest of a part.
        order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
        budget = self._runtime.budget
        fair = max(math.ceil(len(texts) / budget), LEAST_PART)
        parts = _parts([texts[position] for position in order], min(_positive(batch_size), fair))
        workers = min(budget, len(parts))
        threads = self._runtime.threads(budget)
        found = spread(self._runtime.embed_texts, parts, workers=workers, threads=threads)
        vectors = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(found)
        return _unit_rows(vectors)

    def encode_photos(self, photos: Sequence[Photo], *, batch_size: int | None = None) -> Floats:
        """Embeds photos.

        Args:
            photos: Images, or paths of image files; turned upright and made RGB.
            batch_size: The most photos computed at once, at least 1; by default what is fastest.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            UsageError: These are neither images nor paths.
            PhotosNotFoundError: A path does not exist.
            UnreadablePhotoError: A file cannot be decoded.
            ModelError: The model has no image tower, or returned something that is no vector.
        """
        parts = self._photo_parts(photos, batch_size)
        if not parts:
            return self._nothing()
        workers = min(self._runtime.budget, len(parts))
        threads = self._runtime.threads(workers)
        found = spread(self._embed_photos, parts, workers=workers, threads=threads)
        return _unit_rows(np.concatenate(found))

    def encode_photo_batches(
        self, batches: Iterable[Sequence[Photo]], *, batch_size: int | None = None
    ) -> Generator[Floats]:
        """Embeds photos in batches, each while the caller uses the vectors of the one before.

        Args:
            batches: As for `encode_photos`; read one batch ahead, in the caller's thread.
            batch_size: As for `encode_photos`.

        Yields:
            (n, dim) float32 rows of length 1 for each batch.

        Raises:
            UsageError: As for `encode_photos`.
            PhotosNotFoundError: As for `encode_photos`.
            UnreadablePhotoError: As for `encode_photos`.
            ModelError: As for `encode_photos`.
        """
        parts = (self._photo_parts(photos, batch_size) for photos in batches)
        workers = self._runtime.budget
        threads = self._runtime.threads(workers)
        found = spread_ahead(self._embed_photos, parts, workers=workers, threads=threads)
        with closing(found):
            for vectors in found:
                yield _unit_rows(np.concatenate(vectors)) if vectors else self._nothing()

    def save(self, path: str | Path) -> None:
        """Writes a folder that plain `SentenceTransformer(path)` opens, and so does this class.

        Args:
            path: The folder; created if missing.

        Raises:
            ModelError: It cannot be written.
        """
        folder = Path(path)
        weights = fingerprint(self.model.state_dict())
        stated = weights == self._sidecar.weights
        statistics = self.shipped_statistics if stated else None
        sidecar = Sidecar(
            root=self._sidecar.root,
            temperature=self._sidecar.temperature if stated else None,
            id=self._sidecar.id if stated else None,
            weights=weights,
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with quiet():
                self.model.save(str(folder), create_model_card=False)
            write_sidecar(folder, sidecar)
            # Those of another model may lie there.
            (folder / MEMBERSHIP_FILE).unlink(missing_ok=True)
            if statistics is not None:
                write_statistics(folder / MEMBERSHIP_FILE, statistics)
        except OSError as error:
            raise ModelError(
                f"the model cannot be saved to {folder}: {error.strerror or error}",
                hint="Choose a folder that can be written to",
            ) from error

    def _embed_photos(self, photos: Sequence[Photo]) -> NDArray[Any]:
        return self._runtime.embed_photos([upright(photo) for photo in photos])

    def _photo_parts(
        self, photos: Sequence[Photo], batch_size: int | None
    ) -> list[Sequence[Photo]]:
        """Checks photos, and cuts them into parts that are worth computing side by side."""
        _require_list(photos, "photos")
        for position, photo in enumerate(photos):
            if not isinstance(photo, Image.Image | str | Path):
                raise UsageError(
                    f"photos[{position}] is of type {type(photo).__name__}, "
                    "neither an image nor a path"
                )
        self._require_photos()
        if batch_size is None:
            batch_size = self._runtime.photo_batch
        fair = math.ceil(len(photos) / self._runtime.budget)
        return _parts(photos, min(_positive(batch_size), max(fair, 1)))

    def _source(self, device: str | None) -> SentenceTransformer:
        """The stock model that the graphs do the same as."""
        assert self._notes is not None
        model = load_model(model_folder(self._notes.source, self._environ), device).eval()
        if fingerprint(model.state_dict()) != self._sidecar.weights:
            raise ModelError(
                f"the model {self._notes.source} has changed since the graphs in {self._folder} "
                "were made of it",
                hint="Export it again with 'hiersearch export'",
            )
        return model

    @cached_property
    def _weights(self) -> str:
        if self._notes is not None:
            assert self._sidecar.weights is not None
            return self._sidecar.weights
        return fingerprint(self.model.state_dict())

    @cached_property
    def _is_as_stated(self) -> bool:
        """Whether the sidecar is about these weights, not about those they were trained from."""
        return self._sidecar.weights is not None and self._sidecar.weights == self._weights

    def _require_photos(self) -> None:
        if not self.has_photos:
            raise ModelError(
                f"the model {self.name} reads texts only",
                hint=f"Choose one that reads photos as well, such as {MINI} or clip-b",
            )

    def _nothing(self) -> Floats:
        return np.empty((0, self.dimension), dtype=np.float32)


def _require_list(items: object, name: str) -> None:
    if isinstance(items, str | bytes | Path | Image.Image):
        raise UsageError(f"one {name.removesuffix('s')} was given for {name}", hint="Pass a list")


def _positive(batch_size: int) -> int:
    if batch_size < 1:
        raise UsageError(f"a batch size of {batch_size} is below 1")
    return batch_size


def _parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _unit_rows(vectors: NDArray[Any]) -> Floats:
    """Checks a model's output, and scales its rows to length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ModelError(
            "the model gave vectors that are not finite, or without length",
            hint="Its weights may be damaged: choose another model",
        )
    unit: Floats = np.ascontiguousarray(vectors / lengths, dtype=np.float32)
    return unit
