from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.errors import CollectionError, UsageError
from hiersearch.qdrant.points import Hit, settled
from hiersearch.qdrant.radial_path import (
    checked_radii,
    descend,
    leader,
    sampled,
    spread_radii,
    without_repeats,
)

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


@given(clouds, st.integers(1, 9), st.integers(2, 9), st.data())
def test_a_store_that_gives_only_so_many_at_a_time(
    cloud: list[tuple[float, float]], page: int, most: int, shuffle: st.DataObject
) -> None:
    """Where more points than that are all alike, one of those is found."""
    hits = hits_of(cloud)
    search = store(hits, shuffle)

    def few(bound: float | None, number: int) -> list[Hit]:
        assert number <= most
        return search(bound, number)

    path, wanted = descend(few, page, most), descend(search)
    assert [(hit.score, hit.root_distance) for hit in path] == [
        (hit.score, hit.root_distance) for hit in wanted
    ]


class TestSampling:
    @given(clouds, st.lists(few, max_size=8), st.integers(1, 5), st.data())
    def test_each_radius_has_its_best(
        self,
        cloud: list[tuple[float, float]],
        radii: list[float],
        page: int,
        shuffle: st.DataObject,
    ) -> None:
        hits = hits_of(cloud)
        search = store(hits, shuffle)
        wanted: list[Hit] = []
        for radius in sorted(radii):
            within = [hit for hit in hits if (hit.root_distance or 0.0) <= radius]
            if within:
                best = min(within, key=lambda hit: (-hit.score, hit.root_distance or 0.0, hit.id))
                if best not in wanted[-1:]:
                    wanted.append(best)
        assert sampled(descend(search, page), checked_radii(radii)) == wanted
        found = []
        for radius in checked_radii(radii):
            within = partial(search, math.nextafter(radius, 3.0))
            found.append(leader(within(page), within, page))
        assert without_repeats([hit for hit in found if hit is not None]) == wanted

    def test_radii_are_put_in_order(self) -> None:
        assert checked_radii([0.5, 0.1, math.inf, -math.inf]) == [-1.0, 0.1, 0.5, 3.0]

    @pytest.mark.parametrize("radii", [[math.nan], ["near"], [None]])
    def test_radii_that_are_no_numbers(self, radii: list) -> None:
        with pytest.raises(UsageError):
            checked_radii(radii)

    def test_evenly_spaced(self) -> None:
        assert spread_radii(0.25, 1.25, 5) == [0.25, 0.5, 0.75, 1.0, 1.25]
        assert spread_radii(0.3, 0.9, 1) == [0.9]
