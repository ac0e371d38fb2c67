from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from hiersearch.qdrant import Client, EdgeClient, HierarchicalCollection

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


def _edge(path: Path) -> Client:
    return EdgeClient(path / "store é")


def _memory(path: Path) -> Client:
    return QdrantClient(":memory:")


def _server(path: Path) -> Client:
    return QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))


no_server = pytest.mark.skipif(
    "QDRANT_URL" not in os.environ, reason="no Qdrant server to test with (set QDRANT_URL)"
)


@pytest.fixture(
    params=[
        pytest.param(_edge, id="edge"),
        pytest.param(_memory, id="memory"),
        pytest.param(_server, id="server", marks=no_server),
    ]
)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    opened: Client = request.param(tmp_path)
    yield opened
    for name in ("hiersearch-test", "hiersearch-test-other"):
        if opened.collection_exists(name):
            opened.delete_collection(name)
    opened.close()


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
