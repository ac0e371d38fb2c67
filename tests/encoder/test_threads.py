from __future__ import annotations

import threading

import pytest
import torch

from hiersearch.encoder.threads import spread, spread_ahead, torch_threads


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


def test_a_batch_is_computed_while_the_one_before_it_is_used():
    begun = [threading.Event() for _ in range(3)]
    taken: list[int] = []

    def batches():
        for number in range(3):
            taken.append(number)
            yield [[number]]

    def compute(part):
        begun[part[0]].set()
        return part[0]

    found = spread_ahead(compute, batches(), workers=2, threads=1)

    assert next(found) == [0]
    assert begun[1].wait(10)
    assert taken == [0, 1]
    assert list(found) == [[1], [2]]


def test_closing_drops_what_was_not_begun():
    computed = []
    parts = [[[0]], [[number] for number in range(1, 100)]]
    release = threading.Event()

    def compute(part):
        if part[0]:
            release.wait(10)
        computed.append(part[0])

    found = spread_ahead(compute, parts, workers=1, threads=1)
    next(found)
    threading.Timer(0.2, release.set).start()
    found.close()

    assert len(computed) <= 2


def test_a_batch_may_be_empty():
    assert list(spread_ahead(sum, [[], [[1, 2]], []], workers=2, threads=1)) == [[], [3], []]


def test_torch_threads():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
