"""What ends `hiersearch serve`, also while the engine is at work."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hiersearch.cli.photos.serve import _signals_end_it
from hiersearch.qdrant.edge.failures import edge_errors

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_also_inside_the_engine_and_the_next_one_ends_the_process(number):
    before = [signal.getsignal(one) for one in SIGNALS]
    inside = []
    with _signals_end_it(), edge_errors(Path("index")):
        try:
            signal.raise_signal(number)
        finally:
            inside += [signal.getsignal(one) for one in SIGNALS]
    assert inside == [signal.SIG_DFL] * 2
    assert [signal.getsignal(one) for one in SIGNALS] == before
