"""Connecting to a store; what a client must offer; and client errors turned into ours."""

from __future__ import annotations

import json
import os
import re
import ssl
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
from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, UsageError
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.points import PointId

__all__ = [
    "Client",
    "EmbeddedCalls",
    "answer_of",
    "client_errors",
    "code_of",
    "connect",
    "create_once",
    "details_of",
    "embedded_calls",
    "place_of",
]


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
        environ: The environment, whose variable `QDRANT_API_KEY` is the key of a server; blanks
            and line ends around it are ignored.

    Raises:
        UsageError: The URL is malformed, or the key has characters that no request can carry.
        StoreUnreachableError: No server answers there, or it rejects the key.
    """
    if str(location) == ":memory:":
        return QdrantClient(":memory:")
    if not is_url(location):
        return EdgeClient(location)
    url = bare_url(str(location))
    key = environ.get("QDRANT_API_KEY", "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UsageError(
            "QDRANT_API_KEY contains characters that no key can have",
            hint="Set it again, as one line of plain letters, digits and punctuation",
        )
    with warnings.catch_warnings():
        if urlsplit(url).hostname in _THIS_MACHINE:
            # Nobody can eavesdrop between this machine and itself.
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
        client = QdrantClient(url=url, api_key=key, timeout=timeout, check_compatibility=False)
    with client_errors(client):
        client.get_collections()
    return client


def create_once(client: Client, name: str, **settings: Any) -> bool:
    """Create a collection, unless it exists.

    Args:
        client: The store.
        name: The name of the collection.
        settings: The other arguments of `create_collection`.

    Returns:
        Whether this call created it. Of several that run at once, one does.
    """
    if client.collection_exists(name):
        return False
    try:
        client.create_collection(name, **settings)
    except UnexpectedResponse as error:
        if error.status_code != 409:
            raise
        return False
    except grpc.RpcError as error:
        if code_of(error) != grpc.StatusCode.ALREADY_EXISTS:
            raise
        return False
    return True


# Errors


@contextmanager
def client_errors(client: Client) -> Iterator[None]:
    """Turn the errors that a `QdrantClient` raises inside into ours.

    This covers REST and gRPC, and calls of an `AsyncQdrantClient`; an `EdgeClient` raises our
    errors itself. No message contains a key, or the user name and password of a URL, and none has a
    cause that does.
    """
    try:
        yield
    except ResponseHandlingException as error:
        raise _no_answer(error.source, client) from None
    except UnexpectedResponse as error:
        raise _refused(error.status_code, answer_of(error), client) from None
    except QdrantException as error:
        raise _refused(429, str(error), client) from None
    except grpc.RpcError as error:
        raise _failed_call(error, client) from None
    except (ValueError, KeyError, NotImplementedError) as error:
        # The client's own local mode raises these for whatever a server would answer 4xx.
        reason = _without_key(str(error), client)
        cause = error if reason == str(error) else None
        if isinstance(error, ValueError) and "not found" in reason:
            raise CollectionError(reason) from cause
        raise StoreError(f"{place_of(client)} refused the request ({reason})") from cause


def place_of(client: Client) -> str:
    """Where a client's store is, for messages."""
    if isinstance(client, EdgeClient):
        return str(client.path)
    options: Mapping[str, Any] = getattr(client, "init_options", {})
    place = options.get("url") or options.get("location") or options.get("host") or "localhost"
    return bare_url(place) if is_url(place) else str(place)


def _without_key(text: str, client: Client) -> str:
    """An error's text, which may quote the headers of a request."""
    text = re.sub(r"(Illegal header value|metadata was invalid).*", r"\1", text, flags=re.DOTALL)
    options: Mapping[str, Any] = getattr(client, "init_options", None) or {}
    key = str(options.get("api_key") or "")
    for form in (key, repr(key)[1:-1], key.strip()):
        text = text.replace(form, "...") if form else text
    return text


def _refused(status: int | None, answer: str, client: Client) -> StoreError:
    place, answer = place_of(client), _without_key(answer, client)
    if status == 401:
        return StoreUnreachableError(
            f"the server at {place} refuses the key",
            hint="Set QDRANT_API_KEY to a key that has permission for this",
        )
    if status == 403:
        return StoreUnreachableError(
            f"the key for the server at {place} lacks a right ({answer})",
            hint="Use a key that has it: queries need read access to the collection, points write "
            "access, and attaching manage access, for metadata and indexes",
        )
    if status == 404:
        what = "point" if "No point with id" in answer else "collection"
        return CollectionError(
            f"the server at {place} has no such {what} ({answer})",
            hint="Check the collection's name and the rest of the URL"
            if what == "collection"
            else "",
        )
    if status in (408, 504):
        return _slow(answer, client)
    if status == 429:
        return StoreError(
            f"the server at {place} is overloaded, or limits its rate ({answer})",
            hint="Try again later, or raise read_rate_limit and write_rate_limit in the "
            "collection's strict mode",
        )
    return StoreError(f"the server at {place} refused the request ({status}: {answer})")


def _slow(answer: str, client: Client) -> StoreUnreachableError:
    return StoreUnreachableError(
        f"the server at {place_of(client)} did not answer in time ({answer})",
        hint="It may be busy: try again, or allow it more time (timeout of the client)",
    )


def _no_answer(error: BaseException, client: Client) -> StoreError:
    """Why there was no answer by HTTP, or none that makes sense."""
    from httpx import ConnectTimeout, TimeoutException

    if isinstance(error, TimeoutException) and not isinstance(error, ConnectTimeout):
        return _slow(_reason(error, client), client)
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            return _untrusted(link.verify_message or "it cannot be verified", client)
        link = link.__cause__ or link.__context__
    return StoreUnreachableError(
        f"no Qdrant server answers at {place_of(client)} ({_reason(error, client)})",
        hint="Check the URL, and that the server is running",
    )


def _untrusted(
    reason: str, client: Client, variable: str = "SSL_CERT_FILE"
) -> StoreUnreachableError:
    return StoreUnreachableError(
        f"the certificate of the server at {place_of(client)} is not trusted ({reason})",
        hint=f"If it is the right server, set {variable} to the file of its certificate, or of the "
        "authority that signed it",
    )


def _failed_call(error: grpc.RpcError, client: Client) -> StoreError:
    code, answer = code_of(error), _without_key(details_of(error), client)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return _slow(answer or code.name, client)
    if code == grpc.StatusCode.UNAVAILABLE and "CERTIFICATE_VERIFY_FAILED" in answer:
        return _untrusted("certificate verify failed", client, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    if code == grpc.StatusCode.UNAVAILABLE:
        return StoreUnreachableError(
            f"no Qdrant server answers at {place_of(client)} by gRPC ({answer or code.name})",
            hint="Check the URL and the gRPC port, and that the server is running",
        )
    return _refused(_STATUS.get(code, code.value[0]), answer, client)


_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
}


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status of a gRPC call."""
    return error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE


def details_of(error: BaseException) -> str:
    """What the server said about a gRPC call."""
    details = error.details() if isinstance(error, grpc.Call) else None
    return " ".join((details or "").split())[:300]


def answer_of(error: UnexpectedResponse) -> str:
    """The server's error message, without the JSON around it."""
    text = error.content.decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):  # a proxy answered, not Qdrant
        text = str(json.loads(text)["status"]["error"])
    return " ".join(text.split())[:300]


def _reason(error: BaseException, client: Client) -> str:
    return _without_key(str(error) or type(error).__name__, client)
