from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.errors import VectorError
from hiersearch.trees.descent import (
    FAMILIAR,
    FLOOR,
    NOTHING,
    OWN_SHARE,
    SHARPNESS,
    Calibration,
    PosteriorDescent,
    calibrate,
)

# animal > dog > terrier, animal > cat; food > fruit, food > vegetable; tomato below both
PARENTS = [(), (0,), (1,), (0,), (), (4,), (4,), (5, 6)]
ANIMAL, DOG, TERRIER, CAT, FOOD, FRUIT, VEGETABLE, TOMATO = range(8)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made_vectors(parents: list[tuple[int, ...]], seed: int, dim: int = 32) -> np.ndarray:
    """Vectors in which a concept resembles its parents."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(parents), dim))
    for at, above in enumerate(parents):
        for parent in above:
            rows[at] += rows[parent] * 0.7
    return unit(rows)


def slow_masses(parents, embeddings, centre, temperature, vector) -> list[float]:
    """The formulas of the module's head, one concept at a time, in double precision."""
    count = len(parents)

    def lineage(at: int) -> set[int]:
        return {at}.union(*(lineage(parent) for parent in parents[at]))

    vector = np.asarray(vector, dtype=float) / np.linalg.norm(vector)
    scores = []
    for row in np.asarray(embeddings, dtype=float):
        apart = row - centre
        scores.append(float(apart @ vector / np.linalg.norm(apart)))
    mixed = []
    for at in range(count):
        family = [scores[other] for other in lineage(at)]
        mixed.append(OWN_SHARE * scores[at] + (1 - OWN_SHARE) * sum(family) / len(family))
    weights = [math.exp(score / temperature) for score in mixed]
    whole = sum(weights) + math.exp(NOTHING / SHARPNESS)
    return [
        sum(weights[below] for below in range(count) if at in lineage(below)) / whole
        for at in range(count)
    ]


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Parents of up to 14 concepts whose numbers are shuffled, so that parents come late too."""
    count = draw(st.integers(1, 14))
    drawn = [
        draw(st.sets(st.integers(0, at - 1), max_size=3)) if at else set() for at in range(count)
    ]
    places = draw(st.permutations(range(count)))
    parents: list[tuple[int, ...]] = [()] * count
    for at, above in enumerate(drawn):
        parents[places[at]] = tuple(sorted(places[up] for up in above))
    return parents


@settings(max_examples=80, deadline=None)
@given(dags(), st.integers(0, 2**31), st.floats(0.01, 2))
def test_masses_match_the_formulas(parents, seed, temperature):
    rng = np.random.default_rng(seed)
    embeddings = unit(rng.normal(size=(len(parents), 8)))
    centre = (rng.normal(size=8) * 0.2).astype(np.float32)
    vectors = rng.normal(size=(3, 8)).astype(np.float32)
    descent = PosteriorDescent(parents, embeddings, Calibration(centre, temperature, temperature))
    expected = [slow_masses(parents, embeddings, centre, temperature, row) for row in vectors]
    np.testing.assert_allclose(descent.masses(vectors), expected, atol=2e-4)


@settings(max_examples=60, deadline=None)
@given(dags(), st.integers(0, 2**31), st.floats(0, 1))
def test_a_chain_goes_down_and_loses_mass(parents, seed, floor):
    rng = np.random.default_rng(seed)
    embeddings = unit(rng.normal(size=(len(parents), 8)))
    calibration = Calibration(np.zeros(8, dtype=np.float32), 0.05, 0.05)
    descent = PosteriorDescent(parents, embeddings, calibration)
    vectors = rng.normal(size=(4, 8)).astype(np.float32)
    masses = descent.masses(vectors)
    found = descent.descend(vectors, floor=floor)
    for (places, place_masses), mass in zip(found, masses, strict=True):
        roots = [at for at, above in enumerate(parents) if not above]
        if not places:
            assert mass[roots].max() < floor
            continue
        assert places[0] in roots
        assert mass[places[0]] == mass[roots].max()
        for upper, lower in pairwise(places):
            assert upper in parents[lower]
        assert list(place_masses) == sorted(place_masses, reverse=True)
        assert all(floor <= mass <= 1 for mass in place_masses)
        children = [at for at, above in enumerate(parents) if places[-1] in above]
        assert all(mass[child] < floor for child in children)


def made_model(size: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Calibration]:
    """A large vocabulary's vectors, photos of its first 50 concepts, and their calibration."""
    rng = np.random.default_rng(seed)
    words = unit(rng.normal(size=(size, 64)) + rng.normal(size=64))
    photos = unit(words[:50] - words.mean(axis=0) + 0.09 * rng.normal(size=(50, 64)))
    return words, photos, calibrate(words, photos)


