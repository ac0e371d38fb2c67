from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.evaluation.prefix_best import best_of_all, best_of_first


@st.composite
def rows_of_few_values(draw):
    rows, width = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    values = st.lists(st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0]), min_size=width, max_size=width)
    scores = np.array([draw(values) for _ in range(rows)], dtype=np.float32)
    steps = draw(st.integers(1, 4))
    count = st.lists(st.integers(0, width), min_size=steps, max_size=steps).map(sorted)
    counts = np.array([draw(count) for _ in range(rows)], dtype=np.int64)
    listed = np.array(draw(st.permutations(range(0, 3 * width, 3))), dtype=np.int64)
    return scores, counts, listed


def best(row, count, listed):
    columns = sorted(range(count), key=lambda column: (-row[column], listed[column]))
    return columns[0] if columns else -1


@given(rows_of_few_values())
@settings(max_examples=400, deadline=None)
def test_is_what_a_loop_finds(case):
    scores, counts, listed = case
    expected = [
        [best(row, count, listed) for count in of_row]
        for row, of_row in zip(scores, counts, strict=True)
    ]
    assert best_of_first(scores, counts, listed).tolist() == expected
    assert best_of_all(scores, listed).tolist() == [best(row, len(row), listed) for row in scores]


def test_rows_may_share_their_counts():
    scores = np.array([[1, 3, 2], [2, 1, 3]], dtype=np.float64)
    counts = np.broadcast_to(np.array([0, 1, 2, 3]), (2, 4))
    found = best_of_first(scores, counts, np.arange(3))
    assert found.tolist() == [[-1, 0, 1, 1], [-1, 0, 0, 2]]


def test_no_column_at_all():
    assert (
        best_of_first(np.zeros((2, 3)), np.zeros((2, 1), int), np.arange(3)).tolist() == [[-1]] * 2
    )
