"""Radial paths of a collection: whole ones, and those sampled at some radii."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import models

from hiersearch.errors import UsageError
from hiersearch.qdrant.points import Hit
from hiersearch.qdrant.radial import descend
from hiersearch.qdrant.sampling import (
    Way,
    checked_radii,
    leader,
    sampled,
    spread_radii,
    timed,
    without_repeats,
)
from hiersearch.qdrant.searches import Searches, and_placed, placed
from hiersearch.qdrant.stored import selection

__all__ = ["Paths"]

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
