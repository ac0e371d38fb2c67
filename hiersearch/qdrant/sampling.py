"""The radial path as the paper samples it: the best concept within each of some radii."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Literal, TypeAlias

import numpy as np

from hiersearch.errors import UsageError
from hiersearch.qdrant.points import Hit
from hiersearch.qdrant.radial import distance_of, path_order

__all__ = ["Way", "checked_radii", "leader", "sampled", "spread_radii", "timed", "without_repeats"]

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
