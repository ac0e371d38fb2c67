"""The parts of the loss, against plain sums."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from hiersearch.alignment.pairs.image_text_terms import (
    info_nce,
    kept_reading,
    kept_words,
    several_positives,
    siglip,
    word_loss,
)


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, 8, generator=generator), dim=-1)


def plain_several(scores: list[list[float]], right: list[list[bool]]) -> float:
    rows = []
    for row, marks in zip(scores, right, strict=True):
        wrong = sum(math.exp(s) for s, mark in zip(row, marks, strict=True) if not mark)
        costs = [
            -math.log(math.exp(s) / (math.exp(s) + wrong))
            for s, mark in zip(row, marks, strict=True)
            if mark
        ]
        if costs:
            rows.append(sum(costs) / len(costs))
    return sum(rows) / len(rows) if rows else 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 10_000))
def test_several_positives(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(rows, columns, generator=generator)
    right = torch.rand(rows, columns, generator=generator) < 0.4

    found = several_positives(scores, right)

    expected = plain_several(scores.tolist(), right.tolist())
    assert float(found) == pytest.approx(expected, abs=1e-4)


def test_what_is_right_does_not_compete():
    both = torch.tensor([[True, True, False]])

    found = several_positives(torch.tensor([[50.0, 0.0, -50.0]]), both)

    assert float(found) == pytest.approx(0, abs=1e-6)


def test_info_nce_is_the_symmetric_cross_entropy():
    photos, captions = vectors(5), vectors(5, seed=1)
    scores = photos @ captions.T / 0.1
    own = torch.arange(5)
    expected = (
        torch.nn.functional.cross_entropy(scores, own)
        + torch.nn.functional.cross_entropy(scores.T, own)
    ) / 2

    assert float(info_nce(photos, captions, temperature=0.1)) == pytest.approx(float(expected))


def test_siglip_asks_of_each_pair_alone():
    photos, captions = vectors(3), vectors(3, seed=1)
    expected = 0.0
    for i in range(3):
        for j in range(3):
            logit = (float(photos[i] @ captions[j]) - 0.3) / 0.1
            expected += math.log1p(math.exp(-logit if i == j else logit)) / 3

    assert float(siglip(photos, captions, temperature=0.1)) == pytest.approx(expected, rel=1e-5)


def test_words_and_photos_are_asked_both_ways():
    photos, words = vectors(4), vectors(3, seed=2)
    shown = torch.tensor([[True, False, False], [True, True, False], [False] * 3, [False] * 3])
    scores = photos @ words.T / 0.2
    expected = (
        plain_several(scores.tolist(), shown.tolist())
        + plain_several(scores.T.tolist(), shown.T.tolist())
    ) / 2

    found = word_loss(photos, words, shown, temperature=0.2)

    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_reading_that_is_kept_costs_nothing():
    logits = 3 * vectors(4)

    assert float(kept_reading(logits + 2.0, logits)) == pytest.approx(0, abs=1e-6)
    assert float(kept_reading(logits.flip(1), logits)) > 0.1


def test_words_that_are_read_as_before_cost_nothing():
    before, words = vectors(4), vectors(5, seed=1)
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5])

    assert float(kept_words(before, before, words, weights, temperature=0.1)) == pytest.approx(
        0, abs=1e-6
    )


def test_words_that_are_read_otherwise_cost_by_weight():
    photos, before, words = vectors(4), vectors(4, seed=2), vectors(5, seed=1)
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5])
    expected = 0.0
    for photo, old, weight in zip(photos, before, weights.tolist(), strict=True):
        now, was = ((vector @ words.T / 0.1).double().exp() for vector in (photo, old))
        now, was = now / now.sum(), was / was.sum()
        expected += weight * float((was * (was / now).log()).sum()) / 4

    found = kept_words(photos, before, words, weights, temperature=0.1)

    assert float(found) == pytest.approx(expected, rel=1e-4)
