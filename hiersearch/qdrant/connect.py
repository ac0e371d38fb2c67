"""From a place, as a user writes it, to a client, and from what clients raise to our errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, UsageError
from hiersearch.qdrant.edge import EdgeClient

__all__ = ["Client", "client_errors", "connect", "is_url"]

Client: TypeAlias = QdrantClient | EdgeClient
"""What a `HierarchicalCollection` works over."""


def is_url(location: str | Path) -> bool:
    """Whether a place is a server rather than a folder."""
    return str(location).lower().startswith(("http://", "https://"))


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
    url = _bare_url(str(location))
    key = os.environ.get("QDRANT_API_KEY") or None
    client = QdrantClient(url=url, api_key=key, timeout=timeout, check_compatibility=False)
    with client_errors(client):
        client.get_collections()
    return client


@contextmanager
def client_errors(client: Client) -> Iterator[None]:
    """Turn what a `QdrantClient` raises inside into our errors; `EdgeClient` raises them itself.

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
    except (ValueError, KeyError) as error:
        # The client's own local mode raises these for whatever a server would answer 4xx.
        if isinstance(error, ValueError) and "not found" in str(error):
            raise CollectionError(str(error)) from error
        raise StoreError(f"{_place(client)} refused the request ({error})") from error


def _bare_url(location: str) -> str:
    """The URL without user, password, query and fragment."""
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the URL of the store cannot be read ({error})") from None
    if not host:
        raise UsageError(
            "the URL of the store names no server", hint="Write it as http://localhost:6333"
        )
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme.lower() == "https" else 6333
    return f"{parts.scheme.lower()}://{host}:{port or default}{parts.path.rstrip('/')}"


def _place(client: Client) -> str:
    if isinstance(client, EdgeClient):
        return str(client.path)
    options = client.init_options
    place = options.get("url") or options.get("location") or options.get("host") or "localhost"
    return _bare_url(place) if is_url(place) else str(place)


def _refused(status: int | None, answer: str, client: Client) -> StoreError:
    place = _place(client)
    if status in (401, 403):
        return StoreUnreachableError(
            f"the server at {place} refuses the key",
            hint="Set QDRANT_API_KEY to a key that may do this",
        )
    if status == 404:
        return CollectionError(f"the server at {place} has no such collection ({answer})")
    return StoreError(f"the server at {place} refused the request ({status}: {answer})")


def _answer(error: UnexpectedResponse) -> str:
    text = error.content.decode("utf-8", "replace")
    return " ".join(text.split())[:300]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
