"""The definitions, word for word, over all vectors: slow and obvious."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tests.qdrant.conftest import Cloud


def oracle_nearest(cloud: Cloud, query: np.ndarray, rows: list[int]) -> list[int]:
    scores = cloud.vectors @ query
    return sorted(rows, key=lambda row: (-round(float(scores[row]), 5), cloud.ids[row]))


def oracle_path(cloud: Cloud, query: np.ndarray, rows: list[int]) -> list[str]:
    """The definition, word for word, over distances as they are stored: to five decimals.

    Equal vectors count once, by the least id.
    """
    # One product per row: a matrix product may differ in the last bit between equal rows.
    scores = {row: float(np.dot(cloud.vectors[row], query)) for row in rows}
    distances = np.round(cloud.distances, 5)
    first = {}
    for row in sorted(rows, key=lambda row: cloud.ids[row]):
        first.setdefault(cloud.vectors[row].tobytes(), row)
    rows = list(first.values())
    path = [
        row
        for row in rows
        if all(
            scores[row] > scores[other]
            for other in rows
            if other != row and distances[other] <= distances[row]
        )
    ]
    return [cloud.ids[row] for row in sorted(path, key=lambda row: distances[row])]


def oracle_sampled(
    cloud: Cloud, query: np.ndarray, rows: list[int], radii: Iterable[float]
) -> list[str]:
    """The paper's way: within each radius the most similar, adjacent repeats dropped."""
    found: list[str] = []
    distances = np.round(cloud.distances, 5)
    scores = {row: float(np.dot(cloud.vectors[row], query)) for row in rows}
    for radius in radii:
        within = [row for row in rows if distances[row] <= radius + 1e-12]
        if within:
            best = min(within, key=lambda row: (-scores[row], distances[row], cloud.ids[row]))
            if found[-1:] != [cloud.ids[best]]:
                found.append(cloud.ids[best])
    return found