def test_photos_get_their_concept_out_of_many():
    words, photos, calibration = made_model()
    descent = PosteriorDescent([()] * len(words), words, calibration)
    found = [places for places, _ in descent.descend(photos)]
    assert sum(concepts == (at,) for at, concepts in enumerate(found)) >= 45


@pytest.mark.parametrize("size", [1, 2, 20])
def test_noise_fits_nothing_in_a_small_vocabulary_and_photos_do(size):
    words, photos, calibration = made_model()
    descent = PosteriorDescent([()] * size, words[:size], calibration)
    noise = np.random.default_rng(5).normal(size=(400, 64)).astype(np.float32)
    empty = sum(not places for places, _ in descent.descend(noise))
    assert empty >= 0.75 * len(noise)
    found = descent.descend(photos[:size])
    assert [places for places, _ in found] == [(at,) for at in range(size)]
    other = descent.descend(photos[size:50])
    assert sum(not places for places, _ in other) >= 0.75 * len(other)


def test_nothing_is_negligible_beside_a_large_vocabulary():
    words, photos, calibration = made_model(10_000)
    descent = PosteriorDescent([()] * len(words), words, calibration)
    assert descent.masses(photos).sum(axis=1).min() > 0.99


def test_calibration_is_the_models_own_and_repeatable():
    words, photos, calibration = made_model()
    again = calibrate(words * 3, photos * 7)
    np.testing.assert_allclose(again.centre, words.mean(axis=0), atol=1e-6)
    assert again.temperature == pytest.approx(calibration.temperature, rel=1e-5)
    centred = unit(words - words.mean(axis=0))
    deviation = np.median(np.std(photos @ centred.T, axis=1))
    assert calibration.temperature == pytest.approx(SHARPNESS * deviation, rel=1e-4)
    stated = calibrate(words, temperature=0.07)
    assert stated.temperature == 0.07
    assert stated.text_temperature == pytest.approx(calibration.text_temperature)
    texts = words[::6]  # 500 of 3,000
    deviation = np.median(np.std(texts @ centred.T, axis=1))
    assert stated.text_temperature == pytest.approx(SHARPNESS * deviation, rel=1e-4)


def test_a_calibration_needs_photos_or_a_temperature():
    words, _, _ = made_model()
    with pytest.raises(ValueError, match="temperature"):
        calibrate(words)
    with pytest.raises(VectorError):
        calibrate(np.ones((5, 3), dtype=np.float32), temperature=0.1)


def test_the_temperature_can_be_given_per_call():
    words, photos, calibration = made_model()
    descent = PosteriorDescent([()] * len(words), words, calibration)
    sharp = descent.masses(photos, temperature=calibration.temperature / 4).max(axis=1)
    assert (sharp >= descent.masses(photos).max(axis=1) - 1e-6).all()
    other = Calibration(calibration.centre, 0.2, calibration.text_temperature)
    warm = PosteriorDescent([()] * len(words), words, other)
    np.testing.assert_array_equal(warm.masses(photos), descent.masses(photos, temperature=0.2))
    assert warm.descend(photos, floor=1e-4) == descent.descend(photos, floor=1e-4, temperature=0.2)


