"""Which model an index or a collection needs, and whether the one at hand is that model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from hiersearch.config import read_settings
from hiersearch.encoder import default_model
from hiersearch.errors import ModelError, ModelMismatchError, UnreadablePhotoError
from hiersearch.index.storage import IndexStore
from hiersearch.photos import read_photo, text_to_path
from hiersearch.qdrant import Record
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = [
    "FILE_FIELDS",
    "TEXT_FIELDS",
    "LoadEncoder",
    "ModelCheck",
    "check_encoder",
    "load_encoder",
    "user_model",
]

LoadEncoder: TypeAlias = Callable[[], "HierarchicalEncoder"]
"""Returns an encoder, which is loaded by the first call."""

TEXT_FIELDS = ("caption", "text", "title", "description")
"""Payload fields that are tried for the text that was encoded."""

FILE_FIELDS = ("path", "file")
"""Payload fields that are tried for the photo file that was encoded."""

_COMPARED = 8
_SAME_TEXT = 0.99
_SAME_PHOTO = 0.9
"""Lower, because photos are decoded and shrunk in more than one way."""


def load_encoder(model: str | HierarchicalEncoder) -> HierarchicalEncoder:
    """The encoder of a name or a folder; a loaded encoder is returned as it is.

    Raises:
        ModelNotFoundError: The model is not on this machine.
    """
    from hiersearch.encoder import HierarchicalEncoder  # imports torch

    return model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)


def user_model(environ: Mapping[str, str] = os.environ) -> str:
    """The model for new indexes if none is named: the user's setting, else the default."""
    return read_settings(environ).model or default_model(environ)[0]


def check_encoder(encoder: HierarchicalEncoder, store: IndexStore) -> HierarchicalEncoder:
    """The encoder, if an index was made with it.

    Raises:
        ModelMismatchError: It was made with another one.
    """
    made_with = store.manifest
    if encoder.id == made_with.model_id:
        return encoder
    raise ModelMismatchError(
        f"the index at {store.place} was made with {made_with.model} ({made_with.model_id}), "
        f"not with {encoder.name} ({encoder.id})",
        hint="Leave --model out, or index the photos into another store",
    )


class ModelCheck:
    """Encodes the texts or photos of some points again, and compares: a `check` for `attach`.

    Args:
        encoder: The model that is said to have made the vectors.
        text_field: The payload field with the text that was encoded; common ones by default.
        file_field: The payload field with the photo file that was encoded; common ones by default.

    Attributes:
        similarity: Median cosine similarity of stored and new vectors, in [-1, 1], for the field
            that agrees best; None until something was compared.
        field: That field.
        texts: Whether the vectors turned out to be of texts.
    """

    def __init__(
        self,
        encoder: HierarchicalEncoder,
        *,
        text_field: str | None = None,
        file_field: str | None = None,
    ) -> None:
        self._encoder = encoder
        self._text_fields = (text_field,) if text_field else () if file_field else TEXT_FIELDS
        self._file_fields = (file_field,) if file_field else () if text_field else FILE_FIELDS
        self.similarity: float | None = None
        self.field = ""
        self.texts = False

    def __call__(self, records: Sequence[Record]) -> bool | None:
        """Compares up to eight points.

        Args:
            records: Points with their vectors.

        Returns:
            True if the model made the vectors; None if no text or photo can be read.

        Raises:
            ModelMismatchError: The vectors differ from those that the model gives.
        """
        for field in self._file_fields:
            if self._agrees(records, field, self._photo, self._encode_photos, _SAME_PHOTO):
                return True
        for field in self._text_fields:
            if self._agrees(records, field, _text, self._encoder.encode_texts, _SAME_TEXT):
                self.texts = True
                return True
        if self.similarity is None:
            return None
        raise ModelMismatchError(
            f"the vectors are not those that {self._encoder.name} gives to what {self.field!r} "
            f"names (cosine similarity {self.similarity:.2f})",
            hint="Name the model that made them, or the field that was encoded",
        )

    def _agrees(
        self,
        records: Sequence[Record],
        field: str,
        read: Callable[[Any], Any],
        encode: Callable[[Sequence[Any]], Floats | None],
        least: float,
    ) -> bool:
        found: list[tuple[Any, Floats]] = []
        for record in records:
            source = None if record.vector is None else read(record.payload.get(field))
            if source is not None and record.vector is not None and record.vector.any():
                found.append((source, record.vector))
            if len(found) == _COMPARED:
                break
        vectors = encode([source for source, _ in found]) if found else None
        if vectors is None:
            return False
        stored = np.stack([vector for _, vector in found])
        cosines = (stored * vectors).sum(axis=1) / np.linalg.norm(stored, axis=1)
        # The middle: a text or a file may have been changed since.
        similarity = float(np.median(cosines))
        if self.similarity is None or similarity > self.similarity:
            self.similarity, self.field = similarity, field
        return similarity >= least

    def _encode_photos(self, images: Sequence[Image.Image]) -> Floats | None:
        try:
            return self._encoder.encode_photos(images)
        except ModelError:
            return None  # a model of texts only

    def _photo(self, value: object) -> Image.Image | None:
        """The photo file that a payload field names, decoded; of several files, the first."""
        text = value[0] if isinstance(value, list) and value else value
        if not isinstance(text, str):
            return None
        try:
            path = text_to_path(text)
            return read_photo(path, min_side=self._encoder.photo_size).image
        except (UnreadablePhotoError, OSError, ValueError):
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
