"""From a place, as a user writes it, to a client, and from what clients raise to our errors."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from hiersearch.config import bare_url, is_url
from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError
from hiersearch.qdrant.edge.client import EdgeClient

__all__ = ["Client", "client_errors", "connect"]

Client: TypeAlias = QdrantClient | EdgeClient
"""What a `HierarchicalCollection` works over."""

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(location: str | Path, *, timeout: int = 30) -> Client:
    """Open a store.

    Args:
        location: The URL of a server (`http://` or `https://`; its key is read from the environment
            variable `QDRANT_API_KEY`), a folder for the embedded engine, or `":memory:"` for a
            store that is gone when the process ends.
        timeout: Seconds to wait for a server.

    Raises:
        UsageError: The URL cannot be read.
        StoreUnreachableError: No server answers there, or it refuses the key.
    """
    if str(location) == ":memory:":
        return QdrantClient(":memory:")
    if not is_url(location):
        return EdgeClient(location)
    url = bare_url(str(location))
    key = os.environ.get("QDRANT_API_KEY") or None
    with warnings.catch_warnings():
        if urlsplit(url).hostname in _THIS_MACHINE:
            # Nobody listens between this machine and itself; elsewhere the client's warning stands.
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
        client = QdrantClient(url=url, api_key=key, timeout=timeout, check_compatibility=False)
    with client_errors(client):
        client.get_collections()
    return client


@contextmanager
def client_errors(client: Client) -> Iterator[None]:
    """Turn what a `QdrantClient` raises inside into our errors; `EdgeClient` raises them itself.

    An `AsyncQdrantClient` raises the same, over REST as over gRPC.
    No message holds a key, or the user and password of a URL.
    """
    try:
        yield
    except ResponseHandlingException as error:
        raise StoreUnreachableError(
            f"no Qdrant server answers at {_place(client)} ({_reason(error.source)})",
            hint="Check the URL, and that the server runs",
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
    options = client.init_options
    place = options.get("url") or options.get("location") or options.get("host") or "localhost"
    return bare_url(place) if is_url(place) else str(place)


def _refused(status: int | None, answer: str, client: Client) -> StoreError:
    place = _place(client)
    if status in (401, 403):
        return StoreUnreachableError(
            f"the server at {place} refuses the key",
            hint="Set QDRANT_API_KEY to a key that may do this",
        )
    if status == 404:
        return CollectionError(
            f"the server at {place} has no such collection ({answer})",
            hint="Check the collection's name, and what stands before it in the URL",
        )
    return StoreError(f"the server at {place} refused the request ({status}: {answer})")


def _failed_call(error: grpc.RpcError, client: Client) -> StoreError:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE
    answer = " ".join((error.details() or "").split())[:300] if isinstance(error, grpc.Call) else ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return StoreUnreachableError(
            f"no Qdrant server answers at {_place(client)} by gRPC ({answer or code.name})",
            hint="Check the URL and the gRPC port, and that the server runs",
        )
    return _refused(_STATUS.get(code, code.value[0]), answer, client)


_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
}


def _answer(error: UnexpectedResponse) -> str:
    """What the server said of an error, without the JSON around it."""
    text = error.content.decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):  # where a proxy answered, not Qdrant
        text = str(json.loads(text)["status"]["error"])
    return " ".join(text.split())[:300]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
