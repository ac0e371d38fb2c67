"""Every store agrees with NumPy, on random vectors and on those of real texts."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path

import numpy as np
import pytest

from hiersearch import geometry
from hiersearch.encoder import HierarchicalEncoder
from tests.qdrant.conftest import Cloud, Made

EXACT = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")


class TestAgreement:
    """Every store with NumPy: the same cosines to 1e-5, in that order where gaps exceed it."""

    def test_on_random_vectors(self, make: Made) -> None:
        for seed, dim in ((41, 8), (42, 64)):
            name = "hiersearch-test" if dim == 8 else "hiersearch-test-other"
            agree(make, Cloud.make(80, dim=dim, seed=seed), name)

    def test_on_vectors_of_real_texts(
        self, make: Made, shared_data: Path, mini: HierarchicalEncoder
    ) -> None:
        with (shared_data / "hierarcaps" / "hierarcaps_dev.csv").open(encoding="utf-8") as file:
            chains = [row["captions"].split(" => ") for row in csv.DictReader(file)]
        texts = list(dict.fromkeys(text for chain in chains[:20] for text in chain))
        vectors = mini.encode_texts(texts)
        ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, text)) for text in texts]
        agree(make, Cloud(mini.root, vectors, ids), "hiersearch-test")


def agree(make: Made, cloud: Cloud, name: str) -> None:
    collection = make(cloud.root, name=name)
    collection.upsert(cloud.ids, cloud.vectors, [{}] * len(cloud.ids))
    count = len(cloud.ids)
    vectors, root = cloud.vectors.astype(np.float64), cloud.root.astype(np.float64)
    rows = {number: row for row, number in enumerate(cloud.ids)}
    # A point of the collection, one between two of them, the root, and its opposite.
    for query in (vectors[0], vectors[:2].sum(axis=0), root, -root):
        query = query / np.linalg.norm(query)
        far = np.linalg.norm(vectors - query, axis=1) >= 0.1
        for hits, cosines in (
            (
                collection.descendants_of(query, limit=count, candidates=count),
                geometry.exterior_angle_cosine(query, vectors, root),
            ),
            (
                collection.ancestors_of(query, limit=count, candidates=count),
                geometry.exterior_angle_cosine(vectors, query, root),
            ),
            (collection.nearest(query, limit=count), vectors @ query),
        ):
            found = [rows[str(hit.id)] for hit in hits]
            assert sorted(found) == list(range(count))
            scores = {row: hit.score for row, hit in zip(found, hits, strict=True)}
            for row in found:
                assert np.isfinite(scores[row])
                if far[row]:
                    assert scores[row] == pytest.approx(cosines[row], abs=EXACT)
            kept = [row for row in found if far[row]]
            least = np.minimum.accumulate(cosines[kept]) if kept else np.empty(0)
            assert np.all(cosines[kept] <= least + EXACT)
            # Ties by id, as the store has the scores.
            keys = [(-scores[row], cloud.ids[row]) for row in found]
            assert keys == sorted(keys)
