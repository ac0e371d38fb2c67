"""Changes spaced out: a server's own bucket of tokens never runs empty, and little time is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import models

from hiersearch.qdrant import limits
from hiersearch.qdrant.limits import Limits, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


class Bucket:
    """As a server counts: full at first, refilled all the time, a token for each point."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self.most, self.clock = per_minute, clock
        self.left, self.counted = float(per_minute), clock.now

    def take(self, points: int) -> None:
        passed = self.clock.now - self.counted
        self.left = min(self.most, self.left + passed * self.most / 60)
        self.counted = self.clock.now
        assert self.left >= points, "refused: 429"
        self.left -= points


def change(first: int, points: int) -> models.SetPayloadOperation:
    ids = list(range(first, first + points))
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload={}, points=ids))


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=200),
    per_minute=st.integers(120, 600),
    most=st.integers(1, 100),
)
def test_a_rate_limit_is_kept(sizes: list[int], per_minute: int, most: int) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "time", clock)
        server = Bucket(per_minute, clock)
        pace = Pace(Limits(writes=per_minute))
        operations = [change(1000 * place, size) for place, size in enumerate(sizes)]
        sent = []
        for request, points in pace.requests(operations, most):
            assert 1 <= len(request) <= most
            assert points == sum(len(one.set_payload.points) for one in request)
            assert points <= per_minute // 4
            server.take(points)
            sent += request
        assert sent == operations
        soonest = max(0.0, sum(sizes) - per_minute) * 60 / per_minute
        assert clock.now - 100.0 <= soonest * 1.06 + 60 * 0.06


def test_without_a_limit_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiersearch.qdrant.limits.time.sleep", lambda _: pytest.fail("waits"))
    operations = [change(1000 * place, 300) for place in range(50)]
    requests = [request for request, _ in Pace(Limits()).requests(operations, 20)]
    assert [len(one) for one in requests] == [20, 20, 10]
