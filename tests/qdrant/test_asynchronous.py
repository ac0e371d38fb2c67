from __future__ import annotations

import asyncio
import inspect
import socket
import warnings
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, VectorError
from hiersearch.qdrant import (
    AsyncHierarchicalCollection,
    CollectionOptions,
    HierarchicalCollection,
    Hit,
    equals,
)
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import NAME, label

pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect", "ignore:Local mode performs exact"
)

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def public_methods(kind: type) -> set[str]:
    return {name for name, value in inspect.getmembers(kind, callable) if not name.startswith("_")}


def payloads(cloud: Cloud) -> list[dict[str, Any]]:
    return [{"number": row, "concepts": ["all", f"c{row % 3}"]} for row in range(len(cloud.ids))]


@asynccontextmanager
async def filled(cloud: Cloud) -> AsyncIterator[AsyncHierarchicalCollection]:
    client = AsyncQdrantClient(":memory:")
    collection = AsyncHierarchicalCollection(client, "cloud", root=cloud.root)
    await collection.create(payload_indexes={"number": "integer"})
    await collection.upsert(cloud.ids, cloud.vectors, payloads(cloud))
    yield collection
    await client.close()


@pytest.fixture(scope="module")
def twin(cloud: Cloud) -> HierarchicalCollection:
    """The same points, in a collection without an event loop."""
    collection = HierarchicalCollection(QdrantClient(":memory:"), "cloud", root=cloud.root)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect")
        collection.create(payload_indexes={"number": "integer"})
    collection.upsert(cloud.ids, cloud.vectors, payloads(cloud))
    return collection


def test_it_has_the_methods_of_the_collection_and_no_others() -> None:
    assert public_methods(AsyncHierarchicalCollection) == public_methods(HierarchicalCollection)
    for name in public_methods(HierarchicalCollection) - {"attached"}:
        ours, theirs = (
            getattr(AsyncHierarchicalCollection, name),
            getattr(HierarchicalCollection, name),
        )
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert ours.__doc__ == theirs.__doc__
        assert inspect.iscoroutinefunction(ours) != inspect.isasyncgenfunction(ours)


def same(ours: list[Hit], theirs: list[Hit]) -> bool:
    """The same hits. (The two local modes may normalise a vector to another last bit.)"""
    return [(hit.id, hit.root_distance, hit.payload) for hit in ours] == [
        (hit.id, hit.root_distance, hit.payload) for hit in theirs
    ] and all(
        (one.score, one.angle) == pytest.approx((other.score, other.angle), abs=1e-3)
        and one.score == pytest.approx(other.score, abs=6e-6)
        for one, other in zip(ours, theirs, strict=True)
    )


def test_searches_answer_the_same(cloud: Cloud, twin: HierarchicalCollection) -> None:
    queries = [*Cloud.make(4, seed=1).vectors, cloud.root, -cloud.root]
    under = equals(CONCEPTS, "c1")

    async def ask() -> None:
        async with filled(cloud) as collection:
            for query in queries:
                for name, given in [
                    ("nearest", {"limit": 9, "offset": 2}),
                    ("radial_path", {}),
                    ("radial_path", {"radii": 20, "by": "descent"}),
                    ("radial_path", {"radii": 20, "by": "batch", "filter": under}),
                    ("radial_path", {"radii": [0.3, 0.9], "filter": under}),
                    ("descendants_of", {"limit": 7, "filter": under}),
                    ("ancestors_of", {"limit": 7, "payload": ["number"]}),
                ]:
                    ours = await getattr(collection, name)(query, **given)
                    assert same(ours, getattr(twin, name)(query, **given))

    run(ask())


def test_points_come_back_the_same(cloud: Cloud, twin: HierarchicalCollection) -> None:
    async def ask() -> None:
        async with filled(cloud) as collection:
            assert await collection.exists()
            assert await collection.count(equals(CONCEPTS, "c0")) == 100
            assert await collection.count_without_distance() == 0
            assert await collection.facets() == twin.facets()
            assert not await collection.optimize()
            assert await collection.retrieve(cloud.ids[:3]) == twin.retrieve(cloud.ids[:3])
            scrolled = [record async for record in collection.scroll(with_vectors=True, page=77)]
            assert len(scrolled) == len(cloud.ids)
            for ours, theirs in zip(scrolled, twin.scroll(with_vectors=True), strict=True):
                assert (ours.id, ours.payload) == (theirs.id, theirs.payload)
                assert ours.vector is not None
                np.testing.assert_allclose(ours.vector, theirs.vector, atol=1e-6)
            await collection.set_payload(cloud.ids[:2], [{"concepts": ["x"]}, {"concepts": ["y"]}])
            await collection.delete(cloud.ids[2:5])
            assert await collection.count(equals(CONCEPTS, "x")) == 1
            assert await collection.count() == len(cloud.ids) - 3
            await collection.drop()
            assert not await collection.exists()

    run(ask())


