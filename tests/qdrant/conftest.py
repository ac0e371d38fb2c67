from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from hiersearch.qdrant import Client, EdgeClient, HierarchicalCollection
from tests.rest_server import serving

Floats = NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> Floats:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Cloud:
    """Unit vectors around a root, at many root distances, some of them twice."""

    root: Floats
    vectors: Floats
    ids: list[str]

    @classmethod
    def make(cls, count: int = 300, dim: int = 16, seed: int = 0) -> Cloud:
        root = unit(np.random.default_rng(99).standard_normal(dim))
        rng = np.random.default_rng(seed)
        spread = rng.standard_normal((count, dim)) * rng.uniform(0.05, 1.0, (count, 1))
        vectors = unit(root + spread)
        half, twice = count // 2, min(20, count // 2)
        vectors[half : half + twice] = vectors[:twice]
        ids = [str(uuid.UUID(int=int(number))) for number in rng.permutation(count)]
        return cls(root, vectors, ids)

    @property
    def distances(self) -> NDArray[np.float64]:
        return np.linalg.norm(self.vectors.astype(np.float64) - self.root, axis=1)


@pytest.fixture(scope="session")
def cloud() -> Cloud:
    return Cloud.make()


# Taken here: tests themselves run without the settings of whoever starts them.
_URLS = (os.environ.get("QDRANT_URL") or "").split()
"""The servers to test with; of a cluster, any of its nodes."""
_KEY = os.environ.get("QDRANT_API_KEY")
_READ_ONLY_KEY = os.environ.get("QDRANT_READ_ONLY_KEY")
_GRPC_PORT = os.environ.get("QDRANT_GRPC_PORT")
"""Of the only server; by default, and of several, the port after that of REST."""

no_server = pytest.mark.skipif(
    not _URLS, reason="no Qdrant server to test with (set QDRANT_URL, to several if you like)"
)


@contextmanager
def _edge(path: Path) -> Iterator[Client]:
    with EdgeClient(path / "store é") as client:
        yield client


@contextmanager
def _memory(path: Path) -> Iterator[Client]:
    yield QdrantClient(":memory:")


@contextmanager
def _http(path: Path) -> Iterator[Client]:
    with (
        serving() as server,
        closing(QdrantClient(url=server.url, check_compatibility=False)) as client,
    ):
        yield client


@dataclass(frozen=True)
class Server:
    """A real server. Called, it opens a client, by default with the key that may do anything."""

    url: str
    by_grpc: bool

    def __call__(self, _path: Path, *, key: str | None = _KEY) -> AbstractContextManager[Client]:
        port = int(_GRPC_PORT or 0) if len(_URLS) == 1 else 0
        port = port or (urlsplit(self.url).port or 6333) + 1
        return closing(
            QdrantClient(
                url=self.url, api_key=key, prefer_grpc=self.by_grpc, grpc_port=port, timeout=30
            )
        )


_SERVERS = [
    pytest.param(Server(url, by_grpc), id=f"{name}-{place}", marks=no_server)
    for place, url in enumerate(_URLS or [""], start=1)
    for name, by_grpc in (("rest", False), ("grpc", True))
]
_HERE = [pytest.param(_edge, id="edge"), pytest.param(_memory, id="memory")]


@contextmanager
def _cleared(opened: AbstractContextManager[Client]) -> Iterator[Client]:
    """Without the collections of tests, before and after: a server keeps what it is given."""
    with opened as client:
        for when in ("before", "after"):
            for collection in client.get_collections().collections:
                if collection.name.startswith("hiersearch-test"):
                    client.delete_collection(collection.name)
            if when == "before":
                yield client


@pytest.fixture(params=[*_HERE, *_SERVERS])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    with _cleared(request.param(tmp_path)) as opened:
        yield opened


@pytest.fixture(params=[*_HERE, pytest.param(_http, id="http"), *_SERVERS])
def attaching_client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """For collections that others made; over real HTTP too, with or without a Qdrant server."""
    with _cleared(request.param(tmp_path)) as opened:
        yield opened


@pytest.fixture(params=_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QdrantClient]:
    """A client of a real server that `QDRANT_URL` names."""
    with _cleared(request.param(tmp_path)) as opened:
        yield opened


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """Another client of the store of the test: of a server, one which may read only."""
    parameters = request.node.callspec.params
    store = parameters.get("client", parameters.get("server"))
    if not isinstance(store, Server):
        yield request.getfixturevalue("client")
        return
    if _READ_ONLY_KEY is None:
        pytest.skip("no key that may read only (set QDRANT_READ_ONLY_KEY)")
    with store(tmp_path, key=_READ_ONLY_KEY) as opened:
        yield opened


Made = Callable[..., HierarchicalCollection]


@pytest.fixture
def make(client: Client) -> Made:
    """A new collection over the client of the test."""

    def made(
        root: Floats,
        indexes: dict[str, str] | None = None,
        name: str = "hiersearch-test",
        vector_name: str = "hiersearch",
    ) -> HierarchicalCollection:
        collection = HierarchicalCollection(client, name, root=root, vector_name=vector_name)
        with warnings.catch_warnings():
            # The client's local mode says that it has no indexes; it finds the same without.
            warnings.filterwarnings("ignore", "Payload indexes have no effect")
            collection.create(payload_indexes=indexes)
        return collection

    return made


@pytest.fixture
def filled(make: Made, cloud: Cloud) -> HierarchicalCollection:
    """The cloud, stored: every third point under `c0`, `c1`, `c2`, all under `all`."""
    collection = make(cloud.root, {"number": "integer"})
    collection.upsert(
        cloud.ids,
        cloud.vectors,
        [{"number": row, "concepts": ["all", f"c{row % 3}"]} for row in range(len(cloud.ids))],
    )
    return collection


def photos(path: Path, cloud: Cloud) -> HierarchicalCollection:
    return HierarchicalCollection(EdgeClient(path), "photos", root=cloud.root)


@pytest.fixture
def store(tmp_path: Path, cloud: Cloud) -> Path:
    """A closed store with 50 photos."""
    collection = photos(tmp_path / "store", cloud)
    collection.create()
    collection.upsert(cloud.ids[:50], cloud.vectors[:50], [{"concepts": ["all"]}] * 50)
    collection.client.close()
    return tmp_path / "store"
