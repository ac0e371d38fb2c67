"""Against values that are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from hiersearch.alignment.validation import validate
from hiersearch.data.hierarchies import Hierarchy

ROOT = np.array([1.0, 0.0, 0.0], dtype=np.float32)


def at(angle, turn=0.0):
    """A vector so many radians from the root, to one side or another."""
    return [np.cos(angle), np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn)]


GOOD = {
    "animal": at(0.3), "goat": at(0.6), "a grey goat": at(0.9),
    "vehicle": at(0.3, 1.2), "car": at(0.6, 1.2), "a red car": at(0.9, 1.2),
}  # fmt: skip
ROWS = [
    Hierarchy(("animal", "goat", "a grey goat"), ("vehicle", "car", "a red car")),
    Hierarchy(("vehicle", "car", "a red car"), ("animal", "goat", "a grey goat")),
]


def table(vectors):
    return lambda texts: np.array([vectors[text] for text in texts], dtype=np.float32)


def test_vectors_in_order():
    found = validate(ROWS, table(GOOD), table(GOOD), ROOT)

    assert found.tau == 1.0
    assert found.recall == 1.0
    assert found.precision >= 0.875  # at the first radius there may be the other kind alone
    assert found.entailment == 1.0
    assert found.drift == pytest.approx(0.0, abs=1e-6)


def test_vectors_the_wrong_way_round():
    wrong = {
        **GOOD, "animal": GOOD["a grey goat"], "a grey goat": GOOD["animal"],
        "vehicle": GOOD["a red car"], "a red car": GOOD["vehicle"],
    }  # fmt: skip

    found = validate(ROWS, table(wrong), table(GOOD), ROOT)

    assert found.tau == -1.0
    # Four of six texts moved by 0.6 radians.
    assert found.drift == pytest.approx(4 / 6 * (1 - _cosine(GOOD, wrong)) / 2, abs=1e-6)


def test_half_of_the_pairs_entail():
    swapped = [ROWS[0], Hierarchy(ROWS[0].positive, ("goat", "a grey goat", "car"))]

    found = validate(swapped, table(GOOD), table(GOOD), ROOT)

    # animal: goat against goat itself, a tie; goat: a grey goat against a grey goat, a tie.
    assert found.entailment == 0.5


def test_without_negatives():
    rows = [Hierarchy(("animal", "goat"))]

    assert validate(rows, table(GOOD), table(GOOD), ROOT).entailment == 0.5


def _cosine(one, other):
    return float(np.dot(one["animal"], other["animal"]))
