"""Connecting to a store; what a client must offer; and client errors turned into ours."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

# `qdrant_client.models` has another class of that name in its place.
from qdrant_client.http.models import QueryResponse

from hiersearch.config import bare_url, is_url
from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.points import PointId

__all__ = ["Client", "EmbeddedCalls", "client_errors", "connect", "embedded_calls"]


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
        self, collection_name: str, payload: Any, points: Any, *, wait: bool = True
    ) -> models.UpdateResult:
        """Set payload fields of points, by their ids or by a filter."""

    def delete_payload(self, collection_name: str, keys: Any, points: Any) -> models.UpdateResult:
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
    ) -> tuple[list[models.Record], Any]:
        """A page of points, by id, and where the next page begins."""

    def count(
        self,
        collection_name: str,
        *,
        count_filter: models.Filter | None = None,
        exact: bool = True,
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
    ) -> QueryResponse:
        """The points that answer a query best."""

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """The answers to several queries."""


@runtime_checkable
class EmbeddedCalls(Protocol):
    """What an embedded engine offers in addition: cheaper calls, and upkeep on request."""

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


_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(
    location: str | Path, *, timeout: int = 30, environ: Mapping[str, str] = os.environ
) -> QdrantClient | EdgeClient:
    """Open a store.

    Args:
        location: The URL of a server (`http://` or `https://`), a folder for the embedded engine,
            or `":memory:"` for a store that vanishes when the process ends.
        timeout: Seconds to wait for a server.
        environ: The environment, whose variable `QDRANT_API_KEY` is the key of a server.

    Raises:
        UsageError: The URL is malformed.
        StoreUnreachableError: No server answers there, or it rejects the key.
    """
    if str(location) == ":memory:":
        return QdrantClient(":memory:")
    if not is_url(location):
        return EdgeClient(location)
    url = bare_url(str(location))
    key = environ.get("QDRANT_API_KEY") or None
    with warnings.catch_warnings():
        if urlsplit(url).hostname in _THIS_MACHINE:
            # Nobody can eavesdrop between this machine and itself.
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
        client = QdrantClient(url=url, api_key=key, timeout=timeout, check_compatibility=False)
    with client_errors(client):
        client.get_collections()
    return client


@contextmanager
def client_errors(client: Client) -> Iterator[None]:
    """Turn the errors that a `QdrantClient` raises inside into ours.

    This covers REST and gRPC, and calls of an `AsyncQdrantClient`; an `EdgeClient` raises our
    errors itself. No message contains a key, or the user name and password of a URL.
    """
    try:
        yield
    except ResponseHandlingException as error:
        raise StoreUnreachableError(
            f"no Qdrant server answers at {_place(client)} ({_reason(error.source)})",
            hint="Check the URL, and that the server is running",
        ) from None
    except UnexpectedResponse as error:
        raise _refused(error.status_code, _answer(error), client) from None
    except QdrantException as error:
        raise StoreError(f"the server at {_place(client)} is overloaded ({error})") from error
    except grpc.RpcError as error:
        raise _failed_call(error, client) from None
    except (ValueError, KeyError, NotImplementedError) as error:
        # The client's own local mode raises these for whatever a server would answer 4xx.
        if isinstance(error, ValueError) and "not found" in str(error):
            raise CollectionError(str(error)) from error
        raise StoreError(f"{_place(client)} refused the request ({error})") from error


def _place(client: Client) -> str:
    if isinstance(client, EdgeClient):
        return str(client.path)
    options: Mapping[str, Any] = getattr(client, "init_options", {})
    place = options.get("url") or options.get("location") or options.get("host") or "localhost"
    return bare_url(place) if is_url(place) else str(place)


def _refused(status: int | None, answer: str, client: Client) -> StoreError:
    place = _place(client)
    if status in (401, 403):
        return StoreUnreachableError(
            f"the server at {place} refuses the key",
            hint="Set QDRANT_API_KEY to a key that has permission for this",
        )
    if status == 404:
        return CollectionError(
            f"the server at {place} has no such collection ({answer})",
            hint="Check the collection's name and the rest of the URL",
        )
    return StoreError(f"the server at {place} refused the request ({status}: {answer})")


def _failed_call(error: grpc.RpcError, client: Client) -> StoreError:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE
    answer = " ".join((error.details() or "").split())[:300] if isinstance(error, grpc.Call) else ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return StoreUnreachableError(
            f"no Qdrant server answers at {_place(client)} by gRPC ({answer or code.name})",
            hint="Check the URL and the gRPC port, and that the server is running",
        )
    return _refused(_STATUS.get(code, code.value[0]), answer, client)


_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
}


def _answer(error: UnexpectedResponse) -> str:
    """The server's error message, without the JSON around it."""
    text = error.content.decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):  # a proxy answered, not Qdrant
        text = str(json.loads(text)["status"]["error"])
    return " ".join(text.split())[:300]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
