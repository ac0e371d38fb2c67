"""The radial path: what a vector is called as the radius around the root grows."""

from __future__ import annotations

import math
from collections.abc import Callable

from hiersearch.errors import CollectionError
from hiersearch.qdrant.points import Hit, id_order

__all__ = ["descend", "distance_of", "path_order"]


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
