"""Queries to a collection: within what its server allows, and never empty without a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import ArrayLike

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, VectorError
from hiersearch.qdrant.attachment import filterable
from hiersearch.qdrant.clients.client_calls import EmbeddedCalls
from hiersearch.qdrant.clients.connection import client_errors
from hiersearch.qdrant.edge.client import EXACT_UP_TO
from hiersearch.qdrant.filters import HasValue, has_field, plain_filter
from hiersearch.qdrant.limits import Search
from hiersearch.qdrant.points import ROOT_DISTANCE, Fields, Hit, selection, settled
from hiersearch.qdrant.schema import CollectionSchema
from hiersearch.trees import CONCEPTS

if TYPE_CHECKING:
    import qdrant_edge as edge
    from qdrant_client import models

    from hiersearch.qdrant.filters import Filter
else:
    from hiersearch.qdrant import client_models as models

__all__ = ["Searcher", "Wanted"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Wanted:
    """Which hits a search is to return; the arguments of `HierarchicalCollection`'s searches."""

    limit: int
    offset: int
    score_threshold: float | None
    filter: Filter | HasValue | None
    payload: Fields
    candidates: int | None
    exact: bool | None


class Searcher:
    """Sends queries to a collection.

    Args:
        schema: The collection.
        hnsw_ef: Width of searches in a graph; None: the store's default.
    """

    def __init__(self, schema: CollectionSchema, hnsw_ef: int | None = None) -> None:
        self.schema = schema
        self.hnsw_ef = hnsw_ef

    def params(self, exact: bool | None) -> models.SearchParams:
        """How to search, as clients take it; see `search`."""
        return self.search(exact).params()

    def search(self, exact: bool | None) -> Search:
        """How to search.

        Args:
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points, if exact
                searches are allowed.

        Raises:
            StoreError: The server allows no exact searches.
        """
        limits = self.schema.limits()
        if exact is None:
            exact = limits.exact and self.schema.approximate_count() <= EXACT_UP_TO
        return limits.search(exact, self.hnsw_ef)

    def query(
        self, number: int, payload: Fields, *, least: float | None = None, **query: Any
    ) -> list[Hit]:
        """The hits of one query.

        Args:
            number: Greatest number of hits.
            payload: Whether to fetch payloads, or which fields of them.
            least: Leave out points of a lower score.
            query: Further arguments of `query_points`.
        """
        schema = self.schema
        with client_errors(schema.client):
            answer = schema.client.query_points(
                schema.name,
                limit=number,
                with_payload=selection(payload),
                using=None if "prefetch" in query else schema.using,
                **query,
            )
        # A little below: cosines are rounded.
        points = [one for one in answer.points if least is None or one.score >= least - 1e-3]
        return [Hit.of(point) for point in points]

    def query_batch(self, requests: Sequence[models.QueryRequest]) -> list[list[Hit]]:
        """The hits of each query, sent in batches as large as the server allows."""
        schema = self.schema
        size = schema.limits().searches or len(requests)
        answers: list[list[Hit]] = []
        for start in range(0, len(requests), max(size, 1)):
            with client_errors(schema.client):
                part = schema.client.query_batch_points(schema.name, requests[start : start + size])
            answers += [[Hit.of(point) for point in answer.points] for answer in part]
        return answers

    def nearest(self, vector: ArrayLike, wanted: Wanted) -> list[Hit]:
        """The points most similar to a vector; see `HierarchicalCollection.nearest`."""
        schema, query = self.schema, self.schema.row(vector).tolist()
        how = self.search(wanted.exact)

        def embedded_search(embedded: EmbeddedCalls, number: int) -> list[Hit]:
            with client_errors(schema.client):
                found = embedded.plain.nearest(
                    schema.name,
                    query,
                    using=schema.using,
                    matching=wanted.filter,
                    search=how,
                    limit=number,
                    with_payload=selection(wanted.payload),
                )
            return [Hit.of(point) for point in found]

        if schema.embedded is not None:
            return self.best(partial(embedded_search, schema.embedded), wanted)
        search = partial(
            self.query,
            payload=wanted.payload,
            query=query,
            query_filter=plain_filter(wanted.filter),
            search_params=how.params(),
        )
        return self.best(search, wanted)

    def best(self, search: Callable[[int], list[Hit]], wanted: Wanted) -> list[Hit]:
        """The best hits of a search, with ties broken by id.

        Args:
            search: Returns up to a given number of best hits.
            wanted: How many hits to return, and from which score on.

        Raises:
            StoreError: The server returns fewer at a time.
        """
        number = wanted.offset + wanted.limit
        if wanted.limit < 1 or wanted.offset < 0:
            return []
        limits = self.schema.limits()
        limits.check(number)
        hits = settled(search, number, most=limits.points)[wanted.offset :]
        least = wanted.score_threshold
        return [hit for hit in hits if least is None or hit.score >= least]

    def root_distance_range(self, matching: Filter) -> tuple[float, float] | None:
        """The least and the greatest root distance of the points that match; None if none do."""
        requests = [
            models.QueryRequest(
                query=models.OrderByQuery(
                    order_by=models.OrderBy(key=ROOT_DISTANCE, direction=direction)
                ),
                filter=matching,
                limit=1,
                with_payload=[ROOT_DISTANCE],
            )
            for direction in (models.Direction.ASC, models.Direction.DESC)
        ]
        found = [hit.root_distance for hits in self.query_batch(requests) for hit in hits]
        least, greatest = found if len(found) == 2 else (None, None)
        return None if least is None or greatest is None else (least, greatest)

    def facets(self, key: str, *, limit: int, matching: Filter | None) -> dict[str, int]:
        """How many points have each value of a field; see `HierarchicalCollection.facets`."""
        schema = self.schema
        limits = schema.hierarchical_limits() if key == CONCEPTS else schema.limits()
        most = limits.page(max(limit, 1))

        def ask() -> list[tuple[str, int]]:
            hits: Sequence[models.FacetValueHit | edge.FacetHit]
            if schema.embedded is not None:
                hits = schema.embedded.plain.facet(schema.name, key, matching, limit=most)
            else:
                hits = schema.client.facet(
                    schema.name, key, facet_filter=matching, limit=most, exact=limits.exact
                ).hits
            return [(str(hit.value), hit.count) for hit in hits]

        found = self.explained(ask, partial(self._check_labelled, key))
        if len(found) >= most:
            limits.check(limit)
        return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))

    # Empty answers

    def explained(
        self, ask: Callable[[], list[Answer]], explain: Callable[[], None] | None = None
    ) -> list[Answer]:
        """The answer of `ask`, unless it is empty or refused for a reason that can be named.

        Args:
            ask: Asks the store.
            explain: Raises the reason, if it finds one; None: `check_attached`.
        """
        explain = explain or self.check_attached
        try:
            with client_errors(self.schema.client):
                found = ask()
        except (CollectionError, VectorError, StoreUnreachableError):
            raise
        except StoreError:
            explain()
            raise
        if not found:
            explain()
        return found

    def check_attached(self) -> None:
        """Check that some point is attached, so that an empty answer means that nothing matches.

        Raises:
            CollectionError: There are points, and none is attached.
        """
        known = self.schema.known
        if known.attached:
            return
        layout = self.schema.layout()
        # Without the index that attaching begins with, strict mode allows no filter by that field.
        known.attached = filterable(layout, ROOT_DISTANCE) and self._any(has_field(ROOT_DISTANCE))
        if not known.attached and self._any(None):
            raise CollectionError(
                f"no point of the collection {self.schema.name!r} has a root distance",
                hint="Attach it first, or repair it if it was attached before",
            )

    def _check_labelled(self, key: str) -> None:
        """Check that no counts of concepts means that no concept is counted."""
        if key != CONCEPTS:
            return
        attachment = self.schema.attachment()
        if attachment is None:
            self.check_attached()
        elif ROOT_DISTANCE in attachment.fields and key not in attachment.fields:
            raise CollectionError(
                f"the points of the collection {self.schema.name!r} have no concepts",
                hint="Attach it with a vocabulary",
            )

    def _any(self, matching: Filter | None) -> bool:
        schema = self.schema
        points: Sequence[Any]
        with client_errors(schema.client):
            if schema.embedded is not None:
                points, _ = schema.embedded.plain.scroll(
                    schema.name, matching, 1, with_payload=False
                )
            else:
                points, _ = schema.client.scroll(
                    schema.name, scroll_filter=matching, limit=1, with_payload=False
                )
        return bool(points)
