"""Radial paths of a collection: whole ones, and those sampled at some radii.

The radial path: what a vector is called as the radius around the root grows.

The radial path as the paper samples it: the best concept within each of some radii.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Literal, TypeAlias

import numpy as np
from qdrant_client import models

from hiersearch.errors import CollectionError, UsageError
from hiersearch.qdrant.points import Hit, id_order
from hiersearch.qdrant.searching import Searches, and_placed, placed
from hiersearch.qdrant.stored import selection

__all__ = [
    "Paths",
    "Way",
    "checked_radii",
    "descend",
    "distance_of",
    "leader",
    "path_order",
    "sampled",
    "spread_radii",
    "timed",
    "without_repeats",
]

SPARE = 4
"""Points fetched per radius: mostly one is wanted, but of equal ones the store gives any."""


class Paths(Searches):
    """The part of a `HierarchicalCollection` that finds radial paths."""

    def _whole_path(
        self,
        query: Mapping[str, Any],
        condition: models.Filter | None,
        payload: bool | Sequence[str],
    ) -> list[Hit]:
        def search(bound: float | None, number: int) -> list[Hit]:
            within = models.Filter(must=[*([condition] if condition else []), placed(below=bound)])
            return self._query(number, payload, query_filter=within, **query)

        return descend(search, most=self._limits().points)

    def _sampled_path(
        self,
        query: Mapping[str, Any],
        condition: models.Filter | None,
        payload: bool | Sequence[str],
        radii: int | Sequence[float],
        by: Way | None,
    ) -> list[Hit]:
        bounds = self._radii(radii, condition)
        ways: dict[Way, Callable[[], list[Hit]]] = {
            "descent": lambda: sampled(self._whole_path(query, condition, payload), bounds),
            "batch": lambda: self._batch_path(query, condition, payload, bounds),
        }
        known = by or self._faster.get(len(bounds))
        if known is not None or not bounds:
            return ways[known or "descent"]()
        self._query(1, False, query_filter=and_placed(condition), **query)
        taken = {way: timed(find) for way, find in ways.items()}
        faster = min(taken, key=lambda way: taken[way][0])
        self._faster[len(bounds)] = faster
        return taken[faster][1]

    def _radii(self, radii: int | Sequence[float], condition: models.Filter | None) -> list[float]:
        if not isinstance(radii, (int, np.integer)):
            return checked_radii(radii)
        if radii < 1:
            raise UsageError(f"a path cannot be sampled at {radii} radii", hint="Give at least 1")
        ends = self._root_distances(and_placed(condition))
        return [] if ends is None else spread_radii(*ends, int(radii))

    def _batch_path(
        self,
        query: Mapping[str, Any],
        condition: models.Filter | None,
        payload: bool | Sequence[str],
        bounds: Sequence[float],
    ) -> list[Hit]:
        """The best point at or below each root distance, adjacent repeats left out."""
        most = self._limits().points
        page = self._limits().page(SPARE)
        filters = [
            models.Filter(must=[*([condition] if condition else []), placed(up_to=bound)])
            for bound in bounds
        ]
        requests = [
            models.QueryRequest(
                query=query["query"],
                using=self._using,
                params=query["search_params"],
                filter=within,
                limit=page,
                with_payload=selection(payload),
            )
            for within in filters
        ]
        found = []
        for within, hits in zip(filters, self._query_batch(requests), strict=True):
            search = partial(self._query, payload=payload, query_filter=within, **query)
            found.append(leader(hits, search, page, most))
        return without_repeats([hit for hit in found if hit is not None])


def descend(
    search: Callable[[float | None, int], list[Hit]], page: int = 16, most: int | None = None
) -> list[Hit]:
    """The radial path by descent, after Alper & Averbuch-Elor 2024, section 5.

    A concept c is on the path of v when s_c > s_b for every other concept b with d_b ≤ d_c: it is
    more similar to v than everything at or below its own root distance. Of concepts with one score
    and one distance, the one with the least id counts.

    The paper takes the best concept within each of 50 radii. Only the concepts on the path can be
    such a best one, and going down they are met in order: the best of all, then the best of those
    strictly closer to the root than that, and so on. A page of the best holds several steps.

    Args:
        search: Given an exclusive upper bound of the root distance (None: none) and a number, gives
            up to that many of the most similar points, with their root distances, below the bound.
        page: Number of points to ask for at a time.
        most: Greatest number that the store gives at a time.

    Returns:
        Coarse to fine: root distances and scores both grow.
    """
    path: list[Hit] = []
    below: float | None = None
    size = page = page if most is None else min(page, most)
    while True:
        hits = sorted(search(below, size), key=path_order)
        complete = len(hits) < size
        if not complete:
            # Points of the last score may go on beyond the page, one of them closer to the root.
            whole = [hit for hit in hits if hit.score > hits[-1].score]
            if not whole and size != most:
                size = 2 * size if most is None else min(2 * size, most)
                continue
            # Where no more are given at a time, the closer ones come with the next searches.
            hits = whole or hits
        last = path[-1] if path else None
        for hit in hits:
            if not path or distance_of(hit) < distance_of(path[-1]):
                if path and path[-1].score == hit.score:
                    path.pop()
                path.append(hit)
        if complete:
            return path[::-1]
        # A store may give a distance back a last bit too great (the embedded engine does, of
        # numbers with 16 digits or more) and then find the same point below it again.
        moved = path[-1] is not last
        below = distance_of(path[-1]) if moved else math.nextafter(below or 0.0, -1.0)
        size = page


def path_order(hit: Hit) -> tuple[float, float, tuple[bool, int | str]]:
    """Sort key: most similar first, then closest to the root, then by id."""
    return -hit.score, distance_of(hit), id_order(hit)


def distance_of(hit: Hit) -> float:
    """The root distance of a point that must have one."""
    if hit.root_distance is None:
        raise CollectionError(f"the point {hit.id} has no root_distance")
    return hit.root_distance


Way: TypeAlias = Literal["descent", "batch"]
"""How a sampled path is found: out of the whole path, or by one search per radius, in a batch."""


def checked_radii(radii: Sequence[float]) -> list[float]:
    """Radii as given, in ascending order, those that no distance can reach a little beyond 2.

    Raises:
        UsageError: One is not a number.
    """
    try:
        numbers = [float(radius) for radius in radii]
    except (TypeError, ValueError) as error:
        raise UsageError(f"the radii are not made of numbers ({error})") from error
    if any(math.isnan(number) for number in numbers):
        raise UsageError("a radius is not a number")
    return sorted(min(max(number, -1.0), 3.0) for number in numbers)


def spread_radii(least: float, greatest: float, number: int) -> list[float]:
    """Evenly spaced radii from the closest point's to the farthest's, both included.

    That is how the code released with the paper samples (`linspace(min d, max d, 50)`).

    Args:
        least: The least root distance.
        greatest: The greatest.
        number: At least 1; of one radius, it is the greatest, within which everything lies.
    """
    if number == 1:
        return [greatest]
    return [float(radius) for radius in np.linspace(least, greatest, number)]


def sampled(path: Sequence[Hit], radii: Sequence[float]) -> list[Hit]:
    """The hits of a path that are met at some radii: for each, the last one at or below it.

    Of all points at or below the radius, that is the most similar one.

    Args:
        path: The whole radial path.
        radii: Ascending.
    """
    within = ([hit for hit in path if distance_of(hit) <= radius] for radius in radii)
    return without_repeats([hits[-1] for hits in within if hits])


def leader(
    hits: list[Hit], search: Callable[[int], list[Hit]], page: int, most: int | None = None
) -> Hit | None:
    """The most similar point; of equally similar ones that closest to the root, then by id.

    Args:
        hits: The most similar points, a page of them.
        search: Gives up to that many, where all of the page are equally similar.
        page: Number of points in a full page.
        most: Greatest number that the store gives at a time.
    """
    while len(hits) == page and page != most and len({hit.score for hit in hits}) == 1:
        page = 2 * page if most is None else min(2 * page, most)
        hits = search(page)
    return min(hits, key=path_order, default=None)


def without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, but those with the id of the one before."""
    return [hit for place, hit in enumerate(hits) if place == 0 or hit.id != hits[place - 1].id]


def timed(find: Callable[[], list[Hit]]) -> tuple[float, list[Hit]]:
    """How many seconds it takes, and what is found."""
    start = perf_counter()
    hits = find()
    return perf_counter() - start, hits
