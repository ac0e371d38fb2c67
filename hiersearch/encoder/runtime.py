"""What computes vectors: the stock model with torch, or its graphs with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from hiersearch.encoder.words import ReadWord

__all__ = ["Runtime"]


class Runtime(Protocol):
    """Computes vectors of parts of a batch; safe to call in threads."""

    @property
    def has_photos(self) -> bool:
        """Whether the model has an image tower."""

    @property
    def photo_size(self) -> int:
        """Pixels of a photo's shortest edge that the model uses."""

    @property
    def photo_batch(self) -> int:
        """How many photos make the fastest part."""

    @property
    def budget(self) -> int:
        """How many parts are computed at once."""

    def read_words(self, text: str) -> tuple[ReadWord, ...]:
        """The words of a text, and how well the model knows each."""

    def threads(self, workers: int, /) -> int | None:
        """How many of torch's threads each worker may use for photos; None if torch has no part."""

    def embed_texts(self, texts: Sequence[str]) -> NDArray[Any]:
        """(n, dim) vectors of any length but zero."""

    def embed_photos(self, images: Sequence[Image.Image]) -> NDArray[Any]:
        """(n, dim) vectors of upright RGB images, of any length but zero."""
