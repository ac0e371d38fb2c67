from __future__ import annotations

import threading

import pytest
import torch

from hiersearch.encoder.threads import spread, torch_threads


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers):
    parts = [[i, i + 1] for i in range(20)]

    assert spread(sum, parts, workers=workers, threads=1) == [2 * i + 1 for i in range(20)]


def test_threads_are_set_inside_and_as_before_outside():
    before = torch.get_num_threads()
    inside = spread(
        lambda _: (torch.get_num_threads(), threading.get_ident()), [[0]] * 4, workers=2, threads=3
    )
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()

    assert {count for count, _ in inside} == {3}
    assert threading.get_ident() not in {ident for _, ident in inside}
    assert torch.get_num_threads() == before
    assert later == [before]


def test_an_error_is_raised_and_the_threads_are_as_before():
    before = torch.get_num_threads()

    with pytest.raises(ZeroDivisionError):
        spread(lambda part: 1 / part[0], [[1], [0]], workers=2, threads=before + 1)

    assert torch.get_num_threads() == before


def test_torch_threads():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
