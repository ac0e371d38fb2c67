"""What every store must do, checked against NumPy over all vectors."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch import geometry
from hiersearch.errors import (
    CollectionError,
    StoreError,
    UsageError,
    VectorError,
)
from hiersearch.qdrant import Client, HasValue, HierarchicalCollection, all_of, equals, radial_path
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud, Made, unit
from tests.qdrant.oracle import oracle_nearest, oracle_path, oracle_sampled

EXACT = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")


def counting(send: Callable[..., Any], batches: list[int]) -> Callable[..., Any]:
    """The function, keeping count of the queries in each batch."""

    def counted(requests: Sequence[models.QueryRequest]) -> Any:
        batches.append(len(requests))
        return send(requests)

    return counted


class TestPoints:
    def test_every_point_carries_its_root_distance(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        stored = {record.id: record.payload["root_distance"] for record in filled.scroll(page=77)}
        assert list(stored) == sorted(cloud.ids)
        wanted = dict(zip(cloud.ids, cloud.distances, strict=True))
        assert stored == pytest.approx(wanted, abs=6e-6)

    def test_root_distances_keep_five_decimals(self, make: Made, cloud: Cloud) -> None:
        collection = make(cloud.root)
        many = Cloud.make(1000, seed=11)
        collection.upsert(list(range(1000)), many.vectors, [{}] * 1000)
        for record in collection.scroll():
            distance = record.payload["root_distance"]
            assert distance == round(distance, 5)
            assert distance == pytest.approx(many.distances[int(record.id)], abs=6e-6)

    def test_equal_vectors_get_one_distance(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        half = len(cloud.ids) // 2
        first, second = filled.retrieve([cloud.ids[3], cloud.ids[half + 3]], payload=["number"])
        assert first.payload["root_distance"] == second.payload["root_distance"]
        assert (first.payload["number"], second.payload["number"]) == (3, half + 3)

    def test_vectors_come_back_as_unit_rows(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        [record] = filled.retrieve([cloud.ids[5]], payload=False, with_vectors=True)
        assert record.vector is not None
        np.testing.assert_allclose(record.vector, cloud.vectors[5], atol=1e-6)
        assert next(filled.scroll()).vector is None

    def test_ids_come_page_by_page(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        pages = list(filled.scroll_ids(page=77))
        assert [len(page) for page in pages] == [77, 77, 77, len(cloud.ids) - 3 * 77]
        assert [number for page in pages for number in page] == sorted(cloud.ids)
        chosen = [number for page in filled.scroll_ids(equals(CONCEPTS, "c0")) for number in page]
        assert chosen == [record.id for record in filled.scroll(equals(CONCEPTS, "c0"))]
        assert list(filled.scroll_ids(equals(CONCEPTS, "no such"))) == []

    def test_similarities_to_the_root_are_of_the_points_that_are_there(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        wanted = cloud.vectors[:40].astype(np.float64) @ cloud.root
        found = filled.similarities_to_root([*cloud.ids[:40], str(uuid.uuid4())])
        assert found == pytest.approx(
            dict(zip(cloud.ids[:40], wanted.tolist(), strict=True)), abs=EXACT
        )
        assert filled.similarities_to_root([]) == {}

    def test_retrieve_keeps_the_order_and_passes_over_what_is_not_there(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        asked = [cloud.ids[9], str(uuid.uuid4()), cloud.ids[2], cloud.ids[9]]
        assert [record.id for record in filled.retrieve(asked)] == [cloud.ids[9], cloud.ids[2]]
        assert filled.retrieve([]) == []

    def test_upsert_replaces(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        filled.upsert(cloud.ids[:1], 3 * cloud.vectors[1:2], [{"new": True}])
        [record] = filled.retrieve(cloud.ids[:1], with_vectors=True)
        assert set(record.payload) == {"new", "root_distance"}
        assert record.payload["root_distance"] == pytest.approx(cloud.distances[1], abs=6e-6)
        assert filled.count() == len(cloud.ids)

    def test_set_payload_gives_each_point_its_own_and_keeps_the_rest(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        ids = cloud.ids[:7]
        filled.set_payload(ids, [{"concepts": [f"own{row}"]} for row in range(7)])
        records = filled.retrieve(ids)
        assert [record.payload["concepts"] for record in records] == [[f"own{n}"] for n in range(7)]
        assert [record.payload["number"] for record in records] == list(range(7))
        assert filled.count(equals(CONCEPTS, "own3")) == 1

    def test_delete(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        filled.delete([*cloud.ids[:10], str(uuid.uuid4())])
        assert filled.count() == len(cloud.ids) - 10
        assert not filled.retrieve(cloud.ids[:10])

    def test_an_approximate_count_of_one_keyword_is_exact(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        """Stores estimate a condition from its index: the length of one keyword's list."""

        def check(wanted: dict[str, int]) -> None:
            for word, count in wanted.items():
                matching = equals(CONCEPTS, word)
                assert filled.count(matching, exact=False) == count
                assert filled.count(matching) == count

        check({"c0": 100, "c1": 100, "c2": 100, "all": 300, "no such": 0})
        filled.delete(cloud.ids[:9])
        check({"c0": 97, "c1": 97, "c2": 97, "all": 291})
        # From one word to another, to a new one, to several, to one twice and to none.
        words = [["c1", "all"], ["new"], ["c0", "c1", "c2"], ["c2", "c2"], []]
        filled.set_payload(cloud.ids[9:24:3], [{CONCEPTS: each} for each in words])  # all of c0
        check({"c0": 93, "c1": 99, "c2": 99, "all": 287, "new": 1})
        filled.upsert(cloud.ids[:2], cloud.vectors[:2], [{CONCEPTS: ["c0"]}, {CONCEPTS: ["new"]}])
        filled.delete(cloud.ids[12:13])
        for _ in range(2):
            check({"c0": 94, "c1": 99, "c2": 99, "all": 287, "new": 1})
            filled.optimize()

    def test_counts_and_facets(self, filled: HierarchicalCollection) -> None:
        assert filled.facets() == {"all": 300, "c0": 100, "c1": 100, "c2": 100}
        assert filled.facets(limit=1) == {"all": 300}
        odd = models.Filter(must=[models.FieldCondition(key="number", range=models.Range(lt=10))])
        assert filled.facets(filter=odd) == {"all": 10, "c0": 4, "c1": 3, "c2": 3}
        assert filled.count(all_of(odd, equals(CONCEPTS, "c0"))) == 4

    def test_a_value_without_qdrants_objects_is_the_same_condition(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        few = models.Filter(must=[models.FieldCondition(key="number", range=models.Range(lt=10))])
        for within in (None, few):
            plain, wanted = HasValue(CONCEPTS, "c0", within), all_of(equals(CONCEPTS, "c0"), within)
            assert filled.count(plain) == filled.count(wanted) == (4 if within else 100)
            found, same = (
                [hit.id for hit in filled.nearest(cloud.vectors[3], limit=7, filter=each)]
                for each in (plain, wanted)
            )
            assert found == same
            assert len(found) == (4 if within else 7)
        assert filled.count(HasValue(CONCEPTS, "c0"), exact=False) == 100

    def test_integer_ids_come_before_uuids(self, make: Made, cloud: Cloud) -> None:
        collection = make(cloud.root)
        collection.upsert([cloud.ids[0], 7, 3], cloud.vectors[:3], [{}, {}, {}])
        assert [record.id for record in collection.scroll()] == [3, 7, cloud.ids[0]]


class TestRefusals:
    @pytest.mark.parametrize(
        "vectors",
        [
            [[np.nan] * 16],
            [[np.inf] + [0.0] * 15],
            [[0.0] * 16],
            [[1.0] * 15],
            [1.0] * 16,
            [["x"] * 16],
            [[]],
        ],
        ids=["nan", "infinite", "zero", "short", "flat", "text", "empty"],
    )
    def test_bad_vectors(
        self, filled: HierarchicalCollection, cloud: Cloud, vectors: list[object]
    ) -> None:
        with pytest.raises(VectorError):
            filled.upsert(cloud.ids[:1], vectors, [{}])
        with pytest.raises(VectorError):
            filled.nearest(np.asarray(vectors[0]), limit=1)
        assert filled.count() == len(cloud.ids)

    def test_lengths_must_match(self, filled: HierarchicalCollection, cloud: Cloud) -> None:
        with pytest.raises(VectorError, match="do not match"):
            filled.upsert(cloud.ids[:2], cloud.vectors[:2], [{}])
        with pytest.raises(VectorError, match="do not match"):
            filled.set_payload(cloud.ids[:2], [{}])

    def test_the_root_must_be_a_unit_vector(self, client: Client, cloud: Cloud) -> None:
        with pytest.raises(VectorError, match="unit"):
            HierarchicalCollection(client, "hiersearch-test", root=2 * cloud.root)

    def test_create_again_keeps_the_points_and_other_vectors_are_refused(
        self, filled: HierarchicalCollection, make: Made, cloud: Cloud
    ) -> None:
        assert make(cloud.root).count() == filled.count() == len(cloud.ids)
        with pytest.raises(CollectionError, match="16"):
            make(unit(np.ones(4)))
        with pytest.raises(CollectionError, match="hiersearch"):
            make(cloud.root, vector_name="other")

    def test_no_such_collection(self, client: Client, cloud: Cloud) -> None:
        missing = HierarchicalCollection(client, "hiersearch-test", root=cloud.root)
        assert not missing.exists()
        with pytest.raises(CollectionError):
            missing.count()
        with pytest.raises(CollectionError):
            missing.nearest(cloud.root, limit=1)
        missing.drop()

    def test_a_collection_with_other_vectors(
        self, filled: HierarchicalCollection, cloud: Cloud
    ) -> None:
        """Whatever is asked of it: no store's own answer to such a question is relied upon."""
        for other, reason in (
            (HierarchicalCollection(filled.client, filled.name, root=unit(np.ones(4))), "16"),
            (
                HierarchicalCollection(
                    filled.client, filled.name, root=cloud.root, vector_name="other"
                ),
                "'hiersearch'",
            ),
        ):
            vector = other.root
            for ask in (
                lambda other=other, vector=vector: other.nearest(vector, limit=1),
                lambda other=other, vector=vector: other.radial_path(vector),
                lambda other=other, vector=vector: other.radial_path(vector, radii=5),
                lambda other=other, vector=vector: other.descendants_of(-vector, limit=1),
                lambda other=other, vector=vector: other.ancestors_of(vector, limit=1),
                lambda other=other: list(other.scroll(with_vectors=True)),
                lambda other=other, vector=vector: other.upsert([1], [vector], [{}]),
            ):
                with pytest.raises(CollectionError, match=reason):
                    ask()
        assert filled.count() == len(cloud.ids)

    def test_ids_must_be_integers_or_uuids(self, filled: HierarchicalCollection) -> None:
        with pytest.raises(StoreError):
            filled.upsert(["cat.jpg"], np.ones((1, 16)), [{}])


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


def test_both_names_of_a_vector(make: Made, cloud: Cloud) -> None:
    unnamed = make(cloud.root, name="hiersearch-test-other", vector_name="")
    unnamed.upsert(cloud.ids, cloud.vectors, [{}] * len(cloud.ids))
    query = cloud.vectors[4]
    assert unnamed.nearest(query, limit=1)[0].id in (cloud.ids[4], cloud.ids[154])
    assert len(unnamed.descendants_of(query, limit=3)) == 3
    record = next(unnamed.scroll(with_vectors=True))
    assert record.vector is not None
    assert record.vector.shape == (16,)


def test_dropped(filled: HierarchicalCollection, cloud: Cloud) -> None:
    filled.drop()
    assert not filled.exists()
