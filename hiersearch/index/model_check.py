"""What attaching a collection needs of a model: whether it made the vectors, and their concepts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hiersearch.chains import Labeller, chain_payload
from hiersearch.concepts import Vocabulary, builtin_vocabulary
from hiersearch.descent import calibrate
from hiersearch.errors import ModelError, ModelMismatchError, UnreadablePhotoError
from hiersearch.index.labels import embed, store_concepts, stored_vectors
from hiersearch.photos import read_photo, text_to_path
from hiersearch.progress import Progress
from hiersearch.qdrant import EdgeClient, HierarchicalCollection, Record
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = ["FILE_FIELDS", "TEXT_FIELDS", "ModelCheck", "vocabulary_label"]


TEXT_FIELDS = ("caption", "text", "title", "description")
"""Payload fields that are tried for the text that was encoded."""
FILE_FIELDS = ("path", "file")
"""Payload fields that are tried for the photo that was encoded: files, no addresses."""

_COMPARED = 8
_SAME_TEXT = 0.99
_SAME_PHOTO = 0.9
"""Photos are decoded and shrunk in more than one way."""


class ModelCheck:
    """Encodes what some points were made from, and compares: a `Check` for `attach`.

    Args:
        encoder: The model that is said to have made the vectors.
        text_field: The payload field with the text that was encoded; None: common ones are tried.
        file_field: The payload field with the photo file that was encoded, likewise.

    Attributes:
        similarity: Cosine similarity of what was compared, the median of the field that agrees
            most; None before, and where nothing could be read.
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
        """Whether the model made the vectors: True; None where nothing can be read.

        Raises:
            ModelMismatchError: It did not, as far as can be seen.
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
        """A photo file on this machine, decoded; of a photo in several places, the first."""
        text = value[0] if isinstance(value, list) and value else value
        if not isinstance(text, str):
            return None
        try:
            path = text_to_path(text)
            return read_photo(path, min_side=self._encoder.photo_size).image
        except (UnreadablePhotoError, OSError, ValueError):
            return None


@contextmanager
def vocabulary_label(
    vocabulary: Vocabulary,
    encoder: HierarchicalEncoder,
    collection: HierarchicalCollection,
    check: ModelCheck,
    *,
    cache: Path,
    tell: Progress,
) -> Iterator[Callable[[Floats], list[dict[str, Any]]]]:
    """A `Label` for `attach`, from a vocabulary.

    Args:
        vocabulary: The concepts.
        encoder: The model.
        collection: What is to be labelled; some of its vectors calibrate the model.
        check: Knows, once it was called, whether the vectors are of texts.
        cache: Folder of embedded vocabularies.
        tell: Told about work that takes time.
    """
    made: list[Labeller] = []

    def make(folder: EdgeClient) -> Labeller:
        embeddings = embed(vocabulary, encoder.id, lambda: encoder, cache, tell)
        concepts = HierarchicalCollection(folder, "concepts", root=encoder.root)
        if not vocabulary.has_parents:
            store_concepts(concepts, vocabulary, embeddings, tell)
            return Labeller(vocabulary, embeddings, None, concepts)
        texts = embed(builtin_vocabulary(), encoder.id, lambda: encoder, cache, tell)
        temperature = encoder.temperature
        sample = stored_vectors(collection) if temperature is None else None
        calibration = calibrate(texts, sample, temperature=temperature)
        return Labeller(vocabulary, embeddings, calibration, concepts)

    with tempfile.TemporaryDirectory() as folder, EdgeClient(folder) as client:

        def label(rows: Floats) -> list[dict[str, Any]]:
            if not made:
                made.append(make(client))
            chains = made[0].chains(rows, texts=check.texts)
            return [chain_payload(chain, vocabulary) for chain in chains]

        yield label


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
