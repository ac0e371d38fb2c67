"""How a collection is searched: one query or several, within what its server allows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from qdrant_client import models

from hiersearch.qdrant.connection import client_errors
from hiersearch.qdrant.edge.client import EXACT_UP_TO
from hiersearch.qdrant.points import ROOT_DISTANCE, Hit, settled
from hiersearch.qdrant.stored import StoredPoints, selection

__all__ = [
    "Searches",
    "and_placed",
    "placed",
]


class Searches(StoredPoints):
    """The part of a `HierarchicalCollection` that sends queries."""

    def _query(self, number: int, payload: bool | Sequence[str], **query: Any) -> list[Hit]:
        with client_errors(self.client):
            answer = self.client.query_points(
                self.name,
                limit=number,
                with_payload=selection(payload),
                using=None if "prefetch" in query else self._using,
                **query,
            )
        return [Hit.of(point) for point in answer.points]

    def _query_batch(self, requests: Sequence[models.QueryRequest]) -> list[list[Hit]]:
        """The hits of each query, sent together as far as the server allows."""
        size = self._limits().searches or len(requests)
        answers: list[list[Hit]] = []
        for start in range(0, len(requests), max(size, 1)):
            with client_errors(self.client):
                part = self.client.query_batch_points(self.name, requests[start : start + size])
            answers += [[Hit.of(point) for point in answer.points] for answer in part]
        return answers

    def _settled(
        self,
        search: Callable[[int], list[Hit]],
        limit: int,
        offset: int,
        score_threshold: float | None,
    ) -> list[Hit]:
        """The hits that are asked for, those of equal score by id."""
        if limit < 1 or offset < 0:
            return []
        limits = self._limits()
        limits.check(limit + offset)
        hits = settled(search, limit + offset, most=limits.points)[offset:]
        return [hit for hit in hits if score_threshold is None or hit.score >= score_threshold]

    def _all_alike(
        self, number: int, condition: models.Filter | None, payload: bool | Sequence[str]
    ) -> list[Hit]:
        """What the root is a parent of: everything, with angle 0, in the order of the ids."""
        records = self.scroll(and_placed(condition), payload=payload, page=number)
        return [
            Hit(record.id, 1.0, float(record.payload[ROOT_DISTANCE]), record.payload, angle=0.0)
            for record in itertools.islice(records, number)
        ]

    def _root_distances(self, condition: models.Filter) -> tuple[float, float] | None:
        """The least and the greatest of the points that match; None where there are none."""
        requests = [
            models.QueryRequest(
                query=models.OrderByQuery(
                    order_by=models.OrderBy(key=ROOT_DISTANCE, direction=direction)
                ),
                filter=condition,
                limit=1,
                with_payload=[ROOT_DISTANCE],
            )
            for direction in (models.Direction.ASC, models.Direction.DESC)
        ]
        found = [hit.root_distance for hits in self._query_batch(requests) for hit in hits]
        least, greatest = found if len(found) == 2 else (None, None)
        return None if least is None or greatest is None else (least, greatest)

    def _search_params(self, exact: bool | None) -> models.SearchParams:
        limits = self._hierarchical_limits()
        if exact is None:
            exact = limits.exact and self._is_small()
        return limits.search_params(exact, self.hnsw_ef)

    def _is_small(self) -> bool:
        if self._small is None:
            with client_errors(self.client):
                count = self.client.count(self.name, exact=False).count
            self._small = count <= EXACT_UP_TO
        return self._small


def and_placed(condition: models.Filter | None) -> models.Filter:
    """Points that match and have a root distance."""
    return models.Filter(must=[*([condition] if condition else []), placed()])


def placed(*, below: float | None = None, up_to: float | None = None) -> models.FieldCondition:
    """Points that have a root distance, within a bound if there is one."""
    return models.FieldCondition(
        key=ROOT_DISTANCE, range=models.Range(gte=0.0, lt=below, lte=up_to)
    )
