"""Computes vectors with the stock model: a `SentenceTransformer`, and so torch."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers.util import batch_to_device

from hiersearch.encoder.fusing import fuse_photos
from hiersearch.encoder.words import read_words, word_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    from hiersearch.encoder.words import ReadWord

__all__ = ["StockRuntime"]

PHOTO_BATCH = 16
"""Photos in a part of a batch."""

FUSED_BATCH = 4
"""The same for the fused tower: a smaller part keeps its activations in the processor's caches."""

UNKNOWN_SIZE = 512
"""Pixels of a photo's shortest edge, where the model does not say how many it uses."""


class StockRuntime:
    """A stock model as it is now, but that photos may take a faster way of the same function.

    On a CPU, torch's threads work on parts of a batch rather than inside each operation: that is
    faster, and does not collapse when the cores are shared.

    Args:
        model: Any dual encoder, or encoder of texts; put into evaluation mode.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model.eval()
        self._preparing = Lock()  # tokenizers are not safe to share among threads
        self._fused = fuse_photos(model)
        self.has_photos: bool = model.supports("image")
        self.photo_batch = PHOTO_BATCH if self._fused is None else FUSED_BATCH

    @cached_property
    def photo_size(self) -> int:
        """Pixels of a photo's shortest edge that the model uses."""
        for module in self._model.modules():
            processor = getattr(module, "processor", None)
            size = getattr(getattr(processor, "image_processor", processor), "size", None)
            if size:
                edges = [dict(size).get(edge) for edge in ("shortest_edge", "height", "width")]
                if any(edges):
                    return max(int(edge) for edge in edges if edge)
        return UNKNOWN_SIZE

    @property
    def budget(self) -> int:
        """How many parts are computed at once: on a CPU, as many as torch has threads."""
        return torch.get_num_threads() if self._model.device.type == "cpu" else 1

    def read_words(self, text: str) -> tuple[ReadWord, ...]:
        """The words of a text, and how well the model knows each."""
        with self._preparing:
            return read_words(self._word_pieces, text)

    def threads(self, workers: int, /) -> int:
        """How many of torch's threads each worker may use for photos.

        Args:
            workers: How many parts of a batch are computed at once.
        """
        # The fused tower's operations are too small to be worth sharing out.
        return 1 if self._fused is not None else max(1, self.budget // workers)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[Any]:
        """(n, dim) vectors of texts, as the model gives them."""
        # Otherwise a text such as "cat.jpg" would be opened, or fetched from the web.
        return self._embed([{"text": text} for text in texts] if self.has_photos else list(texts))

    def embed_photos(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """(n, dim) vectors of upright RGB images, as the model gives them."""
        return self._embed(list(images)) if self._fused is None else self._fused(images)

    @cached_property
    def _word_pieces(self) -> Any | None:
        return word_pieces(self._model)

    @torch.inference_mode()
    def _embed(self, inputs: list[Any]) -> NDArray[Any]:
        """What `SentenceTransformer.encode` does with one batch, without the rest."""
        prompt = self._model.prompts.get(self._model.default_prompt_name or "")
        with self._preparing:
            features = self._model.preprocess(inputs, prompt=prompt)
        features = batch_to_device(features, self._model.device)
        vectors: torch.Tensor = self._model(features)["sentence_embedding"]
        return vectors[:, : self._model.truncate_dim].float().cpu().numpy()
