"""A collection as another program makes it, and what is right once it is attached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch.qdrant import Client, EdgeClient, HierarchicalCollection
from tests.qdrant.conftest import Cloud

NAME = "hiersearch-test-theirs"
COSINE, DOT = models.Distance.COSINE, models.Distance.DOT


def theirs(
    client: Client,
    cloud: Cloud,
    *,
    distance: models.Distance = COSINE,
    vector: str = "",
    factor: float = 1.0,
    name: str = NAME,
) -> None:
    """A collection as another program makes it, with ids of both kinds."""
    params = models.VectorParams(size=cloud.vectors.shape[1], distance=distance)
    client.create_collection(name, vectors_config={vector: params} if vector else params)
    add(client, cloud, range(len(cloud.ids)), vector=vector, factor=factor, name=name)


def add(client, cloud, rows, *, vector="", factor=1.0, name=NAME) -> None:
    for start in range(0, len(rows), 100):
        client.upsert(
            name,
            [
                models.PointStruct(
                    id=number_of(cloud, row),
                    vector={vector: values} if vector else values,
                    payload={"number": row, "caption": f"no. {row}", "tags": ["a", None]},
                )
                for row in rows[start : start + 100]
                for values in [(cloud.vectors[row] * factor).tolist()]
            ],
        )


def number_of(cloud: Cloud, row: int) -> int | str:
    return cloud.ids[row] if row % 2 else 1000 + row


def everything(client: Client, name: str = NAME) -> dict[Any, tuple[Any, Any]]:
    """Payload and vector of each point, by its id."""
    points, offset = client.scroll(name, limit=10_000, with_vectors=True)
    assert offset is None
    assert len({point.id for point in points}) == len(points)
    return {point.id: (point.payload, np.asarray(point.vector or [])) for point in points}


def check_right(client: Client, before: dict, root: np.ndarray, name: str = NAME) -> None:
    """Every point has its distance, by the slow way, and nothing else is another."""
    after = everything(client, name)
    assert after.keys() == before.keys()
    for number, (payload, vector) in after.items():
        distance = payload.pop("root_distance")
        long = [float(x) for x in vector]
        length = sum(x * x for x in long) ** 0.5
        slow = sum((x / length - float(r)) ** 2 for x, r in zip(long, root, strict=True)) ** 0.5
        assert distance == pytest.approx(slow, abs=6e-6)
        assert distance == round(distance, 5)
        assert payload == before[number][0]
        # The client's local mode makes stored vectors unit ones again whenever it searches.
        drift = 0.0 if isinstance(client, EdgeClient) else 1e-6
        np.testing.assert_allclose(vector, before[number][1], rtol=0, atol=drift)


def their(client: Client, root: np.ndarray, vector: str = "") -> HierarchicalCollection:
    return HierarchicalCollection(client, NAME, root=root, vector_name=vector)


def label(rows: np.ndarray) -> list[dict[str, Any]]:
    """Concepts by the sign of the first number; nothing fits where the second is negative."""
    return [
        {"chain": [], "masses": [], "concepts": []}
        if row[1] < 0
        else {"chain": ["all", f"c{int(row[0] > 0)}"], "masses": [1.0, 0.5], "concepts": ["all"]}
        for row in rows
    ]
