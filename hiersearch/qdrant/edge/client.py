"""The embedded store: Qdrant's own engine in this process, with the calls of a `QdrantClient`.

Each collection is a folder in the client's path. Signatures, defaults and answers are those of
`qdrant_client.QdrantClient`, so that code need not know which of the two it uses. Arguments that
mean nothing here are refused, not ignored.

Only one process at a time may have a collection open. A write is in the write-ahead log when its
call returns: a kill loses nothing that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import qdrant_edge as edge

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.changes import (
    checked_payload,
    delete_operation,
    edge_operation,
    ids_in,
    payload_operation,
    selected_ids,
    upsert_operation,
)
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.edge.plain_calls import PlainCalls
from hiersearch.qdrant.edge.queries import (
    edge_batched,
    edge_point_id,
    edge_request,
    query_response,
    record,
)
from hiersearch.qdrant.edge.shard_settings import index_schema
from hiersearch.qdrant.edge.shards import Shards
from hiersearch.qdrant.points import plain_id

if TYPE_CHECKING:
    from qdrant_client import models

    # `qdrant_client.models` has another class of that name in its place.
    from qdrant_client.http.models import QueryResponse

else:
    from hiersearch.qdrant import client_models as models

__all__ = ["EXACT_UP_TO", "EdgeClient"]

EXACT_UP_TO = 100_000
"""Points up to which every search compares with all vectors: exact, and fast enough (31 ms for
100,000 vectors of 512 numbers). A graph takes minutes to build, and for texts it misses photos that
lie in clumps: at this size it finds 78 % of the ten best descendants."""


class EdgeClient:
    """A `QdrantClient` for collections in a folder, without a server.

    Nothing is opened before the first call that needs it. Use it in a `with` block, or `close` it.

    Args:
        path: The folder of the collections; created if needed.

    Attributes:
        plain: Cheaper calls, for this package.
        shards: The collections themselves, likewise.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.shards = Shards(self.path)
        self.plain = PlainCalls(self.shards)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EdgeClient({str(self.path)!r})"

    def close(self) -> None:
        """Write everything out and close the collections. The client can be used again."""
        self.shards.close()

    # Collections

    def create_collection(
        self,
        collection_name: str,
        vectors_config: models.VectorParams | Mapping[str, models.VectorParams] | None = None,
        **settings: Any,
    ) -> bool:
        """Create a collection, completely or not at all.

        Raises:
            CollectionError: There is one of that name already.
            StoreError: A setting is not for the embedded store, or the disk is full.
        """
        refuse(**settings)
        if not vectors_config:
            raise StoreError("a collection needs vectors_config")
        self.shards.create(collection_name, vectors_config, exact_up_to=EXACT_UP_TO)
        return True

    def delete_collection(self, collection_name: str, **settings: Any) -> bool:
        """Delete a collection; False if there is none. Raises as `Shards.drop`."""
        refuse(**settings)
        return self.shards.drop(collection_name)

    def collection_exists(self, collection_name: str, **settings: Any) -> bool:
        """Whether there is a collection of that name, even if it is damaged."""
        refuse(**settings)
        return self.shards.exists(collection_name)

    def get_collections(self, **settings: Any) -> models.CollectionsResponse:
        """The names of all collections, sorted."""
        refuse(**settings)
        return models.CollectionsResponse(
            collections=[models.CollectionDescription(name=name) for name in self.shards.names()]
        )

    def get_collection(self, collection_name: str, **settings: Any) -> models.CollectionInfo:
        """The configuration of a collection, and how many points it holds."""
        refuse(**settings)
        return self.shards.info(collection_name)

    def update_collection(
        self, collection_name: str, metadata: Mapping[str, Any] | None = None, **settings: Any
    ) -> bool:
        """Change the metadata of a collection: keys are set, or removed if null."""
        refuse(**settings)
        self.shards.merge_metadata(collection_name, metadata or {})
        return True

    def list_shard_keys(self, collection_name: str, **settings: Any) -> models.ShardKeysResponse:
        """The shard keys of a collection: none."""
        refuse(**settings)
        self.shards.shard(collection_name)
        return models.ShardKeysResponse(shard_keys=[])

    def create_shard_key(self, collection_name: str, shard_key: Any, **settings: Any) -> bool:  # noqa: ARG002 - of any
        """Refuse: the embedded store has no shards."""
        refuse(shard_key=shard_key, **settings)
        return False

    def create_payload_index(
        self,
        collection_name: str,
        field_name: str,
        field_schema: Any = None,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Index a payload field. Before the data is better: `optimize` builds on it."""
        refuse(**settings)
        operation = edge.UpdateOperation.create_field_index(field_name, index_schema(field_schema))
        return self._update(collection_name, operation)

    def delete_payload_index(
        self,
        collection_name: str,
        field_name: str,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Drop the index of a payload field, if there is one; the field stays."""
        refuse(**settings)
        return self._update(collection_name, edge.UpdateOperation.delete_field_index(field_name))

    def optimize(self, collection_name: str) -> bool:
        """Reclaim the space of deleted points; above `EXACT_UP_TO` points, build the search graph.

        Holds the interpreter's lock throughout, which is minutes for 100,000 points.

        Returns:
            Whether there was anything to do.
        """
        with self.shards.tidied(collection_name) as shard:
            return shard.optimize()

    # Writing

    def upsert(
        self,
        collection_name: str,
        points: models.Batch | Sequence[models.PointStruct],
        wait: bool = True,  # noqa: ARG002 - always waits
        update_filter: models.Filter | None = None,
        update_mode: models.UpdateMode | None = None,
        **settings: Any,
    ) -> models.UpdateResult:
        """Insert points, replacing those with the same ids."""
        refuse(**settings)
        operation = upsert_operation(points, update_filter, update_mode)
        return self._update(collection_name, operation, ids_in(points))

    def set_payload(
        self,
        collection_name: str,
        payload: Mapping[str, Any],
        points: Any,
        key: str | None = None,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Set payload fields of points; other fields stay."""
        refuse(**settings)
        operation = payload_operation("set_payload", points, payload, key)
        return self._update(collection_name, operation, points)

    def set_payloads(
        self,
        collection_name: str,
        ids: Sequence[Any],
        payloads: Sequence[Mapping[str, Any]],
    ) -> None:
        """Set payload fields, to different values for each point.

        Like `batch_update_points`, without an object per point, which would double the time.
        """
        self._update_all(
            collection_name,
            [
                edge.UpdateOperation.set_payload([edge_point_id(number)], checked_payload(payload))
                for number, payload in zip(ids, payloads, strict=True)
            ],
            selected_ids(list(ids)),
        )

    def overwrite_payload(
        self,
        collection_name: str,
        payload: Mapping[str, Any],
        points: Any,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Replace the whole payload of points."""
        refuse(**settings)
        operation = payload_operation("overwrite_payload", points, payload)
        return self._update(collection_name, operation, points)

    def delete_payload(
        self,
        collection_name: str,
        keys: Sequence[str],
        points: Any,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Remove payload fields of points."""
        refuse(**settings)
        operation = payload_operation("delete_payload", points, keys)
        return self._update(collection_name, operation, points)

    def delete(
        self,
        collection_name: str,
        points_selector: Any,
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> models.UpdateResult:
        """Delete points, given by their ids or by a filter."""
        refuse(**settings)
        return self._update(collection_name, delete_operation(points_selector), points_selector)

    def batch_update_points(
        self,
        collection_name: str,
        update_operations: Sequence[models.UpdateOperation],
        wait: bool = True,  # noqa: ARG002 - always waits
        **settings: Any,
    ) -> list[models.UpdateResult]:
        """Carry out several changes in order; a kill may leave some of them undone."""
        refuse(**settings)
        operations = [edge_operation(operation) for operation in update_operations]
        return self._update_all(collection_name, operations)

    # Reading

    def retrieve(
        self,
        collection_name: str,
        ids: Sequence[Any],
        with_payload: Any = True,
        with_vectors: Any = False,
        **settings: Any,
    ) -> list[models.Record]:
        """The points with the ids; missing ones are left out."""
        refuse(**settings)
        found = self.plain.retrieve(
            collection_name, ids, with_payload=with_payload, with_vectors=with_vectors
        )
        return [record(point) for point in found]

    def scroll(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        order_by: Any = None,
        offset: Any = None,
        with_payload: Any = True,
        with_vectors: Any = False,
        **settings: Any,
    ) -> tuple[list[models.Record], int | str | None]:
        """A page of points, by id, and the id at which the next page begins."""
        refuse(**settings)
        points, following = self.plain.scroll(
            collection_name,
            scroll_filter,
            limit,
            offset,
            with_payload=with_payload,
            with_vectors=with_vectors,
            order_by=order_by,
        )
        return [record(point) for point in points], following

    def scroll_ids(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        offset: Any = None,
    ) -> tuple[list[int | str], int | str | None]:
        """Like `scroll`, without an object per point, which costs more than the engine itself."""
        points, following = self.plain.scroll(
            collection_name, scroll_filter, limit, offset, with_payload=False
        )
        return [plain_id(point.id) for point in points], following

    def count(
        self,
        collection_name: str,
        count_filter: models.Filter | None = None,
        exact: bool = True,
        **settings: Any,
    ) -> models.CountResult:
        """How many points match."""
        refuse(**settings)
        return models.CountResult(
            count=self.plain.count(collection_name, count_filter, exact=exact)
        )

    def facet(
        self,
        collection_name: str,
        key: str,
        facet_filter: models.Filter | None = None,
        limit: int = 10,
        exact: bool = False,
        **settings: Any,
    ) -> models.FacetResponse:
        """How many points hold each value of an indexed payload field, most frequent first."""
        refuse(**settings)
        hits = self.plain.facet(collection_name, key, facet_filter, limit=limit, exact=exact)
        return models.FacetResponse(
            hits=[models.FacetValueHit(value=hit.value, count=hit.count) for hit in hits]
        )

    def query_points(
        self,
        collection_name: str,
        query: Any = None,
        using: str | None = None,
        prefetch: models.Prefetch | list[models.Prefetch] | None = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
        offset: int | None = None,
        with_payload: Any = True,
        with_vectors: Any = False,
        score_threshold: float | None = None,
        **settings: Any,
    ) -> QueryResponse:
        """The points that answer a query best."""
        refuse(**settings)
        with self.shards.opened(collection_name) as shard:
            request = edge_request(
                limit=limit,
                offset=offset,
                query=query,
                using=using,
                prefetch=prefetch,
                matching=query_filter,
                params=search_params,
                with_payload=with_payload,
                with_vectors=with_vectors,
                score_threshold=score_threshold,
            )
            return query_response(shard.query(request))

    def scores(
        self,
        collection_name: str,
        query: Any,
        using: str | None = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
    ) -> dict[int | str, float]:
        """The scores of the points that `query_points` finds, by id, as cheaply as `scroll_ids`."""
        with self.shards.opened(collection_name) as shard:
            request = edge_request(
                limit=limit, query=query, using=using, matching=query_filter, params=search_params
            )
            return {plain_id(point.id): point.score for point in shard.query(request)}

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest], **settings: Any
    ) -> list[QueryResponse]:
        """Several queries in one pass, cheaper than one by one."""
        refuse(**settings)
        with self.shards.opened(collection_name) as shard:
            batch = edge.QueryBatchRequest([edge_batched(request) for request in requests])
            return [query_response(points) for points in shard.query_batch(batch)]

    def _update(
        self, name: str, operation: edge.UpdateOperation, points: Any = None
    ) -> models.UpdateResult:
        return self._update_all(name, [operation], points and selected_ids(points))[0]

    def _update_all(
        self,
        name: str,
        operations: Sequence[edge.UpdateOperation],
        ids: Sequence[int | str] | None = None,
    ) -> list[models.UpdateResult]:
        with self.shards.written(name, ids) as shard:
            for operation in operations:
                shard.update(operation)
        done = models.UpdateResult(operation_id=None, status=models.UpdateStatus.COMPLETED)
        return [done] * len(operations)
