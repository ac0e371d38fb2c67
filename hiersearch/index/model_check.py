"""Which model an index or a collection needs, and whether the one at hand is that model.

An `AnyModel` is a `HierarchicalEncoder`, or a `TextModel`: any function from texts to vectors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from hiersearch.config import read_settings
from hiersearch.encoder import FORMER, MODELS, default_model
from hiersearch.errors import (
    ModelError,
    ModelMismatchError,
    ModelNotFoundError,
    UnreadablePhotoError,
    UsageError,
    require,
)
from hiersearch.index.storage import IndexStore
from hiersearch.photos import read_photo, text_to_path
from hiersearch.qdrant import Record
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = [
    "FASTEMBED",
    "FILE_FIELDS",
    "TEXT_FIELDS",
    "AnyModel",
    "LoadEncoder",
    "ModelCheck",
    "TextModel",
    "check_encoder",
    "load_attached_model",
    "load_encoder",
    "load_model",
    "user_model",
]

LoadEncoder: TypeAlias = Callable[[], "HierarchicalEncoder"]
"""Returns an encoder, which is loaded by the first call."""

FASTEMBED = "fastembed:"
"""What the names of fastembed's models begin with."""

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
    from hiersearch.encoder import HierarchicalEncoder

    return model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)


class AnyModel(Protocol):
    """What a collection's vectors may have been made by; a `HierarchicalEncoder` is one."""

    @property
    def name(self) -> str:
        """What users call it."""

    @property
    def id(self) -> str:
        """Identifies the model, wherever it lies."""

    @property
    def root(self) -> Floats:
        """(dim,), of length 1."""

    @property
    def temperature(self) -> float | None:
        """T of the posterior descent for photos, if it was measured."""

    @property
    def photo_size(self) -> int:
        """Pixels of a photo's shortest edge that the model uses."""

    def encode_texts(self, texts: Sequence[str], /) -> Floats:
        """(n, dim) rows of length 1."""

    def encode_photos(self, photos: Sequence[Any], /) -> Floats:
        """(n, dim) rows of length 1; raises `ModelError` if the model reads texts only."""


Vectors: TypeAlias = Callable[[list[Any]], ArrayLike]
"""Turns n items into n vectors, of any length but zero."""


class TextModel:
    """A model that is a function: somebody's API, or a library such as fastembed.

    Args:
        texts: Turns a list of n texts into n vectors; called for several at once.
        root: (dim,), the root; by default the vector of the empty text, which is asked for when it
            is first needed.
        photos: The same for PIL images; None for a model of texts only.
        name: What to call the model in messages.

    Example:
        >>> model = TextModel(lambda texts: api.embed(texts))
        >>> collection = HierarchicalCollection(client, "captions", root=model.root)
        >>> collection.descendants_of(model.encode_texts(["an animal"])[0], limit=10)
    """

    temperature: float | None = None
    photo_size = 512

    def __init__(
        self,
        texts: Vectors,
        *,
        root: ArrayLike | None = None,
        photos: Vectors | None = None,
        name: str = "this model",
    ) -> None:
        self.name = self.id = name
        self._texts = texts
        self._photos = photos
        self._root = root

    @classmethod
    def of_fastembed(cls, name: str) -> TextModel:
        """One of fastembed's models; of CLIP's pairs, name the model of texts.

        Args:
            name: As fastembed knows it, such as "Qdrant/clip-ViT-B-32-text".

        Raises:
            MissingPackageError: fastembed is not installed.
            ModelNotFoundError: It has no such model, or cannot download it.
        """
        purpose = f"the model {FASTEMBED}{name}"
        library: Any = require("fastembed", extra="fastembed", purpose=purpose)

        def load(kind: Any, of: str) -> Any:
            try:
                return kind(model_name=of)
            except ValueError as error:
                raise ModelNotFoundError(
                    f"fastembed cannot load the model {of} ({error})",
                    hint="Check the name against fastembed's list of models, and the network",
                ) from error

        text_model = load(library.TextEmbedding, name)
        eyes = {one["model"] for one in library.ImageEmbedding.list_supported_models()}
        eye = name.replace("-text", "-vision")
        made: list[Any] = []

        def photos(images: list[Any]) -> ArrayLike:
            if not made:
                made.append(load(library.ImageEmbedding, eye))
            return np.stack(list(made[0].embed(images)))

        return cls(
            lambda texts: np.stack(list(text_model.embed(texts))),
            photos=photos if eye in eyes else None,
            name=f"{FASTEMBED}{name}",
        )

    @cached_property
    def root(self) -> Floats:
        """(dim,) float32, of length 1.

        Raises:
            ModelError: No root was given, and the model refuses the empty text.
        """
        if self._root is not None:
            given: Floats = _unit_rows(self._root, 1, "the root")[0]
            return given
        try:
            root: Floats = self.encode_texts([""])[0]
        except Exception as error:  # whatever somebody's API raises
            raise ModelError(
                f"{self.name} gives no vector to the empty text ({error})",
                hint="Give a root: root= in Python, --root FILE.npy on the command line",
            ) from error
        return root

    def encode_texts(self, texts: Sequence[str], /) -> Floats:
        """Embeds texts.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            UsageError: One text was given for a list of texts.
            ModelError: The function did not return n vectors.
        """
        if isinstance(texts, str):
            raise UsageError("one text was given for texts", hint="Pass a list")
        return _unit_rows(self._texts(list(texts)), len(texts), self.name)

    def encode_photos(self, photos: Sequence[Any], /) -> Floats:
        """Embeds photos.

        Args:
            photos: Images, upright.

        Returns:
            (n, dim) float32 rows of length 1.

        Raises:
            ModelError: The model reads texts only, or did not return n vectors.
        """
        if self._photos is None:
            raise ModelError(
                f"{self.name} reads texts only", hint="Name a model that reads photos as well"
            )
        return _unit_rows(self._photos(list(photos)), len(photos), self.name)


