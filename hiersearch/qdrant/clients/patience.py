"""Limits that pass: a client that waits for a busy server, and splits what is too large for it."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakSet

from hiersearch.qdrant.clients.client_calls import Client, place_of
from hiersearch.qdrant.edge.client import EdgeClient

__all__ = ["PATIENCE", "patient"]

logger = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds that one call waits in all for a server that is busy."""

REFILL = 15.0
"""Seconds to wait before several changes are tried again. A server carries out those that its rate
limit allows before it refuses the rest, so a batch that is sent again too soon never ends; batches
are at most a quarter of what is allowed in a minute."""

_TOLD: WeakSet[Client] = WeakSet()
"""The clients whose server is known to be busy: it is said once of each."""


def patient(client: Client) -> Client:
    """A client whose calls wait for a server that is busy, and split what is too large for it.

    That is: 429, after the time that its Retry-After names; 502 and 503, as a proxy answers while
    the server behind it restarts. One call waits five minutes at most. Calls are sent again as they
    were, so they must be idempotent, as all of `Client` are.
    """
    if isinstance(client, EdgeClient | _Patient):
        return client
    return cast(Client, _Patient(client))


class _Patient:
    def __init__(self, client: Client) -> None:
        self._client = client

    def __repr__(self) -> str:
        return repr(self._client)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name == "close" or name.startswith("_") or not callable(attribute):
            return attribute
        return functools.partial(self._call, attribute, name)

    def _call(self, call: Callable[..., Any], name: str, /, *args: Any, **kwargs: Any) -> Any:
        waited, tries = 0.0, 0
        while True:
            try:
                return call(*args, **kwargs)
            except Exception as error:  # of which most are none of those that pass
                busy = _Busy.of(error)
                if busy is None:
                    raise
                halves = _halves(args)
                batch = name == "batch_update_points" and halves is not None
                if halves is not None and (busy.too_large or (batch and busy.limited and tries)):
                    parts = [self._call(call, name, *half, **kwargs) for half in halves]
                    lists = isinstance(parts[0], list)
                    return [one for part in parts for one in part] if lists else parts[-1]
                pause = max(busy.pause or min(2.0**tries, 30.0), REFILL if batch else 0.0)
                if busy.too_large or waited + pause > PATIENCE:
                    raise
                self._tell(busy, pause)
            time.sleep(pause)
            waited, tries = waited + pause, tries + 1

    def _tell(self, busy: _Busy, pause: float) -> None:
        if self._client not in _TOLD:
            why = "limits its rate" if busy.limited else "is not available at the moment"
            logger.warning("The server at %s %s; waiting.", place_of(self._client), why)
        _TOLD.add(self._client)
        logger.debug("waiting for %g seconds", pause)


class _Busy:
    """Why a server has not done something that it may do later, or in parts.

    Attributes:
        pause: Seconds to wait; None if it does not say.
        limited: Whether this is a limit of its rate.
        too_large: Whether it will never do all of it at once.
    """

    def __init__(self, limited: bool, text: str = "", pause: float | None = None) -> None:
        self.limited = limited
        self.too_large = "larger than" in text or "too large" in text.lower()
        self.pause = pause

    @classmethod
    def of(cls, error: Exception) -> _Busy | None:
        """What an error says about it; None if it is about something else."""
        import grpc  # type: ignore[import-untyped]
        from qdrant_client.common.client_exceptions import (
            QdrantException,
            ResourceExhaustedResponse,
        )
        from qdrant_client.http.exceptions import UnexpectedResponse

        from hiersearch.qdrant.clients.refusals import answer_of, code_of, details_of

        if isinstance(error, ResourceExhaustedResponse):
            return cls(True, str(error), error.retry_after_s)
        if isinstance(error, QdrantException):  # A Retry-After that is not a number of seconds.
            return cls(True)
        if isinstance(error, UnexpectedResponse):
            if error.status_code == 413:
                return cls(False, "too large")
            busy = error.status_code in (429, 502, 503)
            return cls(error.status_code == 429, answer_of(error)) if busy else None
        if not isinstance(error, grpc.RpcError):
            return None
        code, details = code_of(error), details_of(error)
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return cls(True, details)
        # How gRPC reports the answer of a proxy.
        proxy = re.search(r"http2 header with status: (429|502|503)", details)
        return cls(proxy[1] == "429") if proxy else None


def _halves(args: tuple[Any, ...]) -> list[tuple[Any, ...]] | None:
    """The arguments of two calls that do what one does; None if it cannot be split."""
    parts = _split(args[-1]) if args else None
    return parts and [(*args[:-1], part) for part in parts]


def _split(value: Any) -> tuple[Any, Any] | None:
    if isinstance(value, list):
        if len(value) > 1:
            return value[: len(value) // 2], value[len(value) // 2 :]
        inner = _split(value[0]) if value else None
        return inner and ([inner[0]], [inner[1]])
    for name in ("points", "set_payload", "delete_payload", "upsert", "delete"):
        part = getattr(value, name, None)
        inner = None if part is None else _split(part)
        if inner:
            first, second = (value.model_copy(update={name: half}) for half in inner)
            return first, second
    return None
