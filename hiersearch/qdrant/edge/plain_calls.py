"""The engine's answers as it gives them, without an object of Qdrant's client.

Those cost more than the engine itself: their import as much as a whole query, one for each point as
much as the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from hiersearch.qdrant.edge.queries import (
    edge_filter,
    edge_order,
    edge_payload,
    edge_point_id,
    edge_query,
    edge_search,
)
from hiersearch.qdrant.points import plain_id

if TYPE_CHECKING:
    from hiersearch.qdrant.edge.shards import Shards
    from hiersearch.qdrant.filters import Filter, HasValue
    from hiersearch.qdrant.layout import Layout
    from hiersearch.qdrant.limits import Search
    from hiersearch.qdrant.points import PointId

__all__ = ["PlainCalls"]


class PlainCalls:
    """Reads collections in a folder.

    Each call names a collection, and raises our errors. The arguments are those of the call of a
    `QdrantClient` that the call is like.

    Args:
        shards: The collections.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def layout(self, name: str) -> Layout:
        """Like `get_collection`, as far as it matters here."""
        return self._shards.layout(name)

    def count(
        self, name: str, matching: Filter | HasValue | None = None, *, exact: bool = True
    ) -> int:
        """Like `count`."""
        with self._shards.opened(name) as shard:
            return shard.count(edge.CountRequest(exact=exact, filter=edge_filter(matching)))

    def facet(
        self,
        name: str,
        key: str,
        matching: Filter | None = None,
        *,
        limit: int,
        exact: bool = True,
    ) -> Sequence[edge.FacetHit]:
        """Like `facet`."""
        request = edge.FacetRequest(key, limit=limit, exact=exact, filter=edge_filter(matching))
        with self._shards.opened(name) as shard:
            return shard.facet(request).hits

    def retrieve(
        self, name: str, ids: Sequence[Any], *, with_payload: Any = True, with_vectors: Any = False
    ) -> Sequence[edge.Record]:
        """Like `retrieve`."""
        numbers: list[Any] = [edge_point_id(number) for number in ids]
        with self._shards.opened(name) as shard:
            return shard.retrieve(numbers, edge_payload(with_payload), with_vectors)

    def scroll(
        self,
        name: str,
        matching: Filter | None = None,
        limit: int = 10,
        offset: PointId | None = None,
        *,
        with_payload: Any = True,
        with_vectors: Any = False,
        order_by: Any = None,
    ) -> tuple[Sequence[edge.Record], PointId | None]:
        """Like `scroll`."""
        request = edge.ScrollRequest(
            offset=None if offset is None else edge_point_id(offset),
            limit=limit,
            filter=edge_filter(matching),
            with_payload=edge_payload(with_payload),
            with_vector=with_vectors,
            order_by=edge_order(order_by),
        )
        with self._shards.opened(name) as shard:
            points, following = shard.scroll(request)
        return points, None if following is None else plain_id(following)

    def nearest(
        self,
        name: str,
        vector: list[float],
        *,
        using: str | None,
        matching: Filter | HasValue | None,
        search: Search,
        limit: int,
        with_payload: Any,
    ) -> Sequence[edge.ScoredPoint]:
        """Like `query_points` for a vector."""
        request = edge.QueryRequest(
            limit=limit,
            query=edge_query(vector, using),
            with_payload=edge_payload(with_payload),
            filter=edge_filter(matching),
            params=edge_search(search),
        )
        with self._shards.opened(name) as shard:
            return shard.query(request)
