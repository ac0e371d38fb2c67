from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from hiersearch.evaluation.metrics import (
    auroc,
    average_precision,
    best_ranks,
    chance_recall,
    f1,
    kendall_tau,
    recall_at,
    set_scores,
    spearman,
    standard_error,
)

FEW = st.lists(st.integers(-3, 3), min_size=2, max_size=9)


def test_set_scores():
    assert set_scores(["a", "b", "b", "c"], ["a", "d"]) == (1 / 3, 1 / 2, pytest.approx(0.4))
    assert set_scores(["a"], ["a", "a"]) == (1.0, 1.0, 1.0)
    assert set_scores([], ["a"]) == (0.0, 0.0, 0.0)
    assert set_scores(["a"], []) == (0.0, 0.0, 0.0)
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


@given(FEW, st.randoms(use_true_random=False))
def test_spearman_is_scipys(values, chance):
    other = [chance.randint(-3, 3) for _ in values]
    constant = len(set(values)) == 1 or len(set(other)) == 1
    expected = 0.0 if constant else stats.spearmanr(values, other).statistic
    assert spearman(values, other) == pytest.approx(expected, abs=1e-12)


def test_spearman_of_too_little_is_nothing():
    assert spearman([], []) == 0.0
    assert spearman([1], [2]) == 0.0
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0
    assert spearman([1, 2, 3], [1, 10, 100]) == 1.0


@given(FEW, FEW)
def test_average_precision_and_auroc_are_sklearns(positive, negative):
    labels = [1] * len(positive) + [0] * len(negative)
    scores = positive + negative
    assert average_precision(positive, negative) == pytest.approx(
        sklearn_metrics.average_precision_score(labels, scores)
    )
    assert auroc(positive, negative) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))


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


def test_standard_error():
    assert standard_error([1.0, 2.0, 4.0]) == pytest.approx(stats.sem([1.0, 2.0, 4.0]))
    assert standard_error([3.0]) == standard_error([]) == 0.0
