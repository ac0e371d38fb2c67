"""Calls of a `QdrantClient` that the contract of the collections does not use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch.errors import CollectionError
from hiersearch.qdrant import EdgeClient
from hiersearch.qdrant.edge.queries import record, scored_point
from hiersearch.qdrant.layout import VectorLayout, layout_of
from hiersearch.qdrant.limits import Search
from tests.qdrant.conftest import Cloud


class TestCalls:
    """Those calls of a `QdrantClient` that the contract of the collections does not use."""

    @pytest.fixture
    def client(self, store: Path) -> EdgeClient:
        return EdgeClient(store)

    def test_get_collection(self, client: EdgeClient) -> None:
        info = client.get_collection("photos")
        assert info.points_count == 50
        assert info.payload_schema["root_distance"].data_type == models.PayloadSchemaType.FLOAT
        assert info.payload_schema["concepts"].data_type == models.PayloadSchemaType.KEYWORD
        assert info.config.params.vectors == {
            "hiersearch": models.VectorParams(size=16, distance=models.Distance.COSINE)
        }

    def test_settings_of_a_vector_are_kept(self, client: EdgeClient) -> None:
        params = models.VectorParams(
            size=8,
            distance=models.Distance.DOT,
            on_disk=True,
            datatype=models.Datatype.FLOAT16,
        )
        client.create_collection("half", params)
        assert client.get_collection("half").config.params.vectors == params
        with pytest.raises(CollectionError, match="exists"):
            client.create_collection("half", params)

    def test_batch_of_points(self, client: EdgeClient, cloud: Cloud) -> None:
        client.upsert(
            "photos",
            models.Batch(
                ids=[1, 2],
                vectors={"hiersearch": cloud.vectors[:2].tolist()},
                payloads=[{"a": 1}, {"a": 2}],
            ),
        )
        assert [record.payload for record in client.retrieve("photos", [1, 2])] == [
            {"a": 1},
            {"a": 2},
        ]

    def test_what_makes_no_object_per_point_says_the_same(
        self, client: EdgeClient, cloud: Cloud
    ) -> None:
        vector = {"hiersearch": cloud.root.tolist()}
        client.upsert("photos", [models.PointStruct(id=7, vector=vector, payload={})])
        offset: Any = None
        for limit in (20, 20, 20):
            asked: dict[str, Any] = {"limit": limit, "offset": offset}
            records, following = client.scroll("photos", **asked)
            ids, offset = client.scroll_ids("photos", **asked)
            assert (ids, offset) == ([record.id for record in records], following)
        assert offset is None
        chosen = models.Filter(must=[models.HasIdCondition(has_id=[7, *cloud.ids[:9]])])
        asked = {"query": cloud.vectors[0].tolist(), "using": "hiersearch", "query_filter": chosen}
        points = client.query_points("photos", **asked, limit=8).points
        found = client.scores("photos", **asked, limit=8)
        assert list(found.items()) == [(point.id, point.score) for point in points]

    def test_what_the_engine_gives_is_what_clients_are_given(
        self, client: EdgeClient, cloud: Cloud
    ) -> None:
        wanted: dict[str, Any] = {"with_payload": True, "with_vectors": True}
        records = client.retrieve("photos", cloud.ids[:5], **wanted)
        assert (
            list(map(record, client.plain.retrieve("photos", cloud.ids[:5], **wanted))) == records
        )
        records, following = client.scroll("photos", None, 20, **wanted)
        page, offset = client.plain.scroll("photos", None, 20, **wanted)
        assert (list(map(record, page)), offset) == (records, following)
        some = has("concepts", "all")
        assert client.plain.count("photos", some) == client.count("photos", some).count == 50
        hits = client.facet("photos", "concepts", limit=9, exact=True).hits
        facets = client.plain.facet("photos", "concepts", limit=9)
        assert [(hit.value, hit.count) for hit in facets] == [("all", 50)]
        assert [(hit.value, hit.count) for hit in hits] == [("all", 50)]
        vector = cloud.vectors[0].tolist()
        for search in (Search(exact=True), Search(exact=False, hnsw_ef=40, oversampling=2.0)):
            points = client.query_points(
                "photos",
                vector,
                using="hiersearch",
                query_filter=some,
                search_params=search.params(),
                limit=9,
            ).points
            found = client.plain.nearest(
                "photos",
                vector,
                using="hiersearch",
                matching=some,
                search=search,
                limit=9,
                with_payload=True,
            )
            assert list(map(scored_point, found)) == points

    def test_the_layout_is_that_of_the_clients_description(self, client: EdgeClient) -> None:
        client.update_collection("photos", {"a": [1]})
        compressed = models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
        )
        client.create_collection(
            "half",
            {
                "": models.VectorParams(
                    size=8, distance=models.Distance.DOT, datatype=models.Datatype.FLOAT16
                ),
                "small": models.VectorParams(
                    size=4, distance=models.Distance.EUCLID, quantization_config=compressed
                ),
            },
        )
        for name in ("photos", "half"):
            assert client.plain.layout(name) == layout_of(client.get_collection(name))
        layout = client.plain.layout("half")
        assert layout.vectors[""] == VectorLayout(8, "Dot", "float16")
        assert layout.vectors["small"].quantized
        assert client.plain.layout("photos").indexes["root_distance"] == "float"

    def test_update_modes(self, client: EdgeClient, cloud: Cloud) -> None:
        point = models.PointStruct(
            id=cloud.ids[0], vector={"hiersearch": cloud.root.tolist()}, payload={"new": 1}
        )
        client.upsert("photos", [point], update_mode=models.UpdateMode.INSERT_ONLY)
        assert "new" not in (client.retrieve("photos", [cloud.ids[0]])[0].payload or {})
        client.upsert("photos", [point], update_mode=models.UpdateMode.UPDATE_ONLY)
        assert client.retrieve("photos", [cloud.ids[0]])[0].payload == {"new": 1}

    def test_payloads(self, client: EdgeClient, cloud: Cloud) -> None:
        ids: list[models.ExtendedPointId] = [cloud.ids[0]]
        client.set_payload("photos", {"a": 1, "b": {"c": None}}, ids)
        client.delete_payload("photos", ["concepts", "root_distance"], ids)
        assert client.retrieve("photos", ids)[0].payload == {"a": 1, "b": {"c": None}}
        client.set_payload("photos", {"d": [2.5]}, ids, key="b")
        assert client.retrieve("photos", ids)[0].payload == {"a": 1, "b": {"c": None, "d": [2.5]}}
        client.overwrite_payload("photos", {"z": True}, models.PointIdsList(points=ids))
        assert client.retrieve("photos", ids)[0].payload == {"z": True}
        everything = models.Filter()
        client.set_payload("photos", {"all": 1}, models.FilterSelector(filter=everything))
        assert client.count("photos", has("all", 1)).count == 50

    def test_selection_of_payload(self, client: EdgeClient) -> None:
        for selection, keys in (
            (True, {"root_distance", "concepts"}),
            (["concepts"], {"concepts"}),
            (models.PayloadSelectorInclude(include=["concepts"]), {"concepts"}),
            (models.PayloadSelectorExclude(exclude=["concepts"]), {"root_distance"}),
        ):
            [point], _ = client.scroll("photos", limit=1, with_payload=selection)
            assert set(point.payload or {}) == keys
        [point], _ = client.scroll("photos", limit=1, with_payload=False)
        assert not point.payload

    def test_order(self, client: EdgeClient, cloud: Cloud) -> None:
        wanted = [cloud.ids[row] for row in np.argsort(cloud.distances[:50])]
        down = models.OrderBy(key="root_distance", direction=models.Direction.DESC)
        points, _ = client.scroll("photos", limit=50, order_by="root_distance")
        assert [point.id for point in points] == wanted
        points, _ = client.scroll("photos", limit=50, order_by=down)
        assert [point.id for point in points] == wanted[::-1]
        answer = client.query_points("photos", models.OrderByQuery(order_by=down), limit=3)
        assert [point.id for point in answer.points] == wanted[:-4:-1]

    def test_batch_of_queries(self, client: EdgeClient, cloud: Cloud) -> None:
        requests = [
            models.QueryRequest(query=vector.tolist(), using="hiersearch", limit=3)
            for vector in cloud.vectors[:4]
        ]
        answers = client.query_batch_points("photos", requests)
        single = [
            client.query_points("photos", vector, using="hiersearch", limit=3, with_payload=False)
            for vector in cloud.vectors[:4]
        ]
        assert answers == single

    def test_filters(self, client: EdgeClient, cloud: Cloud) -> None:
        for row, number in enumerate(cloud.ids[:50]):
            payload = {"n": row, "text": f"t{row % 5}", "nested": [{"x": row}]}
            client.set_payload("photos", payload, [number])
        payload = {"n": 0, "text": "t0", "nested": [{"x": 0}], "none": None, "concepts": ["all"]}
        client.overwrite_payload("photos", payload, [cloud.ids[0]])
        field = models.FieldCondition
        cases: list[tuple[Any, int]] = [
            (has("text", "t1"), 10),
            (field(key="text", match=models.MatchAny(any=["t1", "t2"])), 20),
            (field(key="text", match=models.MatchExcept(**{"except": ["t1"]})), 40),
            (field(key="n", match=models.MatchValue(value=7)), 1),
            (field(key="n", range=models.Range(gt=5, lte=8)), 3),
            (field(key="concepts", values_count=models.ValuesCount(gte=1)), 50),
            (models.IsNullCondition(is_null=models.PayloadField(key="none")), 1),
            (models.IsEmptyCondition(is_empty=models.PayloadField(key="empty")), 50),
            (models.HasIdCondition(has_id=cloud.ids[:3]), 3),
            (models.HasVectorCondition(has_vector="hiersearch"), 50),
            (
                models.NestedCondition(
                    nested=models.Nested(
                        key="nested",
                        filter=models.Filter(must=field(key="x", range=models.Range(lt=4))),
                    )
                ),
                4,
            ),
            (models.Filter(must_not=[has("text", "t1")]), 40),
            (models.Filter(should=[has("text", "t1"), has("text", "t2")]), 20),
            (
                models.Filter(
                    min_should=models.MinShould(
                        conditions=[has("text", "t1"), field(key="n", range=models.Range(lt=10))],
                        min_count=2,
                    )
                ),
                2,
            ),
        ]
        for condition, count in cases:
            wrapped = models.Filter(must=[condition])
            assert client.count("photos", wrapped).count == count, condition

    def test_optimize_keeps_every_point(self, client: EdgeClient, cloud: Cloud) -> None:
        client.delete("photos", cloud.ids[:20])
        client.optimize("photos")
        assert client.count("photos").count == 30
        client.close()
        assert client.count("photos").count == 30
        assert client.get_collection("photos").indexed_vectors_count == 0


def has(key: str, value: str | int) -> models.Filter:
    return models.Filter(
        must=[models.FieldCondition(key=key, match=models.MatchValue(value=value))]
    )
