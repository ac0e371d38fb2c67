"""Makes labellers: embeds a vocabulary, calibrates its model, stores its concepts.

`LazyLabeller` does so for an index, `vocabulary_label` for a collection that others made.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from hiersearch.concepts import Vocabulary, builtin_vocabulary
from hiersearch.config import cache_dir
from hiersearch.encoder.kept import KeptRows, VectorCache, shipped_rows
from hiersearch.errors import ModelError
from hiersearch.index.model_check import AnyModel, LoadEncoder, ModelCheck
from hiersearch.index.storage import IndexStore
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant import EdgeClient, HierarchicalCollection
from hiersearch.trees import Calibration, Labeller, calibrate, concept_payload
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.trees import PhotoStatistics

__all__ = ["CALIBRATION_SAMPLE", "LazyLabeller", "trees_of", "vocabulary_label"]

CALIBRATION_SAMPLE = 256
"""Photos that a calibration should be measured on; fewer only while there are no more."""

_POINTS_AT_ONCE = 1000


class LazyLabeller:
    """The labeller of an index, made when it is first needed.

    Making it also stores the concepts as points, and the calibration in the manifest, where that
    was not done before.

    Args:
        store: The index.
        encoder: Called only if something has to be embedded.
        statistics: Returns what is known of the model's vectors of photos; by default the encoder
            is asked.
        environ: The environment, for the cache of vectors.
    """

    def __init__(
        self,
        store: IndexStore,
        encoder: LoadEncoder,
        *,
        statistics: Callable[[], PhotoStatistics | None] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._statistics = statistics or (lambda: encoder().statistics)
        self._environ = environ
        self._made: Labeller | None = None
        self._stored = False
        self._making = Lock()

    def get(
        self,
        sample: Floats | None = None,
        on_progress: Progress = tell_nobody,
        *,
        to_read: bool = False,
    ) -> Labeller:
        """The labeller.

        Args:
            sample: (k, dim) vectors of photos to calibrate with, if the model states no
                temperature; stored ones by default.
            on_progress: Told about work that takes time.
            to_read: Whether stored concepts need only be there if they are to be searched.
        """
        with self._making:
            if self._made is None:
                self._made = self._make(sample, on_progress)
            if not self._stored and not (to_read and self._made.vocabulary.has_parents):
                _store_concepts(
                    self._store.concepts, self._made.vocabulary, self._made.embeddings, on_progress
                )
                self._stored = True
            return self._made

    def forget(self) -> None:
        """Makes a new labeller next time: the vocabulary or the calibration has changed."""
        self._made, self._stored = None, False

    def _make(self, sample: Floats | None, on_progress: Progress) -> Labeller:
        store, vocabulary = self._store, self._store.vocabulary
        cache = _cache(store.manifest.model_id, self._environ)
        embeddings = shipped_rows(store.manifest.model_id, store.manifest.vocabulary_id)
        if embeddings is None:
            kept = KeptRows.of(store.manifest.model_id, store.manifest.vocabulary_id, self._environ)
            embeddings = kept.rows(
                (len(vocabulary), store.dimension),
                lambda: _embed(vocabulary, self._encoder, cache, on_progress),
            )
        if not vocabulary.has_parents:
            return Labeller(vocabulary, embeddings, None, store.concepts)
        statistics = self._statistics() if store.manifest.trees else None
        if statistics is None and store.manifest.trees:
            raise ModelError(
                f"the photos of the index at {store.place} have trees, and the model "
                f"{store.manifest.model} has lost the statistics that they are made with",
                hint="Calibrate it again with 'hiersearch calibrate', or have chains instead with "
                "'hiersearch index --concepts builtin'",
            )
        calibration = store.manifest.calibration
        if calibration is None:
            calibration, measured_on = _calibrate(
                self._encoder, cache, sample, store.photos, on_progress
            )
            store.remember(calibration=calibration, calibrated_on=measured_on)
        return Labeller(vocabulary, embeddings, calibration, None, statistics)


def trees_of(vocabulary: Vocabulary, encoder: HierarchicalEncoder) -> str | None:
    """The id of the statistics that photos get trees by; None where they get chains alone."""
    statistics = encoder.statistics if vocabulary.has_parents else None
    return None if statistics is None else statistics.id


@contextmanager
def vocabulary_label(
    vocabulary: Vocabulary,
    encoder: AnyModel,
    collection: HierarchicalCollection,
    check: ModelCheck,
    *,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Callable[[Floats], list[dict[str, Any]]]]:
    """The `label` argument of `HierarchicalCollection.attach`, from a vocabulary.

    Args:
        vocabulary: The concepts.
        encoder: The model that made the collection's vectors.
        collection: The collection to be labelled; some of its vectors calibrate the model.
        check: The check of the same run; it finds out whether the vectors are of texts.
        on_progress: Told about work that takes time.
        environ: The environment, for the cache of vectors.

    Yields:
        Turns (n, dim) vectors into n payloads.
    """

    def make(folder: EdgeClient) -> Labeller:
        cache = _cache(encoder.id, environ)
        embeddings = _embed(vocabulary, lambda: encoder, cache, on_progress)
        concepts = HierarchicalCollection(folder, "concepts", root=encoder.root)
        if not vocabulary.has_parents:
            _store_concepts(concepts, vocabulary, embeddings, on_progress)
            return Labeller(vocabulary, embeddings, None, concepts)
        calibration, _ = _calibrate(lambda: encoder, cache, None, collection, on_progress)
        return Labeller(vocabulary, embeddings, calibration, concepts)

    made: list[Labeller] = []
    with tempfile.TemporaryDirectory() as folder, EdgeClient(folder) as client:

        def label(rows: Floats) -> list[dict[str, Any]]:
            if not made:
                made.append(make(client))
            chains = made[0].chains(rows, texts=check.texts)
            return [chain.payload(vocabulary) for chain in chains]

        yield label


def _cache(model_id: str, environ: Mapping[str, str]) -> VectorCache:
    return VectorCache.of_model(model_id, cache_dir(environ), must_keep=False)


def _embed(
    vocabulary: Vocabulary,
    encoder: Callable[[], AnyModel],
    cache: VectorCache,
    on_progress: Progress,
) -> Floats:
    """(n, dim) float32 unit rows of the concepts' names, from where they are kept if they are."""
    shipped = shipped_rows(cache.model_id, vocabulary.id)
    if shipped is not None:
        return shipped
    total, done = len(vocabulary), 0

    def encode(names: Sequence[str]) -> Floats:
        nonlocal done
        on_progress("reading the vocabulary", done, total)
        vectors = encoder().encode_texts(names)
        done += len(names)
        return vectors

    vectors = cache.vectors(vocabulary.names, encode)
    if done:
        on_progress("reading the vocabulary", total, total)
    return vectors


