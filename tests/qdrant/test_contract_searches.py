"""What every store must find, checked against NumPy over all vectors."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch import geometry
from hiersearch.errors import (
    UsageError,
)
from hiersearch.qdrant import HierarchicalCollection, equals, radial_path
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud, Made
from tests.qdrant.oracle import oracle_nearest, oracle_path, oracle_sampled

EXACT = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")


def counting(send: Callable[..., Any], batches: list[int]) -> Callable[..., Any]:
    """The function, keeping count of the queries in each batch."""

    def counted(requests: Sequence[models.QueryRequest]) -> Any:
        batches.append(len(requests))
        return send(requests)

    return counted


class TestNearest:
    def test_agrees_with_numpy(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        for query in Cloud.make(8, seed=1).vectors:
            hits = filled.nearest(query, limit=12)
            rows = oracle_nearest(cloud, query, list(range(len(cloud.ids))))[:12]
            assert [hit.id for hit in hits] == [cloud.ids[row] for row in rows]
            assert [hit.score for hit in hits] == pytest.approx(
                [float(cloud.vectors[row] @ query) for row in rows], abs=1e-6
            )
            assert [hit.root_distance for hit in hits] == pytest.approx(
                [float(cloud.distances[row]) for row in rows], abs=6e-6
            )

    def test_filter_offset_payload_threshold(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        query = cloud.vectors[0]
        under = equals(CONCEPTS, "c1")
        all_hits = filled.nearest(query, limit=300, filter=under)
        assert len(all_hits) == 100
        assert {hit.payload["number"] % 3 for hit in all_hits} == {1}
        later = filled.nearest(query, limit=5, filter=under, offset=3)
        assert [hit.id for hit in later] == [hit.id for hit in all_hits[3:8]]
        [hit] = filled.nearest(query, limit=1, payload=["number"])
        assert set(hit.payload) == {"number", "root_distance"}
        [hit] = filled.nearest(query, limit=1, payload=False)
        assert set(hit.payload) == {"root_distance"}
        least = all_hits[4].score
        above = filled.nearest(query, limit=50, filter=under, score_threshold=least - 1e-6)
        assert [hit.id for hit in above] == [hit.id for hit in all_hits[:5]]
        assert filled.nearest(query, limit=0) == []

    def test_equal_scores_come_by_id_even_where_the_limit_cuts_them(
        self, make: Made, cloud: Cloud
    ) -> None:
        collection = make(cloud.root)
        vectors = np.repeat(cloud.vectors[:2], 40, axis=0)
        collection.upsert(cloud.ids[:80], vectors, [{}] * 80)
        wanted = sorted(cloud.ids[:40])
        assert [hit.id for hit in collection.nearest(vectors[0], limit=3)] == wanted[:3]
        assert [hit.id for hit in collection.nearest(vectors[0], limit=5, offset=30)] == wanted[
            30:35
        ]

    def test_an_empty_collection(self, make: Made, cloud: Cloud) -> None:
        empty = make(cloud.root)
        query = cloud.vectors[0]
        assert empty.nearest(query, limit=3) == []
        assert empty.radial_path(query) == []
        for radii in (50, [0.5, 1.0]):
            for by in ("descent", "batch", None):
                assert empty.radial_path(query, radii=radii, by=by) == []
        assert empty.count_without_distance() == 0
        assert empty.descendants_of(cloud.root, limit=3) == []
        assert empty.descendants_of(query, limit=3) == []
        assert empty.ancestors_of(query, limit=3) == []
        assert empty.facets() == {}
        assert list(empty.scroll()) == []
        assert empty.count() == 0


class TestRadialPath:
    def test_agrees_with_the_definition(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        everything = list(range(len(cloud.ids)))
        for query in [*Cloud.make(8, seed=2).vectors, *cloud.vectors[:4], cloud.root, -cloud.root]:
            path = filled.radial_path(query)
            assert [hit.id for hit in path] == oracle_path(cloud, query, everything)
            distances = [hit.root_distance for hit in path]
            assert distances == sorted(set(distances))
            assert [hit.score for hit in path] == sorted({hit.score for hit in path})

    def test_carries_the_angle_at_each_concept(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        query = Cloud.make(2, seed=3).vectors[1]
        rows = {number: row for row, number in enumerate(cloud.ids)}
        for hit in filled.radial_path(query):
            parent = cloud.vectors[rows[str(hit.id)]].astype(np.float64)
            wanted = geometry.exterior_angle_cosine(parent, query, cloud.root)
            assert hit.angle is not None
            assert np.cos(hit.angle) == pytest.approx(wanted, abs=EXACT)

    def test_within_a_filter(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        query = Cloud.make(2, seed=4).vectors[0]
        rows = [row for row in range(len(cloud.ids)) if row % 3 == 2]
        path = filled.radial_path(query, filter=equals(CONCEPTS, "c2"), payload=["number"])
        assert [hit.id for hit in path] == oracle_path(cloud, query, rows)

    @pytest.mark.parametrize("by", ["descent", "batch", None])
    def test_at_some_radii_it_is_what_the_paper_takes(
        self, filled: HierarchicalCollection, cloud: Cloud, by: str | None
    ) -> None:
        rows = [row for row in range(len(cloud.ids)) if row % 3 == 2]
        least, greatest = cloud.distances[rows].min(), cloud.distances[rows].max()
        under = equals("concepts", "c2")
        for query in [*Cloud.make(4, seed=12).vectors, cloud.vectors[2], cloud.root, -cloud.root]:
            for radii, wanted in (
                (50, np.linspace(least, greatest, 50)),
                (1, [greatest]),
                ([1.3, 0.2, 0.7, 9.0], [0.2, 0.7, 1.3, 9.0]),
                ([0.01], [0.01]),
                ([], []),
            ):
                path = filled.radial_path(query, filter=under, radii=radii, by=by)
                assert [hit.id for hit in path] == oracle_sampled(cloud, query, rows, wanted)

    def test_both_ways_give_the_same_hits(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        for query in [*Cloud.make(4, seed=13).vectors, cloud.vectors[7]]:
            one, other = (
                filled.radial_path(query, radii=50, payload=["number"], by=way)
                for way in ("descent", "batch")
            )
            assert one == other
            assert all(hit.angle is not None for hit in one)
            assert set(one[0].payload) == {"number", "root_distance"}

    def test_the_way_that_was_faster_is_kept(
        self,
        filled: HierarchicalCollection,
        cloud: Cloud,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        batches = []
        searcher, faster_ways = filled._searcher, filled._paths.faster
        monkeypatch.setattr(searcher, "query_batch", counting(searcher.query_batch, batches))
        query = cloud.vectors[0]
        for faster, sent in (("batch", [50] * 3), ("descent", [50])):
            batches.clear()
            faster_ways.clear()
            taken = iter([0.0, 1.0, 2.0, 2.5] if faster == "batch" else [0.0, 0.5, 2.0, 3.0])
            monkeypatch.setattr(radial_path, "perf_counter", lambda clock=taken: next(clock))
            radii = np.linspace(0.1, 1.5, 50)
            answers = [filled.radial_path(query, radii=radii) for _ in range(3)]
            assert batches == sent
            assert answers[0] == answers[1] == answers[2]

    def test_what_cannot_be_sampled(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        for radii, by in ((None, "batch"), (5, "guess"), (0, None), ([float("nan")], None)):
            with pytest.raises(UsageError):
                filled.radial_path(cloud.root, radii=radii, by=by)

    def test_many_equal_concepts(self, make: Made, cloud: Cloud) -> None:
        collection = make(cloud.root)
        vectors = np.repeat(cloud.vectors[:2], 60, axis=0)
        collection.upsert(cloud.ids[:120], vectors, [{}] * 120)
        nearer = cloud.distances[1] < cloud.distances[0]
        wanted = [min(cloud.ids[60:120])] if nearer else []
        for path in (
            collection.radial_path(vectors[0]),
            collection.radial_path(vectors[0], radii=10, by="batch"),
        ):
            assert [hit.id for hit in path] == [*wanted, min(cloud.ids[:60])]

    def test_points_of_others_are_counted_and_no_concepts(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        """Rankings find them all the same: those need no stored distance."""
        query = -cloud.root
        stranger = str(uuid.UUID(int=10**6))
        vector: dict[str, list[float]] = {"hiersearch": query.tolist()}
        filled.client.upsert(
            filled.name, [models.PointStruct(id=stranger, vector=vector, payload={"number": 1})]
        )
        assert filled.count_without_distance() == 1
        assert filled.nearest(query, limit=1)[0].root_distance is None
        for hits in (
            filled.radial_path(query),
            filled.radial_path(query, radii=30, by="descent"),
            filled.radial_path(query, radii=30, by="batch"),
        ):
            assert hits
            assert stranger not in [hit.id for hit in hits]
        for hits in (
            filled.descendants_of(query, limit=400),
            filled.ancestors_of(query, limit=400),
            filled.descendants_of(cloud.root, limit=400),
        ):
            assert len(hits) == len(cloud.ids) + 1
            [distance] = [hit.root_distance for hit in hits if hit.id == stranger]
            assert distance == pytest.approx(2.0, abs=1e-5)


class TestExteriorAngles:
    def test_descendants_agree_with_numpy(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        for parent in [*Cloud.make(2, seed=5).vectors, cloud.vectors[0], -cloud.root]:
            cosines = geometry.exterior_angle_cosine(
                parent.astype(np.float64), cloud.vectors.astype(np.float64), cloud.root
            )
            far = np.linalg.norm(cloud.vectors - parent, axis=1) >= 0.1
            hits = filled.descendants_of(parent, limit=300, candidates=300)
            check(cloud, hits, cosines, far)
            later = filled.descendants_of(parent, limit=5, offset=2, candidates=300)
            assert [hit.id for hit in later] == [hit.id for hit in hits[2:7]]

    def test_ancestors_agree_with_numpy(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        for child in [*Cloud.make(2, seed=6).vectors, cloud.vectors[0], -cloud.root]:
            cosines = geometry.exterior_angle_cosine(
                cloud.vectors.astype(np.float64), child.astype(np.float64), cloud.root
            )
            far = np.linalg.norm(cloud.vectors - child, axis=1) >= 0.1
            hits = filled.ancestors_of(child, limit=300, candidates=1500)
            check(cloud, hits, cosines, far)

    def test_a_point_contains_itself_and_the_root_contains_all(
        self, make: Made, cloud: Cloud
    ) -> None:
        collection = make(cloud.root)
        vectors = np.vstack([cloud.root[None], cloud.vectors[:50]])
        ids = cloud.ids[:51]
        collection.upsert(ids, vectors, [{}] * 51)
        everything = collection.descendants_of(cloud.root, limit=60)
        assert [hit.id for hit in everything] == sorted(ids)
        assert {(hit.score, hit.angle) for hit in everything} == {(1.0, 0.0)}
        for row in range(1, 51, 7):
            below = {hit.id: hit.angle for hit in collection.descendants_of(vectors[row], limit=60)}
            assert below[ids[row]] == 0.0
            above = {hit.id: hit.angle for hit in collection.ancestors_of(vectors[row], limit=60)}
            assert above[ids[0]] == above[ids[row]] == 0.0

    def test_filter_threshold_payload(self, filled: HierarchicalCollection) -> None:
        parent = Cloud.make(2, seed=7).vectors[0]
        for ranked in (filled.descendants_of, filled.ancestors_of):
            hits = ranked(parent, limit=20, filter=equals(CONCEPTS, "c0"), payload=["number"])
            assert len(hits) == 20
            assert {hit.payload["number"] % 3 for hit in hits} == {0}
            assert set(hits[0].payload) == {"number", "root_distance"}
            least = hits[3].score - 1e-6
            above = ranked(parent, limit=20, filter=equals(CONCEPTS, "c0"), score_threshold=least)
            assert [hit.id for hit in above] == [hit.id for hit in hits[:4]]

    def test_the_default_number_of_candidates_finds_the_best(self, make: Made) -> None:
        many = Cloud.make(2000, seed=8)
        collection = make(many.root)
        collection.upsert(many.ids, many.vectors, [{}] * len(many.ids))
        found = wanted = 0
        for vector in Cloud.make(4, seed=9).vectors:
            down = geometry.exterior_angle_cosine(vector, many.vectors, many.root)
            up = geometry.exterior_angle_cosine(many.vectors, vector, many.root)
            for cosines, ranked in (
                (down, collection.descendants_of),
                (up, collection.ancestors_of),
            ):
                best = {many.ids[row] for row in np.argsort(-cosines)[:10]}
                found += len(best & {hit.id for hit in ranked(vector, limit=10)})
                wanted += len(best)
        assert found >= 0.95 * wanted


def check(
    cloud: Cloud,
    hits: list,
    cosines: np.ndarray,
    far: np.ndarray,
) -> None:
    """All points, with the right cosines where these are well defined, in their order."""
    rows = {number: row for row, number in enumerate(cloud.ids)}
    assert {hit.id for hit in hits} == set(cloud.ids)
    keys = [(-hit.score, hit.id) for hit in hits]
    assert keys == sorted(keys)
    for hit in hits:
        assert hit.angle == pytest.approx(np.arccos(hit.score))
        if far[rows[hit.id]]:
            assert hit.score == pytest.approx(cosines[rows[hit.id]], abs=EXACT)
