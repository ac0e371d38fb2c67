"""BREEDS' measure against a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hiersearch.evaluation.benchmarks import label_pairs
from hiersearch.evaluation.benchmarks.label_pairs import (
    CONSTANTS,
    cross_validated,
    ordered_pairs,
    pair_ranks,
    prompt_ranks,
)
from tests.evaluation.made_embedder import drawn

ROOT = drawn("root")
LABELS = np.stack([drawn(f"label {at}") for at in range(9)])
PHOTOS = np.stack([drawn(f"photo {at}") for at in range(14)])
DISTANCES = np.linalg.norm(LABELS - ROOT, axis=1)


def slow_angle(t, v):
    outward, onward = t - ROOT, v - t
    return math.acos(outward @ onward / np.linalg.norm(outward) / np.linalg.norm(onward))


def slow_ranks(truth, constant):
    ranks = []
    for photo, true in zip(PHOTOS, truth, strict=True):
        scores = {
            (x, y): LABELS[x] @ photo
            + LABELS[y] @ photo
            - constant * slow_angle(LABELS[x], LABELS[y])
            for x in range(9)
            for y in range(9)
            if DISTANCES[x] < DISTANCES[y]
        }
        order = sorted(scores, key=lambda pair: -scores[pair])
        ranks.append(order.index(true) + 1 if true in scores else len(scores) + 1)
    return ranks


def test_pairs_go_outward_from_the_root():
    first, second = ordered_pairs(LABELS, ROOT)
    assert len(first) == 9 * 8 / 2
    assert (DISTANCES[first] < DISTANCES[second]).all()
    twins = np.stack([LABELS[0], LABELS[0], LABELS[1]])
    assert len(ordered_pairs(twins, ROOT)[0]) == 2


@pytest.mark.parametrize("at_once", [1, 80, 2**21])
def test_ranks_are_those_of_a_plain_loop_in_blocks_of_any_size(monkeypatch, at_once):
    monkeypatch.setattr(label_pairs, "PAIR_SCORES_AT_ONCE", at_once)
    # Any two labels, so that some are in the wrong order and can never be found.
    truth = [(at % 9, (at * 5 + 1) % 9) for at in range(14)]
    truth = [(x, y if x != y else (y + 1) % 9) for x, y in truth]
    constants = (0.0, 0.3, 2.0)
    found = pair_ranks(PHOTOS, LABELS, ROOT, truth, constants)
    for row, constant in zip(found, constants, strict=True):
        assert row.tolist() == slow_ranks(truth, constant)
    assert (found == 37).any()
    assert not (found == 37).all()
    assert (found[0] != found[2]).any()


def test_ties_count_against_the_photo():
    # A photo that no label is like: nothing tells the pairs apart.
    flat = np.zeros((1, LABELS.shape[1]), dtype=np.float32)
    first, second = ordered_pairs(LABELS, ROOT)
    found = pair_ranks(flat, LABELS, ROOT, [(int(first[0]), int(second[0]))], (0.0,))
    assert found.tolist() == [[36]]


def slow_cross_validated(ranks, k, seed, constants):
    order = np.random.default_rng(seed).permutation(ranks.shape[1])
    half = len(order) // 2
    sides = [order[:half], order[half:]]
    values, chosen = [], []
    for measured, other in (sides, sides[::-1]):
        recalls = [sum(ranks[c][p] <= k for p in other) / len(other) for c in range(len(constants))]
        best = recalls.index(max(recalls))
        chosen.append(constants[best])
        values.append(sum(ranks[best][p] <= k for p in measured) / len(measured))
    return sum(values) / 2, tuple(chosen)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [2, 7, 40])
def test_the_constant_is_chosen_on_the_other_half(seed, n):
    ranks = np.random.default_rng(seed).integers(1, 12, size=(4, n))
    found = cross_validated(ranks, 5, seed=seed, constants=(0.0, 0.1, 0.2, 0.3))
    value, chosen = slow_cross_validated(ranks, 5, seed, (0.0, 0.1, 0.2, 0.3))
    assert found.recall == pytest.approx(value)
    assert found.constants == chosen


def test_what_suits_one_half_only_is_not_rewarded():
    order = np.random.default_rng(0).permutation(10)
    ranks = np.full((2, 10), 9)
    ranks[0, order[:5]] = 1
    ranks[1, order[5:]] = 1
    assert cross_validated(ranks, 1, constants=(0.0, 1.0)).recall == 0.0


def test_one_photo_has_no_halves():
    assert cross_validated(np.ones((20, 1), dtype=np.int64), 1) is None
    assert cross_validated(np.ones((20, 0), dtype=np.int64), 1) is None
    assert len(CONSTANTS) == 20


@pytest.mark.parametrize("at_once", [5, 4096])
def test_both_labels_in_one_prompt(monkeypatch, at_once):
    monkeypatch.setattr(label_pairs, "TEXTS_AT_ONCE", at_once)
    labels = ("a", "b", "c", "d")
    prompt = "a {coarse} of type {fine}"
    truth = [(0, 1), (3, 2), (1, 0)]
    photos = PHOTOS[:3]
    found = prompt_ranks(
        photos, lambda texts: np.stack([drawn(t) for t in texts]), labels, truth, prompt
    )
    for photo, (x, y), rank in zip(photos, truth, found, strict=True):
        scores = {
            (a, b): drawn(f"a {labels[a]} of type {labels[b]}") @ photo
            for a in range(4)
            for b in range(4)
            if a != b
        }
        assert sorted(scores.values(), reverse=True).index(scores[x, y]) + 1 == rank
