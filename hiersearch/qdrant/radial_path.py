"""Radial paths: what a vector is called as the radius around the root grows.

The whole path is found by descent: about ten searches, each of which depends on the one before. The
paper samples it instead, by the best concept within each of 50 radii. Samples can be read off the
whole path, or requested in one batch: more work for the store, but a single round trip. In this
process, on the embedded engine and `":memory:"`, the descent is several times faster; a distant
server may answer the batch first. So the first path with some number of radii is found both ways,
and the faster way is used from then on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hiersearch.errors import CollectionError, UsageError
from hiersearch.geometry import angle_cosine_from_score, root_distance
from hiersearch.qdrant.filters import all_of, attached
from hiersearch.qdrant.points import Fields, Hit, id_order, selection
from hiersearch.qdrant.searching import Searcher

if TYPE_CHECKING:
    from qdrant_client import models

    from hiersearch.qdrant.filters import Filter
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "PathSearch",
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

Way: TypeAlias = Literal["descent", "batch"]
"""How to find a sampled path: from the whole path, or by one search per radius, in one batch."""

SPARE = 4
"""Points fetched per radius: usually one is enough, but of equal ones the store returns any."""


class PathSearch:
    """Finds the radial paths of vectors over a collection.

    Args:
        searcher: Searches the collection.

    Attributes:
        faster: By number of radii, which way of sampling was measured to be faster.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._schema = searcher.schema
        self.faster: dict[int, Way] = {}

    def find(
        self,
        vector: ArrayLike,
        matching: Filter | None,
        payload: Fields,
        exact: bool | None,
        radii: int | Sequence[float] | None,
        by: Way | None,
    ) -> list[Hit]:
        """The radial path of a vector; see `HierarchicalCollection.radial_path`."""
        if by not in (None, "descent", "batch"):
            raise UsageError(f"a path is not found by {by!r}", hint='Use "descent" or "batch"')
        child = self._schema.row(vector)
        self._searcher.schema.hierarchical_limits()
        query = {"query": child.tolist(), "search_params": self._searcher.params(exact)}
        if radii is None:
            if by == "batch":
                raise UsageError(
                    "a batch finds the best points within given radii only", hint="Give radii"
                )
            search = partial(self._whole, query, matching, payload)
        else:
            search = partial(self._sampled, query, matching, payload, radii, by)
        path = self._searcher.explained(search)
        root = self._schema.root.astype(np.float64)
        child_distance = float(root_distance(child.astype(np.float64), root))
        return [_with_angle_to(hit, child_distance) for hit in path]

    def _whole(
        self, query: Mapping[str, Any], matching: Filter | None, payload: Fields
    ) -> list[Hit]:
        def search(bound: float | None, number: int) -> list[Hit]:
            within = all_of(attached(below=bound), matching)
            return self._searcher.query(number, payload, query_filter=within, **query)

        return descend(search, most=self._schema.limits().points)

    def _sampled(
        self,
        query: Mapping[str, Any],
        matching: Filter | None,
        payload: Fields,
        radii: int | Sequence[float],
        by: Way | None,
    ) -> list[Hit]:
        bounds = self._bounds(radii, matching)
        ways: dict[Way, Callable[[], list[Hit]]] = {
            "descent": lambda: sampled(self._whole(query, matching, payload), bounds),
            "batch": lambda: self._by_batch(query, matching, payload, bounds),
        }
        chosen = by or self.faster.get(len(bounds))
        if chosen is not None or not bounds:
            return ways[chosen or "descent"]()
        # Open the connection first, so that it is not counted against the first way.
        self._searcher.query(1, False, query_filter=all_of(attached(), matching), **query)
        taken = {way: timed(find) for way, find in ways.items()}
        faster = min(taken, key=lambda way: taken[way][0])
        self.faster[len(bounds)] = faster
        return taken[faster][1]

    def _bounds(self, radii: int | Sequence[float], matching: Filter | None) -> list[float]:
        if not isinstance(radii, (int, np.integer)):
            return checked_radii(radii)
        if radii < 1:
            raise UsageError(f"a path cannot be sampled at {radii} radii", hint="Give at least 1")
        ends = self._searcher.root_distance_range(all_of(attached(), matching))
        return [] if ends is None else spread_radii(*ends, int(radii))

    def _by_batch(
        self,
        query: Mapping[str, Any],
        matching: Filter | None,
        payload: Fields,
        bounds: Sequence[float],
    ) -> list[Hit]:
        """The best point at or below each root distance, without adjacent repeats."""
        limits = self._schema.limits()
        page = limits.page(SPARE)
        filters = [all_of(attached(up_to=bound), matching) for bound in bounds]
        requests = [
            models.QueryRequest(
                query=query["query"],
                using=self._schema.using,
                params=query["search_params"],
                filter=within,
                limit=page,
                with_payload=selection(payload),
            )
            for within in filters
        ]
        found = []
        for within, hits in zip(filters, self._searcher.query_batch(requests), strict=True):
            search = partial(self._searcher.query, payload=payload, query_filter=within, **query)
            found.append(leader(hits, search, page, limits.points))
        return without_repeats([hit for hit in found if hit is not None])


