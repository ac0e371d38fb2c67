"""The radial path: what a vector is called as the radius around the root grows."""

from __future__ import annotations

import math
from collections.abc import Callable

from hiersearch.errors import CollectionError
from hiersearch.qdrant.points import Hit, id_order

__all__ = ["descend"]


def descend(search: Callable[[float | None, int], list[Hit]], page: int = 16) -> list[Hit]:
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

    Returns:
        Coarse to fine: root distances and scores both grow.
    """
    path: list[Hit] = []
    below: float | None = None
    size = page
    while True:
        hits = sorted(search(below, size), key=_by_score)
        complete = len(hits) < size
        if not complete:
            # Points of the last score may go on beyond the page, one of them closer to the root.
            whole = [hit for hit in hits if hit.score > hits[-1].score]
            if not whole:
                size *= 2
                continue
            hits = whole
        steps = len(path)
        for hit in hits:
            if not path or _distance(hit) < _distance(path[-1]):
                path.append(hit)
        if complete:
            return path[::-1]
        # A store may give a distance back a last bit too great (the embedded engine does, of
        # numbers with 16 digits or more) and then find the same point below it again.
        below = _distance(path[-1]) if len(path) > steps else math.nextafter(below or 0.0, -1.0)
        size = page


def _by_score(hit: Hit) -> tuple[float, float, tuple[bool, int | str]]:
    return -hit.score, _distance(hit), id_order(hit)


def _distance(hit: Hit) -> float:
    if hit.root_distance is None:
        raise CollectionError(f"the point {hit.id} has no root_distance")
    return hit.root_distance
