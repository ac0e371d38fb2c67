from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hiersearch.evaluation.metrics import (
    auroc,
    average_precision,
    best_ranks,
    chance_recall,
    f1,
    kendall_tau,
    recall_at,
    spearman,
)

FEW = st.lists(st.integers(-3, 3), min_size=2, max_size=9)


def test_f1():
    assert f1(0.0, 0.0) == 0.0
    assert f1(0.25, 0.75) == pytest.approx(0.375)


@given(FEW)
def test_kendall_tau_is_scipys(values):
    expected = stats.kendalltau(values, range(len(values))).statistic
    assert kendall_tau(values) == pytest.approx(0.0 if math.isnan(expected) else expected)


def test_kendall_tau_of_rows_is_their_mean():
    assert kendall_tau([[1, 2, 3], [3, 2, 1], [1, 2, 3], [2, 2, 2]]) == pytest.approx(0.25)
    assert kendall_tau(np.float32([0.1, 0.2, 0.4, 0.3])) == pytest.approx(2 / 3)
    assert kendall_tau([5.0]) == 0.0
    assert kendall_tau(np.empty((0, 4))) == 0.0


def slow_ranks(values):
    """Equal values share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values
    ]


@given(FEW, st.randoms(use_true_random=False))
def test_spearman_is_the_correlation_of_ranks(values, chance):
    other = [chance.randint(-3, 3) for _ in values]
    constant = len(set(values)) == 1 or len(set(other)) == 1
    expected = 0.0 if constant else np.corrcoef(slow_ranks(values), slow_ranks(other))[0, 1]
    assert spearman(values, other) == pytest.approx(expected, abs=1e-12)


def test_spearman_of_too_little_is_nothing():
    assert spearman([], []) == 0.0
    assert spearman([1], [2]) == 0.0
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0
    assert spearman([1, 2, 3], [1, 10, 100]) == 1.0


def slow_average_precision(positive, negative):
    total, before = 0.0, 0
    for threshold in sorted(set(positive), reverse=True):
        right = sum(score >= threshold for score in positive)
        kept = right + sum(score >= threshold for score in negative)
        total += (right - before) / len(positive) * right / kept
        before = right
    return total


def slow_auroc(positive, negative):
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    return sum(wins) / len(wins)


@given(FEW, FEW)
def test_average_precision_and_auroc_are_those_of_plain_loops(positive, negative):
    expected = slow_average_precision(positive, negative)
    assert average_precision(positive, negative) == pytest.approx(expected)
    assert auroc(positive, negative) == pytest.approx(slow_auroc(positive, negative))


def test_average_precision_and_auroc_of_nothing():
    assert average_precision([], [1.0]) == 0.0
    assert average_precision([1.0], []) == 1.0
    assert auroc([], [1.0]) == auroc([1.0], []) == 0.5


def test_best_ranks():
    scores = np.array(
        [
            [0.9, 0.8, 0.7, 0.1],
            [0.5, 0.5, 0.5, 0.5],
            [0.1, 0.9, 0.3, 0.2],
            [0.1, 0.2, 0.3, 0.4],
            [-np.inf, 0.2, 0.3, 0.1],
        ]
    )
    right = np.array(
        [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=bool
    )
    # Ties count against the query; one without a right answer comes after all.
    assert best_ranks(scores, right).tolist() == [3, 3, 1, 5, 2]


def test_recall_at():
    assert recall_at([1, 2, 5, 11], 1) == 0.25
    assert recall_at([1, 2, 5, 11], 5) == 0.75
    assert recall_at([], 5) == 0.0


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_chance_recall_is_that_of_all_orders(k):
    found = [
        any(candidate in order[:k] for candidate in range(right))
        for right in (1, 1, 3)
        for order in permutations(range(5))
    ]
    assert chance_recall([1, 1, 3], 5, k) == pytest.approx(np.mean(found))


def test_chance_recall_of_no_queries():
    assert chance_recall([], 5, 1) == 0.0
    assert chance_recall([0], 5, 3) == 0.0
