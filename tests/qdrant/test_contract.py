"""What every store must do, checked against NumPy over all vectors."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from qdrant_client import models

from hiersearch.errors import (
    CollectionError,
    StoreError,
    VectorError,
)
from hiersearch.qdrant import Client, HasValue, HierarchicalCollection, all_of, equals
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud, Made, unit

EXACT = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")


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
