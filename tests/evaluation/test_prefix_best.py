from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.evaluation.protocols import prefix_bests


@st.composite
def columns_of_few_values(draw):
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 20))
    values = st.lists(
        st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0]), min_size=height, max_size=height
    )
    scores = np.array([draw(values) for _ in range(width)], dtype=np.float32).T
    steps = draw(st.integers(1, 4))
    count = st.lists(st.integers(0, height), min_size=steps, max_size=steps).map(sorted)
    counts = np.array([draw(count) for _ in range(width)], dtype=np.int64)
    listed = np.array(draw(st.permutations(range(0, 3 * height, 3))), dtype=np.int64)
    return scores, counts, listed


def best(column, count, listed):
    return min(range(count), key=lambda row: (-column[row], listed[row]), default=None)


def turns_of(scores, counts, listed):
    """Column, step and row wherever a loop over columns and counts finds another best."""
    found = []
    for number, (column, of_column) in enumerate(zip(scores.T, counts, strict=True)):
        before = None
        for step, count in enumerate(of_column):
            now = best(column, count, listed)
            if now != before:
                found.append((number, step, now))
            before = now
    return found


@given(columns_of_few_values())
@settings(max_examples=400, deadline=None)
def test_is_what_a_loop_finds(case):
    scores, counts, listed = case
    found = prefix_bests(scores, listed)
    assert list(zip(*found.of_first(counts), strict=True)) == turns_of(scores, counts, listed)
    assert found.of_all().tolist() == [best(column, len(column), listed) for column in scores.T]


def test_many_scores_without_ties_and_some_with():
    random = np.random.default_rng(0)
    scores = random.normal(size=(300, 40))
    scores[random.integers(300, size=80)] = scores[random.integers(300, size=80)]
    counts = np.sort(random.integers(301, size=(40, 30)), axis=1)
    listed = random.permutation(300)
    found = prefix_bests(scores, listed).of_first(counts)
    assert list(zip(*found, strict=True)) == turns_of(scores, counts, listed)


def test_columns_may_share_their_counts():
    scores = np.array([[1, 2], [3, 1], [2, 3]], dtype=np.float64)
    counts = np.broadcast_to(np.array([0, 1, 2, 3]), (2, 4))
    columns, steps, rows = prefix_bests(scores, np.arange(3)).of_first(counts)
    assert columns.tolist() == [0, 0, 1, 1]
    assert steps.tolist() == [1, 2, 1, 3]
    assert rows.tolist() == [0, 1, 0, 2]


def test_no_row_at_all():
    found = prefix_bests(np.zeros((3, 2)), np.arange(3)).of_first(np.zeros((2, 1), int))
    assert [part.tolist() for part in found] == [[], [], []]
