"""Photos and texts to unit vectors, and the root that they are measured from.

A `HierarchicalEncoder` is a dual encoder that sentence-transformers loads, with its entailment
root: the embedding of the empty text, unless the model's folder fixes another.
"""

from __future__ import annotations

import math
import os
from contextlib import closing
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

from hiersearch.config import statistics_file
from hiersearch.encoder.fusing import fuse_photos
from hiersearch.encoder.model_folder import (
    Sidecar,
    fingerprint,
    load_model,
    quiet,
    read_sidecar,
    write_sidecar,
)
from hiersearch.encoder.registry import IN_MEMORY, MINI, known_statistics, model_folder
from hiersearch.encoder.threads import spread, spread_ahead
from hiersearch.encoder.words import read_words, word_pieces
from hiersearch.errors import ModelError, UsageError
from hiersearch.photos.pixels import upright
from hiersearch.trees import MEMBERSHIP_FILE, read_statistics, write_statistics

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hiersearch.encoder.words import ReadWord
    from hiersearch.trees import PhotoStatistics
    from hiersearch.types import Floats

    Photo = Image.Image | str | Path

__all__ = ["HierarchicalEncoder"]

Item = TypeVar("Item")

FEW_TEXTS = 8
"""Up to this many texts are not worth a second thread."""

PHOTO_BATCH = 16
"""Photos in a part of a batch."""

FUSED_BATCH = 4
"""The same for the fused tower: a smaller part keeps its activations in the processor's caches."""


