"""Gives stored photos chains from another vocabulary, without encoding a photo again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hiersearch.ingest.batching import batches
from hiersearch.labelling import Labeller, chain_payload
from hiersearch.qdrant import HierarchicalCollection

__all__ = ["relabel"]

_PAGE = 512


def relabel(
    photos: HierarchicalCollection, labeller: Labeller, *, on_progress: Callable[[int], None]
) -> int:
    """Gives every stored photo its chain from another vocabulary, from its stored vector.

    Returns:
        How many photos were labelled.
    """
    done = 0
    for batch in batches(photos.scroll(payload=[], with_vectors=True), lambda: _PAGE):
        vectors = np.stack([record.vector for record in batch if record.vector is not None])
        photos.set_payload(
            [record.id for record in batch],
            [chain_payload(chain, labeller.vocabulary) for chain in labeller.chains(vectors)],
        )
        done += len(batch)
        on_progress(done)
    return done
