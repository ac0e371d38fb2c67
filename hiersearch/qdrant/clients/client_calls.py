"""What a client of a store must offer, and what the embedded engine offers in addition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hiersearch.config import bare_url, is_url
from hiersearch.qdrant.edge.client import EdgeClient

if TYPE_CHECKING:
    from qdrant_client import models

    # `qdrant_client.models` has another class of that name in its place.
    from qdrant_client.http.models import QueryResponse

    from hiersearch.qdrant.filters import Filter, HasValue
    from hiersearch.qdrant.layout import Layout
    from hiersearch.qdrant.limits import Search
    from hiersearch.qdrant.points import PointId

__all__ = ["Client", "EmbeddedCalls", "PlainReading", "embedded_calls", "place_of"]


class Client(Protocol):
    """What a `HierarchicalCollection` needs of a client: part of `qdrant_client.QdrantClient`.

    Both `QdrantClient` and `EdgeClient` have it. `settings` are further arguments of the former.
    """

    def close(self) -> None:
        """Let go of the store."""

    def get_collections(self) -> models.CollectionsResponse:
        """The names of all collections."""

    def collection_exists(self, collection_name: str) -> bool:
        """Whether there is a collection of that name."""

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        """The configuration of a collection."""

    def create_collection(
        self, collection_name: str, vectors_config: Any = None, **settings: Any
    ) -> bool:
        """Create a collection."""

    def update_collection(self, collection_name: str, *, metadata: Any = None) -> bool:
        """Change the metadata of a collection."""

    def delete_collection(self, collection_name: str) -> bool:
        """Delete a collection."""

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: Any = None
    ) -> models.UpdateResult:
        """Index a payload field."""

    def delete_payload_index(self, collection_name: str, field_name: str) -> models.UpdateResult:
        """Drop the index of a payload field."""

    def list_shard_keys(self, collection_name: str) -> models.ShardKeysResponse:
        """The shard keys of a collection."""

    def create_shard_key(self, collection_name: str, shard_key: str) -> bool:
        """Add a shard key to a collection."""

    def upsert(
        self, collection_name: str, points: Any, *, wait: bool = True, **settings: Any
    ) -> models.UpdateResult:
        """Insert or replace points."""

    def batch_update_points(
        self, collection_name: str, update_operations: Any, wait: bool = True
    ) -> list[models.UpdateResult]:
        """Carry out several changes in order."""

    def set_payload(
        self, collection_name: str, payload: Any, points: Any, *, wait: bool = True, **settings: Any
    ) -> models.UpdateResult:
        """Set payload fields of points, by their ids or by a filter."""

    def delete_payload(
        self, collection_name: str, keys: Any, points: Any, **settings: Any
    ) -> models.UpdateResult:
        """Remove payload fields of points."""

    def delete(
        self, collection_name: str, points_selector: Any, *, wait: bool = True, **settings: Any
    ) -> models.UpdateResult:
        """Delete points."""

    def retrieve(
        self,
        collection_name: str,
        ids: Any,
        *,
        with_payload: Any = True,
        with_vectors: Any = False,
        **settings: Any,
    ) -> list[models.Record]:
        """The points with some ids."""

    def scroll(
        self,
        collection_name: str,
        *,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        offset: Any = None,
        with_payload: Any = True,
        with_vectors: Any = False,
        **settings: Any,
    ) -> tuple[list[models.Record], Any]:
        """A page of points, by id, and where the next page begins."""

    def count(
        self,
        collection_name: str,
        *,
        count_filter: models.Filter | None = None,
        exact: bool = True,
        **settings: Any,
    ) -> models.CountResult:
        """How many points match."""

    def facet(
        self,
        collection_name: str,
        key: str,
        *,
        facet_filter: models.Filter | None = None,
        limit: int = 10,
        exact: bool = False,
    ) -> models.FacetResponse:
        """How many points have each value of a payload field."""

    def query_points(
        self,
        collection_name: str,
        *,
        query: Any = None,
        using: str | None = None,
        prefetch: Any = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
        with_payload: Any = True,
        **settings: Any,
    ) -> QueryResponse:
        """The points that answer a query best."""

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """The answers to several queries."""


class PlainReading(Protocol):
    """Reading without an object of the client's for each point: see `edge.plain_calls`."""

    def layout(self, name: str) -> Layout:
        """How a collection is kept."""

    def count(
        self, name: str, matching: Filter | HasValue | None = None, *, exact: bool = True
    ) -> int:
        """How many points match."""

    def facet(
        self,
        name: str,
        key: str,
        matching: Filter | None = None,
        *,
        limit: int,
        exact: bool = True,
    ) -> Sequence[Any]:
        """How many points have each value of a payload field."""

    def retrieve(
        self, name: str, ids: Sequence[Any], *, with_payload: Any = True, with_vectors: Any = False
    ) -> Sequence[Any]:
        """The points with some ids."""

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
    ) -> tuple[Sequence[Any], PointId | None]:
        """A page of points, by id, and where the next page begins."""

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
    ) -> Sequence[Any]:
        """The points nearest to a vector."""


@runtime_checkable
class EmbeddedCalls(Protocol):
    """What an embedded engine offers in addition: cheaper calls, and upkeep on request."""

    @property
    def plain(self) -> PlainReading:
        """Reading without an object of the client's for each point."""

    def optimize(self, collection_name: str) -> bool:
        """Tidy up a collection; whether there was anything to do."""

    def set_payloads(
        self,
        collection_name: str,
        ids: Sequence[PointId],
        payloads: Sequence[Mapping[str, Any]],
    ) -> None:
        """Set payload fields of many points, to different values for each."""

    def scroll_ids(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        offset: PointId | None = None,
    ) -> tuple[list[PointId], PointId | None]:
        """A page of ids, and where the next page begins."""

    def scores(
        self,
        collection_name: str,
        query: Any,
        using: str | None = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
    ) -> dict[PointId, float]:
        """The scores of the points that answer a query best, by id."""


def embedded_calls(client: Client) -> EmbeddedCalls | None:
    """The additional calls of a client that embeds its engine; None for any other client."""
    return client if isinstance(client, EmbeddedCalls) else None


def place_of(client: Client) -> str:
    """Where a client's store is, for messages."""
    if isinstance(client, EdgeClient):
        return str(client.path)
    options: Mapping[str, Any] = getattr(client, "init_options", {})
    place = options.get("url") or options.get("location") or options.get("host") or "localhost"
    # Without a scheme, a user and a password may still be before the host.
    return bare_url(place) if is_url(place) else str(place).rpartition("@")[2]
