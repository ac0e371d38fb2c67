"""Through the server of the tests, a client gets what it gets from its local mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.rest_server import serving, serving_apart

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]

IDS = [*range(30), "00000000-0000-0000-0000-00000000abcd"]


@pytest.fixture
def twins():
    """A client of the server, and one that does the same in memory."""
    with serving() as server:
        remote = QdrantClient(url=server.url, check_compatibility=False)
        yield [remote, QdrantClient(":memory:")]
        remote.close()


def fill(client: QdrantClient, name: str = "things") -> None:
    params = models.VectorParams(size=4, distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config={"a": params, "b": params})
    client.create_payload_index(name, "kind", models.PayloadSchemaType.KEYWORD)
    vectors = np.random.default_rng(1).standard_normal((len(IDS), 4))
    client.upsert(
        name,
        [
            models.PointStruct(
                id=number,
                vector={"a": vector.tolist()} if row % 5 == 0 else {"a": vector, "b": -vector},
                payload={"number": row, "kind": f"k{row % 3}", "é": ["ü", None, {"x": 1.5}]},
            )
            for row, (number, vector) in enumerate(zip(IDS, vectors, strict=True))
        ],
    )


def plain(answer: Any) -> Any:
    if isinstance(answer, (list, tuple)):
        return [plain(one) for one in answer]
    data = answer.model_dump() if hasattr(answer, "model_dump") else answer
    return rounded(data)


def rounded(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: rounded(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [rounded(value) for value in data]
    return round(data, 6) if isinstance(data, float) else data


UNDER_K1 = models.Filter(
    must=[models.FieldCondition(key="kind", match=models.MatchValue(value="k1"))]
)
NEAR = [0.1, 0.2, 0.3, 0.4]
FORMULA = models.FormulaQuery(formula=models.SumExpression(sum=["$score", "number"]))

CALLS = {
    "names": lambda c: c.get_collections(),
    "exists": lambda c: [c.collection_exists("things"), c.collection_exists("nothing")],
    "scroll": lambda c: c.scroll("things", limit=7, with_vectors=True),
    "scroll on": lambda c: c.scroll("things", limit=7, offset=20, with_payload=["kind"]),
    "scroll some": lambda c: c.scroll("things", scroll_filter=UNDER_K1, with_vectors=["b"]),
    "scroll last": lambda c: c.scroll("things", limit=7, offset=29, with_payload=False),
    "retrieve": lambda c: c.retrieve("things", [3, IDS[-1], 99], with_vectors=True),
    "count": lambda c: [c.count("things"), c.count("things", count_filter=UNDER_K1)],
    "facet": lambda c: c.facet("things", "kind", limit=2),
    "query": lambda c: c.query_points("things", NEAR, using="a", query_filter=UNDER_K1),
    "params": lambda c: c.query_points(
        "things", NEAR, using="a", search_params=models.SearchParams(exact=True), offset=2
    ),
    "formula": lambda c: c.query_points(
        "things", FORMULA, prefetch=models.Prefetch(query=NEAR, using="b", limit=9), limit=4
    ),
    "batch": lambda c: c.query_batch_points(
        "things", [models.QueryRequest(query=NEAR, using=name, limit=3) for name in "ab"]
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.filterwarnings("ignore:Local mode performs exact")
def test_reads_agree(twins, call):
    for client in twins:
        fill(client)
    remote, local = twins
    assert plain(call(remote)) == plain(call(local))


WRITES = {
    "set": lambda c: c.set_payload("things", {"new": 1}, [1, 2, IDS[-1]]),
    "set by filter": lambda c: c.set_payload("things", {"new": 1}, UNDER_K1),
    "overwrite": lambda c: c.overwrite_payload("things", {"new": 1}, [1, 2]),
    "remove": lambda c: c.delete_payload("things", ["kind"], UNDER_K1),
    "delete": lambda c: c.delete("things", [1, 2]),
    "batch": lambda c: c.batch_update_points(
        "things",
        [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"new": 0.1}, points=[5])
            ),
            models.DeletePayloadOperation(
                delete_payload=models.DeletePayload(keys=["number"], filter=UNDER_K1)
            ),
            models.DeleteOperation(delete=models.PointIdsList(points=[7])),
            models.UpsertOperation(
                upsert=models.PointsList(points=[models.PointStruct(id=8, vector={"b": NEAR})])
            ),
        ],
    ),
    "columns": lambda c: c.upsert(
        "things", models.Batch(ids=[50], vectors={"a": [NEAR]}, payloads=[{"x": "y"}])
    ),
    "metadata": lambda c: c.update_collection("things", metadata={"m": {"n": [1, 2]}}),
    "drop": lambda c: (c.delete_collection("things"), fill(c)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writes_agree(twins, write):
    for client in twins:
        fill(client)
        write(client)
    remote, local = twins
    assert plain(remote.scroll("things", limit=99, with_vectors=True)) == plain(
        local.scroll("things", limit=99, with_vectors=True)
    )
    told, there = remote.get_collection("things"), local.get_collection("things")
    assert told.config.metadata == there.config.metadata
    assert told.config.params.vectors == there.config.params.vectors


def choosing(count: int) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(range(count)))])


def test_it_keeps_what_local_mode_drops():
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        client.create_collection(
            "c",
            vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT),
            shard_number=3,
            hnsw_config=models.HnswConfigDiff(m=32),
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
            ),
            strict_mode_config=models.StrictModeConfig(
                enabled=True,
                max_query_limit=5,
                search_max_batchsize=2,
                search_allow_exact=False,
                condition_max_size=3,
            ),
        )
        client.create_payload_index(
            "c",
            "d",
            models.FloatIndexParams(type=models.FloatIndexType.FLOAT, is_principal=True),
        )
        info = client.get_collection("c")
        assert info.config.params.shard_number == 3
        assert info.config.hnsw_config.m == 32
        assert info.config.quantization_config is not None
        assert info.config.strict_mode_config.max_query_limit == 5
        assert info.payload_schema["d"].params.is_principal
        for refused in (
            lambda: client.query_points("c", NEAR, limit=6),
            lambda: client.query_points(
                "c", NEAR, limit=5, search_params=models.SearchParams(exact=True)
            ),
            lambda: client.query_batch_points("c", [models.QueryRequest(query=NEAR)] * 3),
            lambda: client.facet("c", "kind"),
            lambda: client.query_points("c", NEAR, limit=1, query_filter=choosing(4)),
            lambda: client.query_points(
                "c", prefetch=models.Prefetch(query=NEAR, filter=choosing(4), limit=1), limit=1
            ),
            lambda: client.scroll("c", limit=1, scroll_filter=choosing(4)),
        ):
            with pytest.raises(UnexpectedResponse, match="400"):
                refused()
        client.query_points("c", NEAR, limit=5, query_filter=choosing(3))
        client.delete_payload_index("c", "d")
        assert client.get_collection("c").payload_schema == {}


def test_errors_have_the_status_of_a_server():
    with serving(api_key="secret", read_only_key="reader", prefix="/deep/down") as server:
        reader = QdrantClient(url=server.url, api_key="reader", check_compatibility=False)
        assert reader.get_collections().collections == []
        with pytest.raises(UnexpectedResponse, match="403"):
            fill(reader)
        stranger = QdrantClient(url=server.url, check_compatibility=False)
        with pytest.raises(UnexpectedResponse, match="401"):
            stranger.get_collections()
        owner = QdrantClient(url=server.url, api_key="secret", check_compatibility=False)
        fill(owner)
        for status, call in {
            "404": lambda: owner.scroll("nothing"),
            "409": lambda: fill(owner),
            "400": lambda: owner.query_points("things", [1.0, 2.0], using="a"),
        }.items():
            with pytest.raises(UnexpectedResponse, match=status):
                call()


def test_it_runs_in_a_process_of_its_own():
    with serving_apart("0", "--prefix", "/q") as url:
        client = QdrantClient(url=url, check_compatibility=False)
        fill(client)
        assert client.count("things").count == len(IDS)
