"""Collections whose owner assigns points to shards by keys of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from httpx import Headers
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from hiersearch.errors import CollectionError
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import COSINE, NAME, label, their

KEYS = ("de", "fr", "it")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
    pytest.mark.filterwarnings("ignore:Qdrant 1.18 sometimes loses"),
]


class Sharded(QdrantClient):
    """Answers as a server does for a collection with shard keys: no write without one.

    One store per key, as points of one id under two keys are two points; reads without a key see
    all of them.
    """

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.stores = {key: QdrantClient(":memory:") for key in KEYS}

    def create_collection(self, name: str, **settings: Any) -> bool:
        for store in self.stores.values():
            store.create_collection(name, **settings)
        return super().create_collection(name, **settings)

    def get_collection(self, name: str, **_: Any) -> models.CollectionInfo:
        info = super().get_collection(name)
        info.config.params.sharding_method = models.ShardingMethod.CUSTOM
        return info

    def list_shard_keys(self, _: str) -> models.ShardKeysResponse:
        keys = [models.ShardKeyDescription(key=key) for key in KEYS]
        return models.ShardKeysResponse(shard_keys=keys)

    def _of(self, key: str | None) -> QdrantClient:
        if key is None:
            content = b'{"status":{"error":"Wrong input: Shard key not specified"}}'
            raise UnexpectedResponse(400, "Bad Request", content, Headers())
        return self.stores[key]

    def upsert(self, name, points, shard_key_selector=None, **_):
        return self._of(shard_key_selector).upsert(name, points)

    def set_payload(self, name, payload, points, shard_key_selector=None, **_):
        return self._of(shard_key_selector).set_payload(name, payload, points)

    def delete_payload(self, name, keys, points, shard_key_selector=None, **_):
        return self._of(shard_key_selector).delete_payload(name, keys, points)

    def batch_update_points(self, name, operations, **_):
        for one in operations:
            self._of(one.set_payload.shard_key).batch_update_points(name, [one])

    def _some(self, key: str | None) -> list[QdrantClient]:
        return [*self.stores.values()] if key is None else [self.stores[key]]

    def count(self, name, count_filter=None, shard_key_selector=None, **_):
        found = [one.count(name, count_filter) for one in self._some(shard_key_selector)]
        return models.CountResult(count=sum(one.count for one in found))

    def retrieve(self, name, ids, shard_key_selector=None, **options):
        some = self._some(shard_key_selector)
        return [point for one in some for point in one.retrieve(name, ids, **options)]

    def scroll(self, name, shard_key_selector=None, limit=10, **options):
        if shard_key_selector is not None:
            return self.stores[shard_key_selector].scroll(name, limit=limit, **options)
        found = [one.scroll(name, limit=10_000, **options)[0] for one in self.stores.values()]
        return [point for some in found for point in some], None

    def query_points(self, name, shard_key_selector=None, **options):
        some = self._some(shard_key_selector)
        points = [point for one in some for point in one.query_points(name, **options).points]
        return models.QueryResponse(points=sorted(points, key=lambda one: -one.score))


def lay_out(client: QdrantClient, cloud: Cloud) -> None:
    """Three shards; the points 1 to 9 are in all of them, with other vectors."""
    params = models.VectorParams(size=cloud.vectors.shape[1], distance=COSINE)
    client.create_collection(
        NAME, vectors_config=params, sharding_method=models.ShardingMethod.CUSTOM
    )
    if not isinstance(client, Sharded):
        for key in KEYS:
            client.create_shard_key(NAME, key)
    for place, key in enumerate(KEYS):
        points = [
            models.PointStruct(
                id=row // 3 + 1 if row < 27 else row + 1,
                vector=cloud.vectors[row].tolist(),
                payload={"row": row},
            )
            for row in range(place, len(cloud.ids), 3)
        ]
        client.upsert(NAME, points, shard_key_selector=key)


def stored(client: QdrantClient) -> dict[int, dict[str, Any]]:
    """Payloads by row."""
    points = [
        point
        for key in KEYS
        for point in client.scroll(NAME, limit=1000, shard_key_selector=key)[0]
    ]
    return {point.payload["row"]: point.payload for point in points}


def check(client: QdrantClient, cloud: Cloud) -> None:
    lay_out(client, cloud)
    before = stored(client)
    assert len(before) == len(cloud.ids)
    collection = their(client, cloud.root)
    done = collection.attach(label=label)
    assert (done.attached, done.labelled, done.missing) == (len(cloud.ids), len(cloud.ids), 0)
    for row, payload in stored(client).items():
        assert payload["root_distance"] == pytest.approx(cloud.distances[row], abs=6e-6)
        assert payload["concepts"] == label(cloud.vectors[row : row + 1])[0]["concepts"]
    # Points with an id that occurs under each key are set under each.
    collection.set_payload([1, 30], [{"seen": True}, {"seen": True}])
    seen = sorted(row for row, payload in stored(client).items() if payload.get("seen"))
    assert seen == [0, 1, 2, 29]
    with pytest.raises(CollectionError, match="1 of 2 points are not in the collection"):
        collection.set_payload([2, 999], [{"seen": False}] * 2)
    assert collection.repair(recompute=True).corrected == 0
    collection.detach()
    after = stored(client)
    assert after == {
        row: {**payload, **({"seen": True} if row in seen else {})}
        | ({"seen": False} if 3 <= row <= 5 else {})
        for row, payload in before.items()
    }


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud.make(240)
    assert len(np.unique(np.round(cloud.distances, 5))) > 200
    return cloud


def test_each_point_is_written_by_its_key(cloud: Cloud) -> None:
    check(Sharded(), cloud)


def test_on_a_cluster(server: QdrantClient, cloud: Cloud) -> None:
    if not getattr(server.cluster_status(), "peers", None):
        pytest.skip("one node without a cluster has no shard keys")
    check(server, cloud)