def test_the_familiar_one_of_two_equal_names_wins():
    words, photos, calibration = made_model()
    twins = np.concatenate([words[:1], words[:1], words[1:]])
    parents = [()] * len(twins)
    plain = PosteriorDescent(parents, twins, calibration).masses(photos[:1])[0]
    assert plain[0] == pytest.approx(plain[1], rel=1e-4)
    familiarity = [0.0, 5.0, *np.random.default_rng(0).normal(size=len(words) - 1)]
    descent = PosteriorDescent(parents, twins, calibration, familiarity=familiarity)
    (knowing,) = descent.masses(photos[:1])
    assert knowing[1] > 5 * knowing[0]
    scaled = [3 * value + 100 for value in familiarity]
    again = PosteriorDescent(parents, twins, calibration, familiarity=scaled)
    np.testing.assert_allclose(again.masses(photos[:1])[0], knowing, atol=1e-4)


@pytest.mark.parametrize("familiarity", [[1.0, None, 2.0], [4.0, 4.0, 4.0]])
def test_unknown_or_equal_familiarity_changes_nothing(familiarity):
    words, photos, calibration = made_model()
    plain = PosteriorDescent([()] * 3, words[:3], calibration).masses(photos)
    descent = PosteriorDescent([()] * 3, words[:3], calibration, familiarity=familiarity)
    np.testing.assert_array_equal(descent.masses(photos), plain)


def test_blocks_change_nothing(monkeypatch):
    embeddings = made_vectors(PARENTS, 3)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.2, 0.2)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    vectors = np.random.default_rng(0).normal(size=(11, 32)).astype(np.float32)
    whole = descent.masses(vectors)
    monkeypatch.setattr("hiersearch.trees.descent.BLOCK", 4)
    np.testing.assert_allclose(descent.masses(vectors), whole, atol=1e-6)
    assert len(descent.descend(vectors)) == 11
    assert descent.descend(np.empty((0, 32), dtype=np.float32)) == []


def test_a_shared_descendant_counts_once():
    embeddings = made_vectors(PARENTS, 2)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.02, 0.02)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    (mass,) = descent.masses(embeddings[[TOMATO]])
    assert mass[TOMATO] > 0.9
    assert mass[FOOD] <= 1
    ((places, place_masses),) = descent.descend(embeddings[[TERRIER]])
    assert places == (ANIMAL, DOG, TERRIER)
    assert place_masses[-1] >= FLOOR


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 32)),
        np.full((1, 32), np.nan),
        np.full((1, 32), np.inf),
        np.ones(32),
        np.ones((2, 31)),
    ],
    ids=["zero", "nan", "inf", "one-dimensional", "other-dimension"],
)
def test_vectors_that_are_none_are_refused(bad):
    embeddings = made_vectors(PARENTS, 2)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.1, 0.1)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    with pytest.raises(VectorError):
        descent.masses(bad.astype(np.float32))
    with pytest.raises(VectorError):
        descent.descend(bad.astype(np.float32))


def test_parts_that_do_not_fit_are_refused():
    embeddings = made_vectors(PARENTS, 2)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.1, 0.1)
    with pytest.raises(VectorError, match="do not fit"):
        PosteriorDescent(PARENTS[:-1], embeddings[:-2], calibration)
    with pytest.raises(VectorError, match="do not fit"):
        PosteriorDescent(PARENTS, embeddings[:, :8], calibration)


def test_a_concept_at_the_centre_is_no_hub():
    embeddings = made_vectors(PARENTS, 2)
    calibration = Calibration(embeddings[0], 0.1, 0.1)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    assert np.isfinite(descent.masses(embeddings)).all()