def test_a_collection_of_others_is_attached_and_detached(cloud: Cloud) -> None:
    async def ask() -> None:
        client = AsyncQdrantClient(":memory:")
        params = models.VectorParams(size=16, distance=models.Distance.COSINE)
        await client.create_collection(NAME, vectors_config=params)
        rows = dict(zip(cloud.ids, cloud.vectors.tolist(), strict=True))
        await client.upsert(
            NAME, [models.PointStruct(id=number, vector=row) for number, row in rows.items()]
        )
        before = await everything(client)
        with pytest.raises(CollectionError, match="not attached"):
            await AsyncHierarchicalCollection.attached(client, NAME)
        collection = AsyncHierarchicalCollection(client, NAME, root=cloud.root, vector_name="")
        with pytest.raises(CollectionError, match="no point"):
            await collection.radial_path(cloud.root)
        told: list[int] = []
        done = await collection.attach(
            label=label,
            check=lambda sample: bool(sample),
            page=64,
            on_progress=lambda _task, count, _total: told.append(count),
        )
        assert (done.attached, done.labelled, done.verified) == (300, 300, True)
        assert told[-1] == 300
        distances = {number: one["root_distance"] for number, one in (await everything(client))}
        assert distances == pytest.approx(
            dict(zip(cloud.ids, cloud.distances.tolist(), strict=True)), abs=6e-6
        )

        other = await AsyncHierarchicalCollection.attached(client, NAME, hnsw_ef=64)
        assert await other.radial_path(cloud.vectors[3])
        pages = [page async for page in other.scroll_ids(page=77)]
        assert [len(page) for page in pages] == [77, 77, 77, 69]
        assert [number for page in pages for number in page] == sorted(cloud.ids)
        assert (await other.repair()).already == 300
        await client.delete_payload(NAME, ["root_distance"], cloud.ids[:5])
        assert (await other.repair(label=label, page=2)).attached == 5

        assert (await collection.detach(page=50)).points == 300
        assert await everything(client) == before
        await client.close()

    run(ask())


async def everything(client: AsyncQdrantClient) -> list[tuple[Any, Any]]:
    points, _ = await client.scroll(NAME, limit=1000)
    return [(point.id, point.payload) for point in points]


def test_many_calls_at_a_time(cloud: Cloud, twin: HierarchicalCollection) -> None:
    queries = Cloud.make(60, seed=2).vectors

    async def ask() -> list[Any]:
        async with filled(cloud) as collection:
            return await asyncio.gather(*(collection.radial_path(query) for query in queries))

    for ours, query in zip(run(ask()), queries, strict=True):
        assert same(ours, twin.radial_path(query))


def test_one_collection_on_two_event_loops(cloud: Cloud) -> None:
    collection = AsyncHierarchicalCollection(
        AsyncQdrantClient(":memory:"), "cloud", root=cloud.root
    )
    run(collection.create())
    assert run(collection.count()) == 0


def test_errors_are_those_of_the_collection(cloud: Cloud) -> None:
    async def ask() -> None:
        client = AsyncQdrantClient(":memory:")
        with pytest.raises(VectorError, match="unit"):
            AsyncHierarchicalCollection(client, "cloud", root=2 * cloud.root)
        collection = AsyncHierarchicalCollection(client, "cloud", root=cloud.root)
        with pytest.raises(CollectionError, match="cloud"):
            await collection.nearest(cloud.root, limit=1)
        with pytest.raises(CollectionError, match="cloud"):
            async for _ in collection.scroll():
                pass
        with pytest.raises(StoreError, match="Sharding is not supported"):
            await collection.create(options=CollectionOptions(shard_keys=("a",)))
        with pytest.raises(VectorError):
            await collection.nearest(np.ones(3), limit=1)

    run(ask())


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("grpc", [False, True], ids=["rest", "grpc"])
def test_a_server_that_is_not_there(cloud: Cloud, grpc: bool) -> None:
    async def ask(port: int) -> None:
        client = AsyncQdrantClient(
            url=f"http://127.0.0.1:{port}",
            grpc_port=port,
            prefer_grpc=grpc,
            api_key="a-secret-key",
            timeout=2,
            check_compatibility=False,
        )
        collection = AsyncHierarchicalCollection(client, "cloud", root=cloud.root)
        with pytest.raises(StoreUnreachableError) as caught:
            await collection.nearest(cloud.root, limit=1)
        assert f"http://127.0.0.1:{port}" in str(caught.value)
        assert "a-secret-key" not in str(caught.value)
        await client.close()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        run(ask(taken.getsockname()[1]))


class Slow(AsyncQdrantClient):
    """Counts the writes that begin and those that were carried out."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.begun = self.done = 0
        self.ended: list[BaseException] = []

    async def upsert(self, *args: Any, **kwargs: Any) -> models.UpdateResult:
        self.begun += 1
        try:
            await asyncio.sleep(0 if self.begun == 1 else 3600)
        except asyncio.CancelledError as error:
            self.ended.append(error)
            raise
        self.done += 1
        return await super().upsert(*args, **kwargs)


def test_a_cancelled_call_stops_its_request_and_sends_no_more(cloud: Cloud) -> None:
    many = Cloud.make(1000, seed=3)

    async def ask() -> None:
        client = Slow()
        collection = AsyncHierarchicalCollection(client, "cloud", root=many.root)
        await collection.create()
        writing = asyncio.create_task(collection.upsert(many.ids, many.vectors, [{}] * 1000))
        while client.begun < 2:
            await asyncio.sleep(0.001)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        # The collection goes on, and of the write no request but the first was carried out.
        assert await collection.count() == 256
        while not client.ended:
            await asyncio.sleep(0.001)
        assert (client.begun, client.done) == (2, 1)

    run(ask())
