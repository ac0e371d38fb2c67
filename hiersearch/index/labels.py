"""An index's labeller: embeds its vocabulary, calibrates its model, stores its concepts.

Which model and which vocabulary are meant by what a user gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from hiersearch.chains import Labeller
from hiersearch.concepts import Vocabulary, builtin_vocabulary, read_vocabulary
from hiersearch.config import read_settings
from hiersearch.descent import calibrate
from hiersearch.encoder import default_model
from hiersearch.encoder.cache import embed_vocabulary
from hiersearch.errors import ModelMismatchError
from hiersearch.index.storage import IndexStore
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant import HierarchicalCollection
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = [
    "CALIBRATION_SAMPLE",
    "Labels",
    "LoadEncoder",
    "check_encoder",
    "chosen_vocabulary",
    "embed",
    "load_encoder",
    "store_concepts",
    "stored_vectors",
    "user_model",
]

CALIBRATION_SAMPLE = 256
"""Photos that a calibration should be measured on; fewer only while there are no more."""

LoadEncoder: TypeAlias = Callable[[], "HierarchicalEncoder"]
"""Gives the encoder of an index, which is loaded when it is first asked for."""

_TEXTS_AT_ONCE = 1024
_POINTS_AT_ONCE = 1000


class Labels:
    """The labeller of an index, made when it is first needed.

    Args:
        store: The index; its concepts are stored as points too, and its calibration is
            remembered, where they were not yet.
        encoder: Called only if something has to be embedded.
        cache: Folder of embedded vocabularies.
    """

    def __init__(self, store: IndexStore, encoder: LoadEncoder, *, cache: Path) -> None:
        self._store = store
        self._encoder = encoder
        self._cache = cache
        self._labeller: Labeller | None = None

    def labeller(self, sample: Floats | None = None, tell: Progress = tell_nobody) -> Labeller:
        """The labeller.

        Args:
            sample: (k, dim) vectors of photos to calibrate with, where the model states no
                temperature; stored ones where they are not given.
            tell: Told about work that takes time.
        """
        if self._labeller is None:
            self._labeller = _prepare(self._store, self._encoder, self._cache, tell, sample)
        return self._labeller

    def forget(self) -> None:
        """The vocabulary or the calibration is another one now: makes a new labeller next time."""
        self._labeller = None


def _prepare(
    store: IndexStore, encoder: LoadEncoder, cache: Path, tell: Progress, sample: Floats | None
) -> Labeller:
    model_id = store.manifest.model_id
    embeddings = embed(store.vocabulary, model_id, encoder, cache, tell)
    store_concepts(store.concepts, store.vocabulary, embeddings, tell)
    if not store.vocabulary.has_parents:
        return Labeller(store.vocabulary, embeddings, None, store.concepts)
    calibration = store.manifest.calibration
    if calibration is None:
        texts = embed(builtin_vocabulary(), model_id, encoder, cache, tell)
        temperature = encoder().temperature
        if temperature is None and sample is None:
            sample = stored_vectors(store.photos)
        calibration = calibrate(texts, sample, temperature=temperature)
        measured = len(sample) if temperature is None and sample is not None else None
        store.remember(calibration=calibration, calibrated_on=measured)
    return Labeller(store.vocabulary, embeddings, calibration, store.concepts)


def embed(
    vocabulary: Vocabulary, model_id: str, encoder: LoadEncoder, cache: Path, tell: Progress
) -> Floats:
    """The vectors of a vocabulary's names, from the cache or encoded and cached.

    Args:
        vocabulary: The concepts.
        model_id: The id of the encoder.
        encoder: Called only if they are not cached.
        cache: Folder of embedded vocabularies.
        tell: Told about the encoding.

    Returns:
        (n, dim), float32 unit rows.
    """

    def encode(texts: Sequence[str]) -> Floats:
        parts = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            tell("reading the vocabulary", start, len(texts))
            parts.append(encoder().encode_texts(texts[start : start + _TEXTS_AT_ONCE]))
        tell("reading the vocabulary", len(texts), len(texts))
        return np.concatenate(parts)

    return embed_vocabulary(vocabulary, encode, model_id=model_id, cache=cache)


def stored_vectors(collection: HierarchicalCollection) -> Floats:
    """(k, dim) vectors to calibrate with, at most `CALIBRATION_SAMPLE`."""
    records = islice(collection.scroll(payload=[], with_vectors=True), CALIBRATION_SAMPLE)
    vectors = [record.vector for record in records if record.vector is not None]
    return np.stack(vectors) if vectors else np.empty((0, len(collection.root)), np.float32)


def store_concepts(
    collection: HierarchicalCollection, vocabulary: Vocabulary, embeddings: Floats, tell: Progress
) -> None:
    """Makes a collection of the concepts, for radial paths; one that is whole stays.

    Args:
        collection: Where to store them.
        vocabulary: The concepts.
        embeddings: (n, dim), a row per concept.
        tell: Told about the work.
    """
    concepts = vocabulary.concepts
    if collection.exists() and collection.count() == len(concepts):
        return
    collection.drop()
    collection.create()
    for start in range(0, len(concepts), _POINTS_AT_ONCE):
        tell("storing the vocabulary", start, len(concepts))
        part = concepts[start : start + _POINTS_AT_ONCE]
        collection.upsert(
            [str(uuid5(NAMESPACE_URL, f"hiersearch:concept:{one.id}")) for one in part],
            embeddings[start : start + _POINTS_AT_ONCE],
            [{"concept": one.id, "name": one.name, "parents": list(one.parents)} for one in part],
        )
    tell("storing the vocabulary", len(concepts), len(concepts))


def load_encoder(model: str | HierarchicalEncoder) -> HierarchicalEncoder:
    """The encoder of a name or a folder; one that is loaded is given back.

    Raises:
        ModelNotFoundError: The model is not on this machine.
    """
    from hiersearch.encoder import HierarchicalEncoder  # imports torch

    return model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)


def user_model(environ: Mapping[str, str]) -> str:
    """The model for new indexes where none is named."""
    return read_settings(environ).model or default_model(environ)[0]


def check_encoder(encoder: HierarchicalEncoder, store: IndexStore) -> HierarchicalEncoder:
    """The encoder, if it is the one that an index was made with.

    Raises:
        ModelMismatchError: It is another one.
    """
    made_with = store.manifest
    if encoder.id == made_with.model_id:
        return encoder
    raise ModelMismatchError(
        f"the index at {store.place} was made with {made_with.model} ({made_with.model_id}), "
        f"not with {encoder.name} ({encoder.id})",
        hint="Leave --model out, or index the photos into another store",
    )


def chosen_vocabulary(concepts: str | Path | Vocabulary) -> Vocabulary:
    """The vocabulary of a file, or the built-in one; one that was read is given back.

    Raises:
        VocabularyError: It breaks a rule.
    """
    if isinstance(concepts, Vocabulary):
        return concepts
    if str(concepts) == "builtin":
        return builtin_vocabulary()
    return read_vocabulary(Path(concepts).expanduser())
