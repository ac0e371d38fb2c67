"""Answers at a stated risk, against a slow reference and in many trials of what is promised."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from hiersearch.errors import UsageError
from hiersearch.trees import CONFIDENCE, THRESHOLDS, Trials, risk_floor
from hiersearch.trees.risk import binomial_tail


def trials(photos: int, wrong: int | tuple[int, ...], vocabulary: str = "words") -> Trials:
    """So many wrong answers at every threshold, or those of each."""
    return Trials(
        photos, (wrong,) * len(THRESHOLDS) if isinstance(wrong, int) else wrong, vocabulary
    )


def slow_threshold(tried: Trials, risk: float, confidence: float) -> float | None:
    """The docstring of the module, one threshold at a time."""
    found = None
    for threshold, wrong in zip(THRESHOLDS, tried.wrong, strict=True):
        if binom.cdf(wrong, tried.photos, risk) > 1 - confidence:
            break
        found = threshold
    return found


@st.composite
def made_trials(draw: st.DrawFn) -> Trials:
    """Mostly more wrong answers the lower the threshold, but not always."""
    photos = draw(st.integers(0, 500))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    steps = generator.random(len(THRESHOLDS)) * draw(st.floats(0, 0.02))
    wander = generator.normal(size=len(THRESHOLDS)) * draw(st.floats(0, 0.01))
    shares = np.clip(np.cumsum(steps) + wander, 0, 1)
    return trials(photos, tuple(int(share * photos) for share in shares))


@settings(deadline=None)
@given(st.integers(-1, 3000), st.integers(0, 3000), st.floats(1e-6, 1 - 1e-6))
def test_the_tail_is_that_of_the_binomial_distribution(most, count, chance):
    assert binomial_tail(most, count, chance) == pytest.approx(
        binom.cdf(most, count, chance), rel=1e-7, abs=1e-12
    )


def test_thresholds_are_tried_from_the_strictest_on():
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS), reverse=True)
    assert THRESHOLDS[0] == 0.99
    assert THRESHOLDS[-1] == 0.05


@settings(deadline=None)
@given(made_trials(), st.floats(0.01, 0.99), st.floats(0.5, 0.99))
def test_the_threshold_is_the_last_before_the_first_that_fails(tried, risk, confidence):
    for level in (confidence, CONFIDENCE):
        # Rounding decides where a chance is that which is asked for, such as a half of a half.
        tails = binom.cdf(tried.wrong, tried.photos, risk)
        assume((np.abs(tails - (1 - level)) > 1e-9).all())
        assert tried.threshold(risk, level) == slow_threshold(tried, risk, level)
    assert tried.threshold(risk) == tried.threshold(risk, CONFIDENCE)


def test_nothing_below_a_threshold_that_fails_is_looked_at():
    wrong = [0] * len(THRESHOLDS)
    wrong[3] = 90
    assert trials(300, tuple(wrong)).threshold(0.1) == THRESHOLDS[2]
    wrong[0] = 90
    assert trials(300, tuple(wrong)).threshold(0.1) is None


@settings(deadline=None)
@given(made_trials(), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_who_allows_more_risk_is_led_no_less_far_down(tried, one, other):
    strict, loose = (tried.threshold(risk) for risk in sorted((one, other)))
    assert strict is None or (loose is not None and loose <= strict)


@pytest.mark.parametrize(("photos", "is_enough"), [(28, False), (29, True)])
def test_as_few_photos_as_can_promise_a_tenth(photos, is_enough):
    # 0.9 ** 28 is above a twentieth, 0.9 ** 29 is not.
    assert (trials(photos, 0).threshold(0.1) is not None) == is_enough


@settings(deadline=None, max_examples=30)
@given(made_trials(), st.sampled_from([0.777, 0.951]))
def test_the_least_risk_is_the_least_that_can_be_promised(tried, confidence):
    risks = np.arange(1, 100) / 100
    promised = risks[binom.cdf(tried.wrong[0], tried.photos, risks) <= 1 - confidence]
    assert tried.least_risk(confidence) == min(promised, default=1.0)


@pytest.mark.parametrize("risk", [0, 1, -0.1, 1.5, float("nan")])
def test_a_risk_is_a_share(risk):
    with pytest.raises(UsageError, match="not between 0 and 1"):
        trials(100, 0).threshold(risk)
    with pytest.raises(UsageError, match="not between 0 and 1"):
        risk_floor(risk, trials(100, 0), "words")


def test_what_is_no_risk_is_said_before_all_else():
    for measured in (None, trials(0, 0), trials(100, 0, "others")):
        with pytest.raises(UsageError, match="not between 0 and 1"):
            risk_floor(1.5, measured, "words")


def test_the_floor_is_the_threshold_of_the_trials():
    tried = trials(1000, tuple(at * 3 for at in range(len(THRESHOLDS))))
    assert risk_floor(0.1, tried, "words") == slow_threshold(tried, 0.1, CONFIDENCE)


def test_what_cannot_be_promised_is_said():
    for none in (None, trials(0, 0)):
        with pytest.raises(UsageError, match="was not measured") as caught:
            risk_floor(0.1, none, "words")
        assert "'hiersearch calibrate'" in caught.value.hint
    with pytest.raises(UsageError, match="with another vocabulary") as caught:
        risk_floor(0.1, trials(1000, 0, "others"), "words")
    assert "'hiersearch calibrate --concepts FILE'" in caught.value.hint
    few = trials(20, 0)
    with pytest.raises(UsageError, match="20 photos") as caught:
        risk_floor(0.1, few, "words")
    assert f"{few.least_risk()}" in caught.value.message
    assert "'hiersearch calibrate'" in caught.value.hint
    assert risk_floor(few.least_risk(), few, "words") == THRESHOLDS[-1]


def falls(photos: int, generator: np.random.Generator) -> np.ndarray:
    """For each of some photos of one source the greatest membership of a false answer; else 0.

    The answers go down five levels. A level is true less often than its membership m says, m ** 1.2
    of the time, and where it is false all below it are: so the answer at a threshold is false if
    any level is that is stated at or above it.
    """
    stated = np.cumprod(generator.beta(8, 1, size=(photos, 5)), axis=1)
    is_false = generator.random((photos, 1)) >= stated**1.2
    return np.where(is_false, stated, 0).max(axis=1)


def wrong_at_thresholds(fallen: np.ndarray) -> np.ndarray:
    return (fallen[:, None] >= np.array(THRESHOLDS)).sum(axis=0)


@cache
def true_risks() -> np.ndarray:
    """At each threshold, from a million photos."""
    seeds = range(50)
    found = [wrong_at_thresholds(falls(20_000, np.random.default_rng(seed))) for seed in seeds]
    return np.mean(found, axis=0) / 20_000


def risks_of_choices(risk: float, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """True risks of the thresholds that are chosen by some draws of 150 labelled photos each.

    Returns:
        By the test; and without it, as far down as no more of the labelled photos were answered
        wrongly than at the risk.
    """
    by_test, without, risks = [], [], true_risks()
    generator = np.random.default_rng(7)
    for _ in range(draws):
        wrong = wrong_at_thresholds(falls(150, generator))
        threshold = trials(150, tuple(map(int, wrong))).threshold(risk)
        by_test.append(0 if threshold is None else risks[THRESHOLDS.index(threshold)])
        fine = np.flatnonzero(wrong <= risk * 150)
        without.append(risks[fine[-1]] if len(fine) else 0)
    return np.array(by_test), np.array(without)


@pytest.mark.parametrize("risk", [0.1, 0.2, 0.3])
def test_in_at_most_a_twentieth_of_all_trials_the_risk_is_greater_than_promised(risk):
    draws = 1000
    by_test, without = risks_of_choices(risk, draws)
    noise = 3 * (0.05 * 0.95 / draws) ** 0.5
    assert (by_test > risk).mean() <= 0.05 + noise
    # Without the test it is greater about every second time.
    assert (without > risk).mean() > 0.3
    # Nor is the promise kept by answering nothing.
    assert by_test.mean() > risk / 2