def test_a_vector_that_fits_badly_is_not_lost_beside_one_that_fits_well():
    words = unit(np.random.default_rng(1).normal(size=(40, 64)))
    calibration = Calibration(np.zeros(64, dtype=np.float32), 1e-3, 1e-3)
    descent = PosteriorDescent([()] * len(words), words, calibration)
    badly = unit(np.linalg.svd(words)[2][-1:] + 0.001 * words[3])
    alone, beside = descent.masses(badly), descent.masses(np.concatenate([words[:1], badly]))[1:]
    assert np.isfinite(beside).all()
    np.testing.assert_allclose(beside, alone, atol=1e-6)


def test_what_everybody_knows_counts_for_five_deviations_at_most():
    words, photos, calibration = made_model(200)
    parents = [()] * len(words)
    masses = {}
    for known in (1e3, 1e6, -1e6):  # all of them more than five deviations from the mean
        familiarity = [float(at % 2) for at in range(len(words))]
        familiarity[7] = known
        descent = PosteriorDescent(parents, words, calibration, familiarity=familiarity)
        masses[known] = descent.masses(photos[7:8])[0].astype(float)
    plain = PosteriorDescent(parents, words, calibration).masses(photos[7:8])[0].astype(float)

    def odds(of: np.ndarray) -> float:
        return math.log(of[7] / (1 - of[7]))

    assert odds(masses[1e3]) == pytest.approx(odds(masses[1e6]), abs=0.02)
    assert odds(masses[1e6]) - odds(plain) == pytest.approx(5 * FAMILIAR, abs=0.1)
    assert odds(masses[-1e6]) - odds(plain) == pytest.approx(-5 * FAMILIAR, abs=0.1)


def test_a_walk_begins_where_it_is_told():
    embeddings = made_vectors(PARENTS, 0)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.05, 0.05)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    weight = np.array([0.9, 0.5, 0.4, 0.6, 0.3, 0.1, 0.2, 0.1], dtype=np.float32)
    allowed = np.ones(len(PARENTS), dtype=bool)
    assert descent.walk(weight, allowed) == (ANIMAL, CAT)
    assert descent.walk(weight, allowed, first=FOOD) == (FOOD, VEGETABLE, TOMATO)
    allowed[FOOD] = False
    assert descent.walk(weight, allowed, first=FOOD) == ()


def test_a_mass_of_exactly_the_floor_is_in():
    embeddings = made_vectors(PARENTS, 0)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.05, 0.05)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    ((places, masses),) = descent.descend(embeddings[TERRIER : TERRIER + 1], floor=0.0)
    again = descent.descend(embeddings[TERRIER : TERRIER + 1], floor=masses[-1])
    assert again == [(places, masses)]


def test_what_is_said_of_vectors_that_do_not_fit():
    embeddings = made_vectors(PARENTS, 0)
    calibration = Calibration(np.zeros(32, dtype=np.float32), 0.05, 0.05)
    descent = PosteriorDescent(PARENTS, embeddings, calibration)
    said = {}
    for name, attempt in {
        "dimension": lambda: descent.masses(np.ones((1, 5))),
        "length": lambda: descent.masses(np.zeros((1, 32))),
        "shape": lambda: descent.masses(np.ones(32)),
        "parts": lambda: PosteriorDescent(PARENTS[:3], embeddings, calibration),
        "equal": lambda: calibrate(np.eye(2)[:1].repeat(5, 0), temperature=1.0),
    }.items():
        with pytest.raises(VectorError) as caught:
            attempt()
        said[name] = (caught.value.message, caught.value.hint)
    assert said == {
        "dimension": (
            "vectors of dimension 5 for concepts of dimension 32",
            "Use the model that embedded the vocabulary",
        ),
        "length": ("a vector is not finite, or has no length", "Encode it again"),
        "shape": ("an array of shape (32,) where rows of vectors are needed", ""),
        "parts": (
            "3 concepts, embeddings of shape (8, 32) and a centre of shape (32,) "
            "do not fit together",
            "Embed the vocabulary with the model that was calibrated",
        ),
        "equal": ("the model gives all concepts the same score", "Use another model"),
    }
