"""Limits that pass: a server that is busy, or away for a moment, or asked for too much at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from httpx import Headers
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import UnexpectedResponse

from hiersearch.errors import StoreError
from hiersearch.qdrant.clients.patience import PATIENCE, patient
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import NAME, check_right, everything, their, theirs
from tests.rest_server import RefusedError, serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr("hiersearch.qdrant.clients.patience.time.sleep", found.append)
    return found


def answer(status: int, text: str = "") -> UnexpectedResponse:
    return UnexpectedResponse(status, "", f'{{"status":{{"error":"{text}"}}}}'.encode(), Headers())


class RpcError(grpc.RpcError, grpc.Call):
    """As gRPC raises it; of the methods of a call only these are asked."""

    __abstractmethods__ = frozenset()

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class Busy(QdrantClient):
    """A client of which a call raises some errors before it succeeds."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(":memory:")
        self.errors = list(errors)

    def get_collections(self, **_: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return super().get_collections()


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (ResourceExhaustedResponse("Too many requests", retry_after_s=7), 7.0),
        (answer(429, "rate limit exceeded"), 1.0),
        (answer(502), 1.0),
        (answer(503), 1.0),
        (RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Rate limiting exceeded"), 1.0),
        (RpcError(grpc.StatusCode.UNKNOWN, "Received http2 header with status: 503"), 1.0),
    ],
    ids=["retry-after", "429", "502", "503", "grpc", "grpc-proxy"],
)
def test_a_busy_server_is_waited_for(error, pause, pauses, caplog) -> None:
    assert patient(Busy(error)).get_collections().collections == []
    assert pauses == [pause]
    [told] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert told.getMessage().endswith("; waiting.")


@pytest.mark.parametrize(
    "error",
    [answer(400, "Wrong input"), answer(500), RpcError(grpc.StatusCode.NOT_FOUND, "no such")],
    ids=["400", "500", "grpc"],
)
def test_what_does_not_pass_is_raised_at_once(error, pauses) -> None:
    with pytest.raises(type(error)):
        patient(Busy(error)).get_collections()
    assert pauses == []


def test_patience_ends(pauses, caplog) -> None:
    with pytest.raises(UnexpectedResponse):
        patient(Busy(*[answer(503)] * 1000)).get_collections()
    assert PATIENCE - 30 < sum(pauses) <= PATIENCE
    assert pauses[:3] == [1, 2, 4]
    assert sum(one.levelno == logging.WARNING for one in caplog.records) == 1


class Small(QdrantClient):
    """Takes so many points at once and no more."""

    def __init__(self, most: int, refusal: Callable[[], Exception]) -> None:
        super().__init__(":memory:")
        self.most, self.refusal, self.sizes = most, refusal, []

    def upsert(self, name: str, points: list[models.PointStruct], **_: Any) -> Any:
        if len(points) > self.most:
            raise self.refusal()
        self.sizes.append(len(points))
        return super().upsert(name, points)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda: answer(413),
        lambda: answer(429, "request larger than rate limiter capacity, please try to split"),
        lambda: RpcError(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "request larger than rate limiter capacity"
        ),
    ],
    ids=["413", "429", "grpc"],
)
def test_what_is_too_large_is_split(refusal, pauses) -> None:
    cloud = Cloud.make(100)
    client = Small(30, refusal)
    theirs(client, Cloud(cloud.root, cloud.vectors[:0], []))
    points = [models.PointStruct(id=row, vector=cloud.vectors[row].tolist()) for row in range(100)]
    patient(client).upsert(NAME, points)
    assert client.sizes == [25] * 4
    assert client.count(NAME).count == 100
    assert pauses == []


def test_attach_gets_through_a_proxy_whose_server_restarts(pauses) -> None:
    cloud = Cloud.make(120)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        before = everything(client)
        asked = []

        def away(method: str, path: str) -> None:
            asked.append(path)
            if len(asked) % 3 == 0:
                raise RefusedError(503, "no server is available")

        server.fail = away
        assert their(client, cloud.root).attach().attached == 120
        server.fail = None
        check_right(client, before, cloud.root)
        assert pauses


def test_a_server_that_stays_away_is_named(pauses) -> None:
    cloud = Cloud.make(20)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)

        def away(method: str, path: str) -> None:
            raise RefusedError(503, "no server is available")

        server.fail = away
        with pytest.raises(StoreError, match=server.url):
            their(client, cloud.root).attach()
