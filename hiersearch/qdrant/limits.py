"""What a collection allows its clients: a server's strict mode, and quantised vectors."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiersearch.errors import StoreError
from hiersearch.qdrant.layout import Layout

if TYPE_CHECKING:
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = ["Limits", "Pace", "Search", "points_of"]

OVERSAMPLING = 2.0
"""How many quantised candidates a search rescores for each point that it returns."""

CAUTION = 0.95
"""The share of a rate limit that is used: others write too, and clocks differ."""


@dataclass(frozen=True)
class Search:
    """How to search for vectors.

    Attributes:
        exact: Whether to compare with every vector.
        hnsw_ef: Width of the search in the graph; None: the store's default.
        oversampling: Quantised candidates that are rescored for each point returned; None where
            vectors are not quantised.
    """

    exact: bool
    hnsw_ef: int | None = None
    oversampling: float | None = None

    def params(self) -> models.SearchParams:
        """As clients take it."""
        return models.SearchParams(
            exact=self.exact,
            hnsw_ef=self.hnsw_ef,
            quantization=None
            if self.oversampling is None
            else models.QuantizationSearchParams(rescore=True, oversampling=self.oversampling),
        )


@dataclass(frozen=True)
class Limits:
    """What a collection allows its clients: a server's strict mode, and quantised vectors.

    Attributes:
        points: Greatest `limit` of a query, a page or a facet count; here as below, None is no
            limit.
        searches: Greatest number of queries in a batch.
        upserts: Greatest number of points in a write.
        hnsw_ef: Greatest `hnsw_ef`.
        oversampling: Greatest oversampling of quantised vectors.
        condition: Greatest number of values in one condition of a filter.
        writes: Points that may be changed in a minute.
        exact: Whether exact searches and counts are allowed.
        quantized: Whether vectors are quantised, so that hits must be rescored.
    """

    points: int | None = None
    searches: int | None = None
    upserts: int | None = None
    hnsw_ef: int | None = None
    oversampling: float | None = None
    condition: int | None = None
    writes: int | None = None
    exact: bool = True
    quantized: bool = False

    @classmethod
    def of(cls, layout: Layout, vector_name: str) -> Limits:
        """Read the limits from the layout of a collection.

        Args:
            layout: What the store says about the collection.
            vector_name: Which of a point's vectors to use; "" is the unnamed one.
        """
        vector = layout.vectors.get(vector_name)
        quantized = vector is not None and vector.quantized
        strict = layout.strict
        if strict is None:
            return cls(quantized=quantized)
        return cls(
            points=strict.max_query_limit,
            searches=strict.search_max_batchsize,
            upserts=strict.upsert_max_batchsize,
            hnsw_ef=strict.search_max_hnsw_ef,
            oversampling=strict.search_max_oversampling,
            condition=strict.condition_max_size,
            writes=strict.write_rate_limit,
            exact=strict.search_allow_exact is not False,
            quantized=quantized,
        )

    def search(self, exact: bool, hnsw_ef: int | None) -> Search:
        """How to search within what is allowed; quantised scores are always rescored.

        Args:
            exact: Whether to compare with every vector.
            hnsw_ef: Width of the search in the graph; reduced to what is allowed.

        Raises:
            StoreError: The server allows no exact searches.
        """
        if exact and not self.exact:
            raise StoreError(
                "the server allows no exact searches (its strict mode says so)",
                hint="Leave out exact",
            )
        return Search(
            exact=exact,
            hnsw_ef=None if hnsw_ef is None else _capped(hnsw_ef, self.hnsw_ef),
            oversampling=min(OVERSAMPLING, self.oversampling or OVERSAMPLING)
            if self.quantized
            else None,
        )

    def page(self, wanted: int) -> int:
        """How many points to read at a time."""
        return _capped(wanted, self.points)

    def chosen(self, wanted: int) -> int:
        """How many ids to put into one filter."""
        return _capped(self.page(wanted), self.condition)

    def written(self, wanted: int) -> int:
        """How many points to write at a time: a quarter of a minute's, to be waited for."""
        most = _capped(wanted, self.upserts)
        return most if self.writes is None else _capped(most, self.writes // 4)

    def check(self, wanted: int) -> None:
        """Check that one query may return so many points.

        Raises:
            StoreError: The server returns fewer.
        """
        if self.points is not None and wanted > self.points:
            raise StoreError(
                f"the server gives at most {self.points} points per query, not {wanted}",
                hint="Ask for fewer, or raise max_query_limit in its strict mode",
            )


class Pace:
    """Spaces changes out as a server's rate limit wants it, rather than run into it.

    A server that refuses the rest of a batch does not say where it began to, so all of it must be
    sent again, and counts again.

    Args:
        limits: What the collection allows.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._most = CAUTION * (limits.writes or 0)
        self._left = self._most
        self._counted = time.monotonic()

    def wait(self, points: int) -> None:
        """Wait until so many points may be changed, if they ever may be at once."""
        wanted = min(float(points), self._most)
        self._refill()
        if self._left < wanted:
            time.sleep((wanted - self._left) * 60.0 / self._most)
            self._refill()
        self._left -= wanted

    def requests(
        self, operations: Iterable[models.SetPayloadOperation], most: int
    ) -> Iterator[tuple[list[models.SetPayloadOperation], int]]:
        """Lists of at most so many changes, each when it is allowed; and of how many points."""
        request: list[models.SetPayloadOperation] = []
        points = 0
        for one in operations:
            together = points + points_of(one)
            if request and (len(request) == most or together > self._limits.written(together)):
                self.wait(points)
                yield request, points
                request, points = [], 0
            request.append(one)
            points += points_of(one)
        if request:
            self.wait(points)
            yield request, points

    def _refill(self) -> None:
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._counted) * self._most / 60.0)
        self._counted = now


def points_of(operation: models.SetPayloadOperation) -> int:
    """How many points a change is for, each of which counts against a limit."""
    return len(operation.set_payload.points or ())


def _capped(wanted: int, most: int | None) -> int:
    return wanted if most is None else min(wanted, max(most, 1))
