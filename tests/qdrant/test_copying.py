from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hiersearch.qdrant import CopiedPoints, EdgeClient, copy_points, same_points
from hiersearch.qdrant.points import alike


@pytest.fixture
def target(tmp_path: Path, make, cloud):
    """A collection in another store than that of the test's client."""
    client = EdgeClient(tmp_path / "target")
    collection = type(make(cloud.root))(client, "copy", root=cloud.root)
    collection.create()
    yield collection
    client.close()


def everything(collection) -> dict:
    return {record.id: record.payload for record in collection.scroll()}


def test_a_copy_is_made_completed_and_left_alone(filled, target, cloud):
    told = []
    size = len(cloud.ids)
    assert not same_points(filled, target)
    assert copy_points(filled, target, on_progress=told.append) == CopiedPoints(size, 0, 0)
    assert told == [256, size]
    assert same_points(filled, target)
    assert everything(target).keys() == everything(filled).keys()
    for one, other in zip(
        filled.retrieve(cloud.ids, with_vectors=True),
        target.retrieve(cloud.ids, with_vectors=True),
        strict=True,
    ):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
        assert alike(one.payload, other.payload)
    assert copy_points(filled, target, on_progress=told.append) == CopiedPoints(0, 0, size)

    target.set_payload(cloud.ids[:2], [{"number": -1}, {"more": 1}])
    target.delete(cloud.ids[2:5])
    target.upsert([7, 8], cloud.vectors[:2], [{}, {}])
    assert not same_points(filled, target)
    assert copy_points(filled, target, on_progress=told.append) == CopiedPoints(5, 2, size - 5)
    assert same_points(filled, target)
    assert everything(target).keys() == set(cloud.ids)


def test_as_many_points_are_not_the_same_points(filled, target, cloud):
    copy_points(filled, target, on_progress=[].append)
    target.delete(cloud.ids[:1])
    target.upsert([7], cloud.vectors[:1], [{}])
    assert not same_points(filled, target)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": [1.0, {"b": "x"}]}, {"a": [1, {"b": "x"}]}, True),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, True),
        ({"a": 1.0}, {"a": 1.0000001}, False),
        ({"a": 1}, {"a": 1, "b": None}, True),
        ({"a": 1}, {"a": 1, "b": 0}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": [1]}, {"a": [1, 1]}, False),
        ({"a": 1.5}, {"a": "1.5"}, False),
        ({"a": [1]}, {"a": {"0": 1}}, False),
    ],
)
def test_what_counts_as_the_same_payload(one, other, expected):
    assert alike(one, other) is expected
    assert alike(other, one) is expected
