"""Memberships, against a slow and obvious reference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from hiersearch.errors import ModelError, VectorError
from hiersearch.trees import (
    THRESHOLDS,
    Curve,
    Membership,
    PhotoStatistics,
    Trials,
    read_statistics,
    statistics_id,
    write_statistics,
)
from hiersearch.trees.membership import USUAL_RATE

DIM = 6


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made_statistics(names: tuple[str, ...] = (), seed: int = 0) -> PhotoStatistics:
    generator = np.random.default_rng(seed)
    photos = generator.normal(size=(50, DIM))
    return PhotoStatistics(
        id="made",
        mean=photos.mean(axis=0).astype(np.float32),
        covariance=np.cov(photos.T).astype(np.float32),
        curve=Curve(1.5, 0.8, 2.0),
        names=names,
        weights=generator.normal(size=(len(names), DIM)).astype(np.float32),
        biases=generator.normal(size=len(names)).astype(np.float32),
    )


def sigmoid(value: float) -> float:
    return 1 / (1 + np.exp(-value))


def expected(names, parents, embeddings, statistics, vector, mass) -> list[float]:
    """The docstring of the module, one concept at a time."""
    deviations = [np.sqrt(t @ statistics.covariance.astype(float) @ t) for t in embeddings]
    curve = statistics.curve
    found: dict[int, float] = {}

    def said(at: int) -> float:
        if at not in found:
            if names[at].casefold() in statistics.names:
                row = statistics.names.index(names[at].casefold())
                found[at] = sigmoid(statistics.weights[row] @ vector + statistics.biases[row])
            elif not parents[at]:
                z = embeddings[at] @ (vector - statistics.mean) / deviations[at]
                found[at] = sigmoid(curve.slope * z + curve.use * np.log(USUAL_RATE) + curve.offset)
            else:
                found[at] = max(
                    said(above) * min(1, mass[at] / max(mass[above], 1e-6)) for above in parents[at]
                )
        return found[at]

    own = [max(said(at), mass[at]) for at in range(len(names))]

    def kinds(at: int) -> set[int]:
        below = {child for child in range(len(names)) if at in parents[child]}
        return {at}.union(*map(kinds, below))

    return [max(own[kind] for kind in kinds(at)) for at in range(len(names))]


@st.composite
def taxonomies(draw):
    """For each concept its parents, in any order of positions."""
    size = draw(st.integers(1, 9))
    order = draw(st.permutations(range(size)))
    parents: list[tuple[int, ...]] = [()] * size
    for place, at in enumerate(order[1:], start=1):
        above = draw(st.lists(st.sampled_from(order[:place]), max_size=3, unique=True))
        parents[at] = tuple(above)
    return parents


@settings(max_examples=60, deadline=None)
@given(taxonomies(), st.sets(st.integers(0, 8)), st.integers(0, 1000))
def test_it_is_what_the_formulas_say(parents, learned, seed):
    names = [f"Word {at}" for at in range(len(parents))]
    statistics = made_statistics(tuple(f"word {at}" for at in sorted(learned)), seed)
    generator = np.random.default_rng(seed)
    embeddings = unit(generator.normal(size=(len(names), DIM)))
    vectors = unit(generator.normal(size=(4, DIM)))
    masses = generator.random((4, len(names))).astype(np.float32)

    found = Membership(names, parents, embeddings, statistics).probabilities(vectors, masses)

    assert found.dtype == np.float32
    for row, vector, mass in zip(found, vectors, masses, strict=True):
        wanted = expected(names, parents, embeddings, statistics, vector, mass)
        np.testing.assert_allclose(row, wanted, rtol=2e-3, atol=1e-5)
        assert all(row[above] >= row[at] for at in range(len(names)) for above in parents[at])


def test_no_photos_have_no_memberships():
    membership = Membership(["a"], [()], unit(np.ones((1, DIM))), made_statistics())
    assert membership.probabilities(np.empty((0, DIM), np.float32), np.empty((0, 1))).shape == (
        0,
        1,
    )


def test_embeddings_of_another_model_are_refused():
    with pytest.raises(VectorError, match="photos of dimension 6"):
        Membership(["a"], [()], unit(np.ones((1, DIM + 1))), made_statistics())


def test_statistics_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "membership.safetensors"
    statistics = made_statistics(("dog", "hot dog"))
    statistics = replace(statistics, weights=statistics.weights.astype(np.float16), source="a test")
    write_statistics(file, statistics)
    again = read_statistics(file)
    assert again is not None
    assert statistics_id(file) == "made"
    assert again.source == "a test"
    assert (again.id, again.names, again.curve) == ("made", ("dog", "hot dog"), Curve(1.5, 0.8, 2))
    for name in ("mean", "covariance", "weights", "biases"):
        assert getattr(again, name).dtype == np.float32
        np.testing.assert_array_equal(getattr(again, name), getattr(statistics, name))


def test_statistics_may_have_learned_no_names(tmp_path):
    file = tmp_path / "membership.safetensors"
    write_statistics(file, made_statistics())
    assert read_statistics(file).names == ()


def test_a_model_without_statistics_has_none(tmp_path):
    assert read_statistics(tmp_path / "membership.safetensors") is None
    assert statistics_id(tmp_path / "membership.safetensors") is None


@pytest.mark.parametrize("content", [b"", b"12345678", b"\x02" + bytes(7) + b"{}", b"\xff" * 40])
def test_what_is_no_file_of_statistics_has_no_id(tmp_path, content):
    file = tmp_path / "membership.safetensors"
    file.write_bytes(content)
    assert statistics_id(file) is None


def test_two_concepts_of_one_name_are_not_judged_by_what_captions_say_of_it():
    names, parents = ["animal", "Bat", "tool", "bat"], [(), (0,), (), (2,)]
    statistics = made_statistics(("animal", "bat", "tool"))
    generator = np.random.default_rng(1)
    embeddings = unit(generator.normal(size=(4, DIM)))
    vectors = unit(generator.normal(size=(3, DIM)))
    masses = np.tile(np.array([0.5, 0.4, 0.2, 0.02], np.float32), (3, 1))
    found = Membership(names, parents, embeddings, statistics).probabilities(vectors, masses)
    said = 1 / (1 + np.exp(-(vectors @ statistics.weights.T + statistics.biases)))
    np.testing.assert_allclose(found[:, 1], np.maximum(said[:, 0] * 0.8, 0.4), rtol=1e-5)
    np.testing.assert_allclose(found[:, 3], np.maximum(said[:, 2] * 0.1, 0.02), rtol=1e-5)


@pytest.mark.parametrize(
    "damage", ["cut off", "no names", "no weights", "wrong shape", "nan", "curve"]
)
def test_damaged_statistics_are_an_error(tmp_path, damage):
    file = tmp_path / "membership.safetensors"
    write_statistics(file, made_statistics(("dog",)))
    arrays = load_file(file)
    described = {"id": "made", "names": "dog"}
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-20])
    else:
        if damage == "no names":
            del described["names"]
        elif damage == "no weights":
            del arrays["weights"]
        elif damage == "wrong shape":
            arrays["biases"] = np.zeros(3, np.float32)
        elif damage == "curve":
            arrays["curve"] = np.array([np.nan, 1, 1])
        else:
            arrays["mean"] = np.full(DIM, np.nan, np.float32)
        save_file(arrays, file, described)
    with pytest.raises(ModelError, match=r"statistics .*\.safetensors cannot be read: .") as caught:
        read_statistics(file)
    assert caught.value.hint == "Install the model again"
    with pytest.raises(ModelError) as caught:
        read_statistics(file, mend="Do something else")
    assert caught.value.hint == "Do something else"


@st.composite
def made_trials(draw: st.DrawFn) -> Trials:
    photos = draw(st.integers(0, 10**6))
    size = len(THRESHOLDS)
    wrong = draw(st.lists(st.integers(0, photos), min_size=size, max_size=size))
    return Trials(photos, tuple(wrong), draw(st.text(max_size=20)))


@settings(deadline=None, max_examples=30)
@given(made_trials())
def test_trials_are_read_as_they_were_written(tmp_path_factory, trials):
    file = tmp_path_factory.mktemp("trials") / "membership.safetensors"
    write_statistics(file, replace(made_statistics(("dog",)), trials=trials))
    assert read_statistics(file).trials == trials
    assert statistics_id(file) == "made"


def test_statistics_without_trials_have_none(tmp_path):
    file = tmp_path / "membership.safetensors"
    write_statistics(file, made_statistics())
    assert read_statistics(file).trials is None


def write_trials(file: Path, stored: str) -> None:
    """Statistics whose trials are any text."""
    write_statistics(file, made_statistics(("dog",)))
    described = {"id": "made", "names": "dog", "trials": stored}
    save_file(load_file(file), file, described)


@pytest.mark.parametrize("count", [0, len(THRESHOLDS) - 1, len(THRESHOLDS) + 1])
def test_trials_at_other_thresholds_are_left_out(tmp_path, count):
    file = tmp_path / "membership.safetensors"
    write_trials(file, json.dumps({"photos": 9, "wrong": [0] * count, "vocabulary": "words"}))
    statistics = read_statistics(file)
    assert statistics.trials is None
    assert statistics.names == ("dog",)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "null",
        "3",
        "[]",
        "{}",
        json.dumps({"photos": 9, "vocabulary": "words"}),
        json.dumps({"photos": 9, "wrong": 4, "vocabulary": "words"}),
        json.dumps({"photos": 9, "wrong": None, "vocabulary": "words"}),
        json.dumps({"wrong": [0] * len(THRESHOLDS), "vocabulary": "words"}),
        # Words, fractions, truths and numbers below 0 are no counts, nor more than all photos.
        *(
            json.dumps({"photos": 9, "wrong": [1] * len(THRESHOLDS), "vocabulary": "words"} | odd)
            for odd in (
                {"photos": "9"},
                {"photos": 9.0},
                {"photos": -1, "wrong": [-1] * len(THRESHOLDS)},
                {"wrong": ["0"] * len(THRESHOLDS)},
                {"wrong": [True] * len(THRESHOLDS)},
                {"wrong": [0.5] * len(THRESHOLDS)},
                {"wrong": [-1] * len(THRESHOLDS)},
                {"wrong": [10] * len(THRESHOLDS)},
            )
        ),
    ],
)
def test_damaged_trials_are_an_error(tmp_path, stored):
    file = tmp_path / "membership.safetensors"
    write_trials(file, stored)
    with pytest.raises(ModelError, match=r"statistics .*membership\.safetensors"):
        read_statistics(file)
