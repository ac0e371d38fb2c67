"""How logits suit photos that nothing was learned from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.calibration.fitting import PEOPLE_ASKED, Fit, Said, fit, rescaled
from hiersearch.trees import Curve
from tests.calibration.worlds import CONCEPTS, DIM, World, stated, unit, world


def true_fit(made: World, scale: float = 1, shift: float = 0) -> Fit:
    """The true weights, with logits that are scaled and shifted."""
    return Fit(
        curve=Curve(1.5 * scale, 0.8 * scale, -0.5 * scale + shift),
        weights=(scale * made.weights).astype(np.float32),
        biases=(scale * made.biases + shift).astype(np.float32),
        mean=made.vectors.mean(axis=0),
        covariance=np.eye(DIM, dtype=np.float32),
    )


@pytest.mark.parametrize("captions", [5, 1])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (2, 1), (0.5, -1), (1, 2)])
def test_logits_that_are_too_bold_or_too_shy_are_set_right(scale, shift, captions):
    made = world(8000, seed=1)
    found, by, on = rescaled(true_fit(made, scale, shift), made.said(captions), made.chance)
    assert by == pytest.approx(1 / scale, rel=0.05)
    assert on == pytest.approx(-shift / scale, abs=0.1)
    np.testing.assert_allclose(stated(found, made.vectors), made.true, atol=0.03)


@settings(deadline=None, max_examples=10)
@given(st.floats(0.3, 3), st.floats(-2, 2))
def test_all_of_a_fit_is_rescaled_alike(scale, shift):
    made = world(4000)
    before = true_fit(made, scale, shift)
    after, by, on = rescaled(before, made.said(), made.chance)
    np.testing.assert_allclose(
        after.logits(made.vectors), by * before.logits(made.vectors) + on, atol=1e-3
    )
    for z, rate in ((0.0, 0.0), (2.0, -1.0), (-1.0, -5.0)):
        first, second = (
            one.curve.slope * z + one.curve.use * rate + one.curve.offset for one in (before, after)
        )
        assert second == pytest.approx(by * first + on, abs=1e-4)
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.covariance, before.covariance)
    # At the least cost as much is named as is stated.
    assert stated(after, made.vectors).mean() == pytest.approx(
        made.says.any(axis=1).mean(), abs=0.002
    )


def test_what_is_not_known_is_no_reason_to_rescale():
    made = world(8000, seed=1)
    said = made.said()
    unknown = np.random.default_rng(7).random(said.named.shape) < 0.5
    hidden = replace(said, named=np.where(unknown, -1, said.named).astype(np.int8))
    _, by, on = rescaled(true_fit(made), hidden, made.chance)
    assert (by, on) == (pytest.approx(1, abs=0.05), pytest.approx(0, abs=0.08))


def test_photos_of_which_nothing_is_known_leave_the_logits_alone():
    made = world(4000)
    said = replace(made.said(), named=np.full((4000, CONCEPTS), -1, np.int8))
    _, by, on = rescaled(true_fit(made, 2, 1), said, made.chance)
    assert (by, on) == (1, 0)


def test_the_fewer_photos_there_are_the_less_they_rescale():
    made = world(8000, seed=1)
    bold = true_fit(made, 4)
    changes = []
    for count in (5, 50, 8000):
        _, by, _ = rescaled(bold, made.said().of(np.arange(count)), made.chance)
        changes.append(-math.log(by))
    assert changes == sorted(changes)
    assert 0 < changes[0] < 0.5 * changes[-1]
    assert changes[-1] == pytest.approx(math.log(4), abs=0.1)


@pytest.mark.parametrize("count", [5, 11])
def test_a_few_photos_that_are_told_apart_without_error_make_nothing_certain(count):
    made = world(8000, seed=1)
    right = replace(true_fit(made), weights=made.weights.astype(np.float32))
    rows = np.arange(count)
    named = PEOPLE_ASKED * (right.logits(made.vectors[rows]) > 0).astype(np.int8)
    said = Said(made.vectors[rows], named, np.full(count, PEOPLE_ASKED))
    _, by, _ = rescaled(right, said, made.chance)
    assert 1 < by < 3


def test_descriptions_that_have_nothing_to_do_with_the_photos_turn_nothing_around():
    for seed in range(10):
        generator = np.random.default_rng(seed)
        vectors = unit(generator.normal(size=(400, DIM)))
        words = unit(generator.normal(size=(5, DIM)))
        named = (PEOPLE_ASKED * (generator.random((400, 5)) < 0.3)).astype(np.int8)
        said = Said(vectors, named, np.full(400, PEOPLE_ASKED))
        chance = np.ones(5, np.float32)
        found, scale, _ = rescaled(
            fit(said.of(np.arange(360)), words, chance), said.of(np.arange(360, 400)), chance
        )
        assert scale > 0
        assert found.curve.slope > 0
