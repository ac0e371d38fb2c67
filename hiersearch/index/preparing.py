"""Makes an index's labeller: embeds its vocabulary, calibrates its model, stores its concepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from numpy.typing import NDArray

from hiersearch.concepts import Vocabulary, builtin_vocabulary, embed_vocabulary
from hiersearch.index.storage import IndexStore
from hiersearch.labelling import Labeller
from hiersearch.levels import calibrate
from hiersearch.progress import Progress

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = ["CALIBRATION_SAMPLE", "prepare_labeller"]

CALIBRATION_SAMPLE = 256
"""Photos that a calibration should be measured on; fewer only while there are no more."""

Floats: TypeAlias = NDArray[np.float32]
LoadEncoder: TypeAlias = Callable[[], "HierarchicalEncoder"]

_TEXTS_AT_ONCE = 1024
_POINTS_AT_ONCE = 1000


def prepare_labeller(
    store: IndexStore,
    encoder: LoadEncoder,
    *,
    cache: Path,
    tell: Progress,
    sample: Floats | None = None,
) -> Labeller:
    """Makes the labeller of an index.

    Args:
        store: The index; its concepts are stored as points too, and its calibration is
            remembered, where they were not yet.
        encoder: Called only if something has to be embedded.
        cache: Folder of embedded vocabularies.
        tell: Told about work that takes time.
        sample: (k, dim) vectors of photos to calibrate with, where the model states no
            temperature; stored ones where they are not given.
    """
    embeddings = _embed(store.vocabulary, store, encoder, cache, tell)
    _store_concepts(store, embeddings, tell)
    if not store.vocabulary.has_parents:
        return Labeller(store.vocabulary, embeddings, None, store.concepts)
    calibration = store.manifest.calibration
    if calibration is None:
        texts = _embed(builtin_vocabulary(), store, encoder, cache, tell)
        temperature = encoder().temperature
        if temperature is None and sample is None:
            sample = _stored_vectors(store)
        calibration = calibrate(texts, sample, temperature=temperature)
        measured = len(sample) if temperature is None and sample is not None else None
        store.remember(calibration=calibration, calibrated_on=measured)
    return Labeller(store.vocabulary, embeddings, calibration, store.concepts)


def _embed(
    vocabulary: Vocabulary, store: IndexStore, encoder: LoadEncoder, cache: Path, tell: Progress
) -> Floats:
    def encode(texts: Sequence[str]) -> Floats:
        parts = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            tell("reading the vocabulary", start, len(texts))
            parts.append(encoder().encode_texts(texts[start : start + _TEXTS_AT_ONCE]))
        tell("reading the vocabulary", len(texts), len(texts))
        return np.concatenate(parts)

    return embed_vocabulary(vocabulary, encode, model_id=store.manifest.model_id, cache=cache)


def _stored_vectors(store: IndexStore) -> Floats:
    records = islice(store.photos.scroll(payload=[], with_vectors=True), CALIBRATION_SAMPLE)
    return np.stack([record.vector for record in records if record.vector is not None])


def _store_concepts(store: IndexStore, embeddings: Floats, tell: Progress) -> None:
    concepts = store.vocabulary.concepts
    if store.concepts.exists() and store.concepts.count() == len(concepts):
        return
    store.concepts.drop()
    store.concepts.create()
    for start in range(0, len(concepts), _POINTS_AT_ONCE):
        tell("storing the vocabulary", start, len(concepts))
        part = concepts[start : start + _POINTS_AT_ONCE]
        store.concepts.upsert(
            [str(uuid5(NAMESPACE_URL, f"hiersearch:concept:{one.id}")) for one in part],
            embeddings[start : start + _POINTS_AT_ONCE],
            [{"concept": one.id, "name": one.name, "parents": list(one.parents)} for one in part],
        )
    tell("storing the vocabulary", len(concepts), len(concepts))