def _calibrate(
    encoder: Callable[[], AnyModel],
    cache: VectorCache,
    sample: Floats | None,
    collection: HierarchicalCollection,
    on_progress: Progress,
) -> tuple[Calibration, int | None]:
    """A model's calibration, and on how many vectors it was measured; None if on none.

    Args:
        encoder: The model.
        cache: Its vectors of texts.
        sample: (k, dim) vectors to measure; those of the collection if they are not given.
        collection: Its vectors are of this model.
        on_progress: Told about work that takes time.
    """
    texts = _embed(builtin_vocabulary(), encoder, cache, on_progress)
    temperature = encoder().temperature
    if temperature is not None:
        return calibrate(texts, temperature=temperature), None
    if sample is None:
        records = islice(collection.scroll(payload=[], with_vectors=True), CALIBRATION_SAMPLE)
        vectors = [record.vector for record in records if record.vector is not None]
        sample = np.stack(vectors) if vectors else np.empty((0, len(collection.root)), np.float32)
    return calibrate(texts, sample), len(sample)


def _store_concepts(
    collection: HierarchicalCollection,
    vocabulary: Vocabulary,
    embeddings: Floats,
    on_progress: Progress,
) -> None:
    """Fills a collection with the concepts, for radial paths; a complete one is left alone."""
    concepts = vocabulary.concepts
    if collection.exists() and collection.count() == len(concepts):
        return
    # Nothing is dropped: another run may be storing the same concepts at the moment.
    collection.create()
    ids = [str(uuid5(NAMESPACE_URL, f"hiersearch:concept:{one.id}")) for one in concepts]
    for start in range(0, len(concepts), _POINTS_AT_ONCE):
        on_progress("storing the vocabulary", start, len(concepts))
        part = slice(start, start + _POINTS_AT_ONCE)
        payloads = [concept_payload(one) for one in concepts[part]]
        collection.upsert(ids[part], embeddings[part], payloads)
    ours = set(ids)
    collection.delete([one for page in collection.scroll_ids() for one in page if one not in ours])
    on_progress("storing the vocabulary", len(concepts), len(concepts))