def load_model(name: str) -> AnyModel:
    """The model of a name: a `HierarchicalEncoder`'s, or "fastembed:" and a name of fastembed's.

    Raises:
        ModelNotFoundError: The model was not found.
        MissingPackageError: The packages that it needs are not installed.
    """
    if name.startswith(FASTEMBED):
        return TextModel.of_fastembed(name.removeprefix(FASTEMBED))
    return load_encoder(name)


def load_attached_model(name: str, is_its_root: Callable[[Floats], bool]) -> AnyModel:
    """The model that a collection was attached with.

    Attachments know it by name and root only, and a short name may since have come to mean newer
    weights: then the root tells which were meant.

    Args:
        name: What it was called then.
        is_its_root: Whether the collection's distances are measured from a root (dim,).

    Raises:
        ModelNotFoundError: The model was not found.
        MissingPackageError: The packages that it needs are not installed.
    """
    former = FORMER.get(name)
    if former is None:
        return load_model(name)
    model = load_model(name) if name in MODELS else None
    return model if model is not None and is_its_root(model.root) else load_model(former)


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
        hint="Leave --model out, or move the index to that model with 'hiersearch index --model'",
    )


class ModelCheck:
    """Encodes the texts or photos of some points again, and compares: a `check` for `attach`.

    Args:
        model: What is said to have made the vectors: a `HierarchicalEncoder`, a `TextModel`, or a
            function that turns a list of texts into vectors.
        text_field: The payload field with the text that was encoded; common ones by default.
        file_field: The payload field with the photo file that was encoded; common ones by default.

    Attributes:
        similarity: Median cosine similarity of stored and new vectors, in [-1, 1], for the field
            that agrees best; None until something was compared.
        mean: The mean of these similarities, over `compared` points.
        compared: Number of points compared.
        field: That field.
        texts: Whether the vectors turned out to be of texts.
    """

    def __init__(
        self,
        model: AnyModel | Vectors,
        *,
        text_field: str | None = None,
        file_field: str | None = None,
    ) -> None:
        self._model: AnyModel = TextModel(model) if callable(model) else model
        self._text_fields = (text_field,) if text_field else () if file_field else TEXT_FIELDS
        self._file_fields = (file_field,) if file_field else () if text_field else FILE_FIELDS
        self.similarity: float | None = None
        self.mean: float | None = None
        self.compared = 0
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
            if self._agrees(records, field, _text, self._model.encode_texts, _SAME_TEXT):
                self.texts = True
                return True
        if self.similarity is None:
            return None
        raise ModelMismatchError(
            f"the vectors are not those that {self._model.name} gives to what {self.field!r} "
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
            self.mean, self.compared = float(cosines.mean()), len(found)
        return similarity >= least

    def _encode_photos(self, images: Sequence[Image.Image]) -> Floats | None:
        try:
            return self._model.encode_photos(images)
        except ModelError:
            return None  # a model of texts only

    def _photo(self, value: object) -> Image.Image | None:
        """The photo file that a payload field names, decoded; of several files, the first."""
        text = value[0] if isinstance(value, list) and value else value
        if not isinstance(text, str):
            return None
        try:
            path = text_to_path(text)
            return read_photo(path, min_side=self._model.photo_size).image
        except (ModelError, UnreadablePhotoError, OSError, ValueError):
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _unit_rows(vectors: ArrayLike, count: int, name: str) -> Floats:
    """Checks what a function returned, and scales its rows to length 1."""
    try:
        rows = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} is not made of numbers ({error})") from error
    if rows.ndim != 2 or len(rows) != count:
        raise ModelError(
            f"{name} gave an array of shape {rows.shape} for {count} items",
            hint="Return one vector for each",
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ModelError(f"{name} gave vectors that are not finite, or without length")
    return np.asarray(rows / lengths, dtype=np.float32)