class HierarchicalEncoder:
    """A dual encoder and its root.

    It reflects the model as it is now: after training the model further, make a new one.

    Args:
        model: A short name from `hiersearch.encoder.MODELS`, a Hugging Face name, a folder, or a
            loaded model. Models that are not on this machine are downloaded.
        device: Where to compute, as torch names it; by default the fastest there is.
        environ: The environment, for the cache folders.

    Attributes:
        name: The name that was asked for; for a folder, its absolute path.
        model: The stock model. Its own `encode` gives the same vectors.
        root: (dim,) float32, of length 1.
        dimension: Length of a vector.

    Raises:
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: It was found, but cannot be used.
        MissingPackageError: The offline model's packages are not installed.
    """

    def __init__(
        self,
        model: str | Path | SentenceTransformer,
        *,
        device: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._preparing = Lock()  # tokenizers are not safe to share among threads
        self._sidecar = Sidecar()
        self._folder: Path | None = None
        self._environ = environ
        if isinstance(model, SentenceTransformer):
            self.name = IN_MEMORY
            self.model = model if device is None else model.to(device)
        else:
            folder = model_folder(model, environ)
            is_folder = Path(model).expanduser() == folder
            self.name = str(folder.absolute()) if is_folder else str(model)
            self.model = load_model(folder, device)
            self._sidecar = read_sidecar(folder)
            self._folder = folder
        self.model.eval()
        self._fused = fuse_photos(self.model)
        empty = self.encode_texts([""])[0]
        self.dimension: int = len(empty)
        self.root: Floats = empty if self._sidecar.root is None else self._fixed_root()

    @cached_property
    def id(self) -> str:
        """Identifies the model, wherever it lies: by its recipe, or by a hash of its weights."""
        return (self._is_as_stated and self._sidecar.id) or self._weights

    @property
    def temperature(self) -> float | None:
        """T of the posterior descent for photos, if it was measured for these weights."""
        return self._sidecar.temperature if self._is_as_stated else None

    @cached_property
    def statistics(self) -> PhotoStatistics | None:
        """What is known of this model's vectors of photos: found out by this user, or shipped.

        Raises:
            ModelError: The file that holds it is damaged.
        """
        if self._folder is None:
            return None
        own = read_statistics(
            statistics_file(self.id, self._environ),
            mend="Calibrate again, or go back with 'hiersearch calibrate --forget'",
        )
        return own or self.shipped_statistics

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
        for module in self.model.modules():
            processor = getattr(module, "processor", None)
            size = getattr(getattr(processor, "image_processor", processor), "size", None)
            if size:
                edges = [dict(size).get(edge) for edge in ("shortest_edge", "height", "width")]
                if any(edges):
                    return max(int(edge) for edge in edges if edge)
        return 512

    def read_words(self, text: str) -> tuple[ReadWord, ...]:
        """The words of a text, and how well the model knows each.

        Only WordPiece tokenizers, such as the built-in models', tell; with others all are known.

        Args:
            text: Any text.
        """
        with self._preparing:
            return read_words(self._word_pieces, text)

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
        inputs: list[Any] = [texts[position] for position in order]
        if self.model.supports("image"):
            # Otherwise a text such as "cat.jpg" would be opened, or fetched from the web.
            inputs = [{"text": text} for text in inputs]
        budget = self._budget()
        fair = max(math.ceil(len(texts) / budget), FEW_TEXTS)
        parts = _parts(inputs, min(_positive(batch_size), fair))
        found = spread(self._embed, parts, workers=min(budget, len(parts)), threads=1)
        vectors = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
        vectors[order] = np.concatenate(found)
        return _unit_rows(vectors)

    def encode_photos(self, photos: Sequence[Photo], *, batch_size: int | None = None) -> Floats:
        """Embeds photos.

        On a CPU, torch's threads work on parts of the batch rather than inside each operation: that
        is faster, and does not collapse when the cores are shared.

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
        budget = self._budget()
        workers = min(budget, len(parts))
        # The fused tower's operations are too small to be worth sharing out.
        threads = 1 if self._fused is not None else max(1, budget // workers)
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
        found = spread_ahead(self._embed_photos, parts, workers=self._budget(), threads=1)
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
        stated, statistics = self._is_as_stated, self.shipped_statistics
        sidecar = Sidecar(
            root=self._sidecar.root,
            temperature=self._sidecar.temperature if stated else None,
            id=self._sidecar.id if stated else None,
            weights=self._weights,
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
        images = [upright(photo) for photo in photos]
        return self._embed(images) if self._fused is None else self._fused(images)

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
            batch_size = FUSED_BATCH if self._fused is not None else PHOTO_BATCH
        fair = math.ceil(len(photos) / self._budget())
        return _parts(photos, min(_positive(batch_size), max(fair, 1)))

    @torch.inference_mode()
    def _embed(self, inputs: Sequence[Any]) -> NDArray[Any]:
        """What `SentenceTransformer.encode` does with one batch, without the rest."""
        prompt = self.model.prompts.get(self.model.default_prompt_name or "")
        with self._preparing:
            features = self.model.preprocess(list(inputs), prompt=prompt)
        features = batch_to_device(features, self.model.device)
        vectors: torch.Tensor = self.model(features)["sentence_embedding"]
        return vectors[:, : self.model.truncate_dim].float().cpu().numpy()

    def _budget(self) -> int:
        """How many parts are computed at once: on a CPU, as many as torch has threads."""
        return torch.get_num_threads() if self.model.device.type == "cpu" else 1

    @cached_property
    def _word_pieces(self) -> Any | None:
        return word_pieces(self.model)

    @cached_property
    def _weights(self) -> str:
        return fingerprint(self.model.state_dict())

    @cached_property
    def _is_as_stated(self) -> bool:
        """Whether the sidecar is about these weights, not about those they were trained from."""
        return self._sidecar.weights is not None and self._sidecar.weights == self._weights

    def _fixed_root(self) -> Floats:
        root = np.asarray(self._sidecar.root, dtype=np.float32)
        if root.shape != (self.dimension,) or abs(np.linalg.norm(root) - 1.0) > 1e-3:
            raise ModelError(
                f"the root that {self.name} states is not a vector of length 1 "
                f"and dimension {self.dimension}",
                hint="Save the model again",
            )
        return root

    def _require_photos(self) -> None:
        if not self.model.supports("image"):
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
