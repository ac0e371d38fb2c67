"""Connecting to a store, and client errors turned into ours."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hiersearch.config import bare_url, checked_timeout, is_url, refuse_bare_address
from hiersearch.errors import HiersearchError, UsageError
from hiersearch.qdrant.clients.client_calls import Client
from hiersearch.qdrant.clients.patience import patient
from hiersearch.qdrant.edge.client import EdgeClient

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

__all__ = ["client_errors", "connect", "create_once"]

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(
    location: str | Path, *, timeout: int | None = None, environ: Mapping[str, str] = os.environ
) -> QdrantClient | EdgeClient:
    """Open a store.

    Args:
        location: The URL of a server (`http://` or `https://`), a folder for the embedded engine,
            or `":memory:"` for a store that vanishes when the process ends.
        timeout: Seconds to wait for each answer of a server; by default 30.
        environ: The environment, whose variable `QDRANT_API_KEY` is the key of a server; blanks
            and line ends around it are ignored.

    Raises:
        UsageError: The URL is malformed or lacks its scheme, the timeout is no number of seconds,
            or the key has characters that no request can carry.
        StoreUnreachableError: No server answers there, or it rejects the key.
    """
    seconds = checked_timeout(timeout)
    in_memory = str(location) == ":memory:"
    if not in_memory and not is_url(location):
        refuse_bare_address(location)
        return EdgeClient(location)
    from qdrant_client import QdrantClient

    if in_memory:
        return QdrantClient(":memory:")
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
        client = QdrantClient(url=url, api_key=key, timeout=seconds, check_compatibility=False)
    with client_errors(client):
        patient(client).get_collections()
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
    except HiersearchError:
        raise
    except Exception as error:
        from hiersearch.qdrant.clients.refusals import exists_already

        if not exists_already(error):
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
    except HiersearchError:
        raise
    except Exception as error:
        from hiersearch.qdrant.clients.refusals import refusal

        ours = refusal(error, client)
        if ours is None:
            raise
        raise ours from ours.__cause__
