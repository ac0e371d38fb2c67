"""What is learned from descriptions, on photos of which it is known how probably they show what."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hiersearch.calibration import fitting
from hiersearch.calibration.fitting import (
    PEOPLE_ASKED,
    PULL,
    USUAL,
    USUAL_CHANCE,
    Fit,
    Said,
    chances,
    chances_by_captions,
    cost,
    fit,
)
from hiersearch.trees import Curve
from tests.calibration.worlds import CONCEPTS, DIM, World, sigmoid, stated, world

# What captions cost.


@st.composite
def sayings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, how many captions name what, and chances."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    logits = np.clip(generator.normal(size=shape) * draw(st.floats(0.1, 6)), -12, 12)
    named = generator.integers(-1, 6, size=shape).astype(np.int8)
    return logits, named, 1 - generator.random(shape) * draw(st.floats(0, 1))


def slow_cost(logits: np.ndarray, named: np.ndarray, chance: np.ndarray) -> float:
    total = 0.0
    for logit, times, share in zip(logits.flat, named.flat, chance.flat, strict=True):
        shown = 1 / (1 + math.exp(-logit))
        if times > 0:
            total -= math.log(shown)
        elif times == 0:
            total -= math.log(1 - share * shown)
    return total


@settings(deadline=None)
@given(sayings())
def test_the_cost_is_what_the_formulas_say(made):
    total, _ = cost(*made)
    assert total == pytest.approx(slow_cost(*made), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(sayings())
def test_the_gradient_is_how_the_cost_changes(made):
    logits, named, chance = made
    _, gradient = cost(logits, named, chance)
    assert gradient.shape == logits.shape
    step = 1e-3
    for place in np.ndindex(logits.shape):
        logit, *rest = (part[place].reshape(1) for part in made)
        above, below = (slow_cost(logit + way * step, *rest) for way in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_the_cost_of_what_is_as_good_as_certain_is_finite():
    logits = np.array([[-1e6, 1e6, -1e6, 1e6, 200.0]], np.float32)
    named = np.array([[1, 0, 0, 1, -1]], np.int8)
    total, gradient = cost(logits, named, np.ones((1, 5), np.float32))
    assert np.isfinite(total)
    assert gradient[0].tolist() == pytest.approx([-1, 1, 0, 0, 0], abs=1e-6)


# Chances.


def slow_chances(named: list[list[int]], captions: list[int]) -> list[float]:
    """The share of five captions that name what one of them names; drawn to that of all."""
    five = [
        row
        for row, count in zip(named, captions, strict=True)
        if count >= PEOPLE_ASKED and min(row) >= 0
    ]
    concepts = range(len(named[0]))
    times = [sum(min(row[at], PEOPLE_ASKED) for row in five) for at in concepts]
    photos = [sum(row[at] > 0 for row in five) for at in concepts]
    usual = sum(times) / (PEOPLE_ASKED * sum(photos)) if sum(photos) else USUAL_CHANCE
    return [
        (times[at] + usual * PEOPLE_ASKED * USUAL) / (PEOPLE_ASKED * (photos[at] + USUAL))
        for at in concepts
    ]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(-1, 5), min_size=3, max_size=3), st.integers(1, 6)),
        min_size=1,
        max_size=12,
    )
)
def test_chances_are_told_by_photos_with_five_captions(rows):
    named, captions = [list(each) for each in zip(*rows, strict=True)]
    said = Said(np.zeros((len(rows), 2), np.float32), np.array(named, np.int8), np.array(captions))
    found = chances(said)
    np.testing.assert_allclose(found, slow_chances(named, captions), rtol=1e-5)
    assert ((found > 0) & (found <= 1)).all()


def test_chances_come_near_the_true_ones():
    made = world(20_000)
    np.testing.assert_allclose(chances(made.said()), made.chance, atol=0.03)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=5))
def test_more_captions_are_likelier_to_name_it(values):
    chance = np.array(values, np.float32)
    found = chances_by_captions(chance)
    assert found.shape == (PEOPLE_ASKED + 1, len(chance))
    for count in range(PEOPLE_ASKED):
        wanted = [1 - (1 - float(value)) ** count for value in chance]
        np.testing.assert_allclose(found[count], wanted, atol=1e-6)
    assert (found[PEOPLE_ASKED] == 1).all()
    assert (np.diff(found, axis=0) >= 0).all()


# What is learned.


@cache
def learned(photos: int = 20_000) -> Fit:
    made = world(photos)
    return fit(made.said(), made.words, chances(made.said()))


def test_what_is_stated_comes_true():
    fresh = world(8000, seed=1)
    found = stated(learned(), fresh.vectors)
    named = fresh.says.any(axis=1)
    for low in np.arange(10) / 10:
        band = (found >= low) & (found < low + 0.1)
        assert band.sum() > 500
        assert named[band].mean() == pytest.approx(found[band].mean(), abs=0.07)
    np.testing.assert_allclose(found.mean(axis=0), fresh.true.mean(axis=0), atol=0.02)
    assert np.abs(found - fresh.true).mean() < 0.04
    assert np.corrcoef(learned().logits(fresh.vectors).flat, _logits(fresh).flat)[0, 1] > 0.97


def _logits(made: World) -> np.ndarray:
    return made.vectors @ made.weights.T + made.biases


def test_the_mean_and_the_covariance_are_those_of_the_photos():
    made = world(20_000)
    np.testing.assert_allclose(learned().mean, made.vectors.mean(axis=0), atol=1e-6)
    wanted = np.cov(made.vectors.T.astype(float), bias=True)
    np.testing.assert_allclose(learned().covariance, wanted, atol=1e-5)


def penalised(made: World, values: np.ndarray) -> tuple[float, np.ndarray]:
    """The cost of everything said and the pull, and their gradient, in double precision.

    Args:
        made: With photos that five people have described.
        values: The three numbers of the curve; (k, DIM) what each concept's weights differ by from
            the curve's; (k,) what its bias does.
    """
    inputs = made.vectors.astype(float)
    inputs = inputs - inputs.mean(axis=0)
    named = made.says.any(axis=1)
    count = named.shape[1]
    rate, step = np.log(named.mean(axis=0)), DIM**0.5
    spread = np.sqrt(np.einsum("kd,nd->nk", made.words, inputs).var(axis=0))
    directions = made.words / spread[:, None]
    (slope, use, offset), rest = values[:3], values[3:]
    own, bias = rest[: count * DIM].reshape(count, DIM), rest[count * DIM :]
    logits = inputs @ (slope * directions + step * own).T + use * rate + offset + bias
    total = np.logaddexp(0, np.where(named, -logits, logits)).sum()
    total += PULL / 2 * (own**2).sum() + (bias**2).sum() / 2
    wrong = sigmoid(logits) - named
    by_weight, by_bias = wrong.T @ inputs, wrong.sum(axis=0)
    curve = [(by_weight * directions).sum(), by_bias @ rate, by_bias.sum()]
    parts = (curve, (by_weight * step + PULL * own).ravel(), by_bias + bias)
    return total, np.concatenate(parts)


def values_of(made: World, found: Fit) -> np.ndarray:
    """The values of a fit, as `penalised` takes them."""
    inputs = made.vectors - made.vectors.mean(axis=0)
    rate = np.log(made.says.any(axis=1).mean(axis=0))
    spread = (inputs @ made.words.T).std(axis=0)
    curve = found.curve
    own = (found.weights - curve.slope * made.words / spread[:, None]) / DIM**0.5
    bias = found.biases + found.weights @ found.mean - curve.use * rate - curve.offset
    return np.concatenate([[curve.slope, curve.use, curve.offset], own.ravel(), bias])


def share_left(made: World, found: Fit) -> float:
    """What a fit costs above the least, as a share of what the start costs above it."""
    start = np.zeros(3 + CONCEPTS * (DIM + 1))
    start[:3] = fitting._FIRST_CURVE
    first, reached = (penalised(made, at)[0] for at in (start, values_of(made, found)))
    least = minimize(lambda at: penalised(made, at), start, jac=True, method="L-BFGS-B").fun
    assert least <= reached
    return (reached - least) / (first - least)


def test_little_less_could_be_paid():
    assert share_left(world(20_000), learned()) < 0.1


@pytest.mark.parametrize("photos", [500, 2000])
def test_little_less_could_be_paid_for_fewer_photos(photos):
    made = world(photos)
    assert share_left(made, fit(made.said(), made.words, made.chance)) < 0.5


@pytest.mark.parametrize("photos", [500, 2000])
def test_few_photos_are_learned_from_long_enough_and_not_by_heart(photos, monkeypatch):
    made, fresh = world(photos), world(8000, seed=1)

    def off(least: int) -> float:
        monkeypatch.setattr(fitting, "LEAST_STEPS", least)
        found = stated(fit(made.said(), made.words, made.chance), fresh.vectors)
        return float(np.abs(found - fresh.true).mean())

    usual, ten_rounds, long = map(off, (fitting.LEAST_STEPS, 1, 1000))
    assert usual < 0.8 * ten_rounds
    # The pull, and not that it ends early, keeps it from learning by heart.
    assert usual == pytest.approx(long, abs=0.003)


@pytest.mark.parametrize(("captions", "missed"), [(1, 0.05), (3, 0.015), ("mixed", 0.02)])
def test_photos_with_fewer_captions_tell_the_same(captions, missed):
    made, fresh = world(20_000), world(8000, seed=1)
    each = np.random.default_rng(2).integers(1, 6, 20_000) if captions == "mixed" else captions
    heard = made.said(each)
    found = stated(fit(heard, made.words, made.chance), fresh.vectors)
    five = stated(learned(), fresh.vectors)
    np.testing.assert_allclose(found.mean(axis=0), five.mean(axis=0), atol=0.02)
    assert (found - five).mean() == pytest.approx(0, abs=0.01)
    assert np.abs(found - five).mean() < 0.025
    # If they were taken for all that five people say, much would seem rarer than it is.
    whole = replace(heard, captions=np.full(20_000, PEOPLE_ASKED))
    naive = stated(fit(whole, made.words, made.chance), fresh.vectors)
    assert (naive - five).mean() < -missed


def few_and_many() -> tuple[World, Said]:
    """Photos of which two concepts are said alike, the second of far fewer of them."""
    made = world(20_000)
    named = made.said().named[:, -2:].copy()
    named[:, 1] = named[:, 0]
    known = np.random.default_rng(3).random(20_000) < 0.005
    named[~known, 1] = -1
    return made, Said(made.vectors, named, np.full(20_000, PEOPLE_ASKED))


def test_the_less_is_said_of_a_concept_the_less_it_leaves_the_curve():
    made, said = few_and_many()
    words = made.words[-2:].copy()
    words[1] = words[0]
    found = fit(said, words, np.ones(2, np.float32))
    spread = (made.vectors @ words.T).std(axis=0)[:, None]
    moved = np.linalg.norm(found.weights - found.curve.slope * words / spread, axis=1)
    assert moved[1] < moved[0] / 2


def test_the_less_is_said_of_a_concept_the_less_it_leaves_its_start():
    made, said = few_and_many()
    weights = np.random.default_rng(4).normal(size=(2, DIM)).astype(np.float32) * 3
    biases = np.array([-1, -1], np.float32)
    start = (weights, biases, np.ones(2, bool))
    found = fit(said, made.words[-2:], np.ones(2, np.float32), start=start)
    moved = np.linalg.norm(found.weights - weights, axis=1)
    assert moved[1] < moved[0] / 2


def test_where_nothing_is_said_the_start_stays():
    made = world(4000)
    said = made.said()
    named = said.named.copy()
    named[:, :3] = -1
    generator = np.random.default_rng(5)
    weights = generator.normal(size=(CONCEPTS, DIM)).astype(np.float32)
    biases = generator.normal(size=CONCEPTS).astype(np.float32)
    known = np.arange(CONCEPTS) < 6
    curve = Curve(1.2, 0.7, -0.4)
    found = fit(
        replace(said, named=named),
        made.words,
        made.chance,
        start=(weights, biases, known),
        curve=curve,
    )
    np.testing.assert_array_equal(found.weights[:3], weights[:3])
    np.testing.assert_allclose(found.biases[:3], biases[:3], atol=1e-5)
    assert np.abs(found.weights[3:6] - weights[3:6]).max() > 0.1
    # Of the others it is not known where they start; what is given for them is not looked at.
    nonsense = np.where(known[:, None], weights, 1e6).astype(np.float32)
    again = fit(
        replace(said, named=named),
        made.words,
        made.chance,
        start=(nonsense, np.where(known, biases, -1e6).astype(np.float32), known),
        curve=curve,
    )
    np.testing.assert_array_equal(again.weights, found.weights)
    np.testing.assert_array_equal(again.biases, found.biases)


def test_where_nothing_at_all_is_said_the_curve_stays():
    made = world(4000)
    said = replace(made.said(), named=np.full((4000, CONCEPTS), -1, np.int8))
    found = fit(said, made.words, made.chance, curve=Curve(1.2, 0.7, -0.4))
    wanted = [1.2, 0.7, -0.4]
    assert [found.curve.slope, found.curve.use, found.curve.offset] == pytest.approx(wanted)
    spread = (made.vectors @ made.words.T).std(axis=0)[:, None]
    np.testing.assert_allclose(found.weights, 1.2 * made.words / spread, rtol=1e-3)


def test_a_start_that_is_right_is_kept_to():
    made = world(4000)
    start = (made.weights.astype(np.float32), made.biases.astype(np.float32))
    found = fit(made.said(), made.words, made.chance, start=(*start, np.ones(CONCEPTS, bool)))
    assert np.abs(stated(found, made.vectors) - made.true).mean() < 0.03


def test_what_is_not_known_tells_nothing_of_other_concepts():
    made = world(4000)
    said = made.said()
    plain = fit(said, made.words, made.chance)
    more = np.concatenate([said.named, np.full((4000, 2), -1, np.int8)], axis=1)
    found = fit(
        replace(said, named=more),
        np.concatenate([made.words, made.words[:2]]),
        np.concatenate([made.chance, made.chance[:2]]),
    )
    np.testing.assert_allclose(found.weights[:CONCEPTS], plain.weights, atol=1e-3)
    np.testing.assert_allclose(found.biases[:CONCEPTS], plain.biases, atol=1e-3)
    assert found.curve.slope == pytest.approx(plain.curve.slope, abs=1e-4)


def test_it_is_no_matter_what_would_have_been_said_where_it_is_not_known():
    made, fresh = world(20_000), world(8000, seed=1)
    said = made.said()
    # Of what is shown, too, it is not known; so that to take it for not shown would be wrong.
    unknown = np.random.default_rng(6).random(said.named.shape) < 0.5
    hidden = replace(said, named=np.where(unknown, -1, said.named).astype(np.int8))
    found = stated(fit(hidden, made.words, made.chance), fresh.vectors)
    five = stated(learned(), fresh.vectors)
    np.testing.assert_allclose(found.mean(axis=0), five.mean(axis=0), atol=0.025)
    absent = replace(said, named=np.where(unknown, 0, said.named).astype(np.int8))
    naive = stated(fit(absent, made.words, made.chance), fresh.vectors)
    assert (naive - five).mean() < -0.1


def test_it_finds_the_same_again():
    made = world(4000)
    one, other = (fit(made.said(), made.words, made.chance) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.biases, other.biases)
    assert one.curve == other.curve


def test_a_few_photos_are_enough_to_run():
    made = world(4000)
    said = made.said().of(np.arange(3))
    found = fit(said, made.words, made.chance)
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.biases).all()