def descend(
    search: Callable[[float | None, int], list[Hit]], page: int = 16, most: int | None = None
) -> list[Hit]:
    """The radial path by descent, after Alper & Averbuch-Elor 2024, section 5.

    A concept c is on the path of v if s_c > s_b for every other concept b with d_b ≤ d_c: it is
    more similar to v than everything at or below its own root distance. Of concepts with equal
    scores and equal distances, only the one with the least id counts.

    The paper takes the best concept within each of 50 radii. Only concepts on the path can be best
    within a radius, and a descent meets them in order: the best of all, then the best of those
    strictly closer to the root, and so on. One page of best points contains several steps.

    Args:
        search: Given an exclusive upper bound of the root distance (or None) and a number, returns
            up to that many of the most similar points below the bound, with root distances.
        page: Number of points to ask for at a time.
        most: Greatest number of points that the store returns at a time.

    Returns:
        Coarse to fine: root distances and scores both increase.
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
            # If the store returns no more at a time, the next searches find the closer ones.
            hits = whole or hits
        last = path[-1] if path else None
        for hit in hits:
            if not path or distance_of(hit) < distance_of(path[-1]):
                if path and path[-1].score == hit.score:
                    path.pop()
                path.append(hit)
        if complete:
            return path[::-1]
        # A store may return a distance too great by one bit (the embedded engine does, for numbers
        # of 16 digits or more), and would then find the same point below it again.
        moved = path[-1] is not last
        below = distance_of(path[-1]) if moved else math.nextafter(below or 0.0, -1.0)
        size = page


def path_order(hit: Hit) -> tuple[float, float, tuple[bool, int | str]]:
    """Sort key: most similar first, then closest to the root, then by id."""
    return -hit.score, distance_of(hit), id_order(hit.id)


def distance_of(hit: Hit) -> float:
    """The root distance of a hit that must be attached."""
    if hit.root_distance is None:
        raise CollectionError(f"the point {hit.id} has no root_distance")
    return hit.root_distance


def checked_radii(radii: Sequence[float]) -> list[float]:
    """Sort radii, clipping those that no distance can reach to [−1, 3].

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

    The code released with the paper samples like this (`linspace(min d, max d, 50)`).

    Args:
        least: The least root distance.
        greatest: The greatest root distance.
        number: At least 1. A single radius is the greatest, which everything lies within.
    """
    if number == 1:
        return [greatest]
    return [float(radius) for radius in np.linspace(least, greatest, number)]


def sampled(path: Sequence[Hit], radii: Sequence[float]) -> list[Hit]:
    """The hits of a path at some radii: for each, the last hit at or below it.

    That is the most similar of all points at or below the radius.

    Args:
        path: The whole radial path.
        radii: Ascending.
    """
    within = ([hit for hit in path if distance_of(hit) <= radius] for radius in radii)
    return without_repeats([hits[-1] for hits in within if hits])


def leader(
    hits: list[Hit], search: Callable[[int], list[Hit]], page: int, most: int | None = None
) -> Hit | None:
    """The most similar point; among equals the one closest to the root, then by id.

    Args:
        hits: The most similar points, up to a page of them.
        search: Returns up to a given number of them, in case a whole page is equally similar.
        page: Number of points in a full page.
        most: Greatest number of points that the store returns at a time.
    """
    while len(hits) == page and page != most and len({hit.score for hit in hits}) == 1:
        page = 2 * page if most is None else min(2 * page, most)
        hits = search(page)
    return min(hits, key=path_order, default=None)


def without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without those that repeat the one before."""
    return [hit for place, hit in enumerate(hits) if place == 0 or hit.id != hits[place - 1].id]


def timed(find: Callable[[], list[Hit]]) -> tuple[float, list[Hit]]:
    """How many seconds a search takes, and what it finds."""
    start = perf_counter()
    hits = find()
    return perf_counter() - start, hits


def _with_angle_to(hit: Hit, child_distance: float) -> Hit:
    """A hit whose score is its similarity to a child, with the exterior angle at the hit."""
    cosine = float(angle_cosine_from_score(hit.score, hit.root_distance, child_distance))
    return dataclasses.replace(hit, angle=math.acos(cosine))
