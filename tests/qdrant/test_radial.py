from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.errors import CollectionError
from hiersearch.qdrant.points import Hit, settled
from hiersearch.qdrant.radial import descend

few = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
clouds = st.lists(st.tuples(few, few), max_size=60)


def hits_of(cloud: list[tuple[float, float]]) -> list[Hit]:
    return [Hit(number, score, distance, {}) for number, (score, distance) in enumerate(cloud)]


def store(hits: list[Hit], shuffle: st.DataObject) -> Callable[[float | None, int], list[Hit]]:
    """A store that breaks ties as it likes."""

    def search(bound: float | None, number: int) -> list[Hit]:
        below = [hit for hit in hits if bound is None or (hit.root_distance or 0.0) < bound]
        mixed = shuffle.draw(st.permutations(below))
        return sorted(mixed, key=lambda hit: -hit.score)[:number]

    return search


@given(clouds, st.integers(1, 9), st.data())
def test_the_path_is_what_its_definition_says(
    cloud: list[tuple[float, float]], page: int, shuffle: st.DataObject
) -> None:
    wanted = [
        (score, distance, number)
        for number, (score, distance) in enumerate(cloud)
        if not any(
            (b_score > score and b_distance <= distance)
            or (b_score == score and (b_distance, other) < (distance, number))
            for other, (b_score, b_distance) in enumerate(cloud)
        )
    ]
    path = descend(store(hits_of(cloud), shuffle), page)
    assert [(hit.score, hit.root_distance, hit.id) for hit in path] == sorted(wanted)


@given(clouds, st.integers(1, 20), st.data())
def test_settled_hits_do_not_depend_on_the_store(
    cloud: list[tuple[float, float]], limit: int, shuffle: st.DataObject
) -> None:
    hits = hits_of(cloud)
    search = store(hits, shuffle)
    found = settled(lambda number: search(None, number), limit, spare=2)
    assert found == sorted(hits, key=lambda hit: (-hit.score, hit.id))[:limit]


@pytest.mark.parametrize("page", [1, 2, 3, 16])
def test_distances_that_come_back_a_bit_too_great(page: int) -> None:
    true = [Hit(number, 1 - number / 100, 1 - number / 200, {}) for number in range(40)]
    asked = []

    def search(bound: float | None, number: int) -> list[Hit]:
        asked.append(bound)
        below = [hit for hit in true if bound is None or (hit.root_distance or 0.0) < bound]
        return [
            dataclasses.replace(hit, root_distance=math.nextafter(hit.root_distance or 0.0, 2.0))
            for hit in below[:number]
        ]

    assert [hit.id for hit in descend(search, page)] == list(range(40))[::-1]
    assert len(asked) < 200


def test_few_searches_are_needed() -> None:
    hits = [Hit(number, number / 1000, number / 1000, {}) for number in range(100)]
    asked = []

    def search(bound: float | None, number: int) -> list[Hit]:
        asked.append(bound)
        below = [hit for hit in hits if bound is None or (hit.root_distance or 0.0) < bound]
        return sorted(below, key=lambda hit: -hit.score)[:number]

    assert len(descend(search, page=16)) == 100
    assert len(asked) == 7


def test_a_point_without_a_distance_is_an_error() -> None:
    with pytest.raises(CollectionError, match="root_distance"):
        descend(lambda _bound, _number: [Hit(1, 0.5, None, {})])
