from __future__ import annotations

import json

import numpy as np
import pytest

from hiersearch.evaluation.benchmark import Result


def test_numbers_become_plain_and_what_is_not_finite_becomes_none_with_a_note():
    result = Result(
        "b",
        {
            "part": {"mean": np.float32(0.5), "gone": float("nan"), "n": np.int64(3)},
            "far": np.inf,
            "none": None,
            "model": "mini",
        },
        chance={"part": {"mean": np.float64(0.25)}, "far": -np.inf},
        notes=("first",),
    )
    assert result.scores == {
        "part": {"mean": 0.5, "gone": None, "n": 3},
        "far": None,
        "none": None,
        "model": "mini",
    }
    assert result.chance == {"part": {"mean": 0.25}, "far": None}
    assert json.loads(json.dumps(result.scores, allow_nan=False)) == result.scores
    assert result.notes[0] == "first"
    assert [note for note in result.notes if "part gone" in note]
    assert [note for note in result.notes if "far" in note]
    assert len(result.notes) == 3


@pytest.mark.parametrize(("value", "kind"), [(np.int32(2), int), (np.float32(2), float)])
def test_kinds_of_numbers_are_kept_apart(value, kind):
    assert type(Result("b", {"value": value}).scores["value"]) is kind


def test_nothing_is_shared_between_results():
    first, second = Result("a", {}), Result("b", {})
    assert first.chance == {} == second.chance
    assert first.chance is not second.chance
