"""Answers that go down as far as a stated risk, or a least mass, allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.config import statistics_file
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import UsageError
from hiersearch.index import PhotoIndex
from hiersearch.trees import THRESHOLDS, Trials, write_statistics
from tests.index.made import VOCABULARY

FLAT = Vocabulary([Concept("cat", "cat"), Concept("dog", "dog")], "flat")

TRIALS = Trials(1000, tuple(4 * at for at in range(len(THRESHOLDS))), VOCABULARY.id)
"""The more answers are wrong the further down they go."""

NONE_WRONG = (0,) * len(THRESHOLDS)

Open = Callable[..., PhotoIndex]


@pytest.fixture
def user(tmp_path, environ) -> Mapping[str, str]:
    return {**environ, "HIERSEARCH_HOME": str(tmp_path / "home")}


@pytest.fixture
def opened(tmp_path, folder, mini, user) -> Iterator[Open]:
    """Makes an index with a model that has given trials."""
    made: list[PhotoIndex] = []

    def open_index(trials: Trials | None, vocabulary: Vocabulary = VOCABULARY) -> PhotoIndex:
        file = statistics_file(mini.id, user)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_statistics(file, replace(mini.shipped_statistics, id="own", trials=trials))
        encoder = HierarchicalEncoder("mini", environ=user)
        index = PhotoIndex.create(tmp_path / "index", model=encoder, concepts=vocabulary)
        made.append(index)
        index.add(folder)
        return index

    yield open_index
    for index in made:
        index.close()


@pytest.fixture
def unsure(tmp_path, demo_photos) -> Path:
    """A photo of which it is not plain what it shows."""
    pair = [
        Image.open(demo_photos / name).convert("RGB").resize((256, 256))
        for name in ("coffee.jpg", "rocket.jpg")
    ]
    Image.blend(*pair, 0.5).save(tmp_path / "unsure.png")
    return tmp_path / "unsure.png"


def line(index: PhotoIndex, photo: Path, floor: float | None) -> list[tuple[str, float]]:
    """The main branch of a photo down to a least membership."""
    vector = index._encoder.encode_photos([photo])
    (tree,) = index._labeller.get().trees(vector, floor=floor)
    return [(link.concept, pytest.approx(link.mass, abs=1e-4)) for link in tree.chain]


def levels(index: PhotoIndex, **wanted: object) -> list[tuple[str, float]]:
    return [(level.concept, level.mass) for level in index.query(levels=9, **wanted).levels]


def test_an_answer_goes_down_as_far_as_its_risk_allows(opened, unsure, folder):
    index = opened(TRIALS)
    lengths = []
    for risk in (0.02, 0.05, 0.1, 0.2, 0.3):
        floor = TRIALS.threshold(risk)
        found = levels(index, image=unsure, risk=risk)
        assert found == line(index, unsure, floor)
        assert all(mass >= floor for _, mass in found)
        lengths.append(len(found))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
    # Of a plain photo even a small risk lets all be said.
    assert [one for one, _ in levels(index, image=folder / "cat.jpg", risk=0.05)] == [
        "animal",
        "cat",
    ]


def test_a_risk_that_allows_no_level_leaves_the_photos(opened, unsure, folder):
    index = opened(TRIALS)
    strict = index.query(image=unsure, risk=0.001 + TRIALS.least_risk())
    usual = index.query(image=unsure)
    assert strict.levels == ()
    assert [hit.path for hit in strict.photos] == [hit.path for hit in usual.photos]


def test_the_usual_answer_has_no_risk(opened, unsure):
    index = opened(TRIALS)
    assert levels(index, image=unsure) == line(index, unsure, None)


def test_a_risk_is_of_answers_to_photos(opened, unsure):
    index = opened(TRIALS)
    with pytest.raises(UsageError, match="a risk is for photos"):
        index.query("a cat", risk=0.1)
    with pytest.raises(UsageError, match="a risk or a least mass, not both"):
        index.query(image=unsure, risk=0.1, min_mass=0.9)
    for risk in (0, 1, -1, 2, float("nan")):
        with pytest.raises(UsageError, match="not between 0 and 1"):
            index.query(image=unsure, risk=risk)


@pytest.mark.parametrize(
    ("trials", "says"),
    [
        (None, "was not measured"),
        (replace(TRIALS, photos=0, wrong=NONE_WRONG), "was not measured"),
        (replace(TRIALS, vocabulary="another"), "with another vocabulary"),
        (replace(TRIALS, photos=20, wrong=NONE_WRONG), "20 photos tell of"),
    ],
)
def test_nothing_is_promised_that_was_not_measured(opened, unsure, trials, says):
    index = opened(trials)
    with pytest.raises(UsageError, match=says) as caught:
        index.query(image=unsure, risk=0.1)
    assert "hiersearch calibrate" in caught.value.hint
    assert index.query(image=unsure).photos


def test_photos_without_trees_have_no_risk(opened, unsure):
    index = opened(TRIALS, FLAT)
    with pytest.raises(UsageError, match="was not measured"):
        index.query(image=unsure, risk=0.1)


def test_no_level_is_below_the_least_mass(opened, unsure):
    index = opened(TRIALS)
    whole = levels(index, image=unsure, min_mass=0)
    assert index.vocabulary.children(whole[-1][0]) == ()
    for least in np.linspace(0, 1, 11):
        found = levels(index, image=unsure, min_mass=float(least))
        assert found == line(index, unsure, float(least))
        assert found == [(one, mass) for one, mass in whole if mass >= least]


def test_branches_hold_nothing_below_the_floor(opened, unsure):
    index = opened(TRIALS)

    def branches(**wanted: float) -> list[list[tuple[str, float]]]:
        found = index.query(image=unsure, levels=9, **wanted).branches
        assert all(found)  # none is empty
        return [list(branch) for branch in found]

    usual = branches()
    assert min(mass for branch in usual for _, mass in branch) < 0.9
    for floor, wanted in ((0.9, {"min_mass": 0.9}), (TRIALS.threshold(0.1), {"risk": 0.1})):
        found = branches(**wanted)
        assert all(mass >= floor for branch in found for _, mass in branch)
        # All that is shown so surely is in them, and each follows one of the usual branches.
        assert {one for branch in found for one, _ in branch} == {
            one for branch in usual for one, mass in branch if mass >= floor
        }
    assert branches(min_mass=1) == []


def test_texts_have_a_least_mass_too(opened):
    index = opened(TRIALS)
    text = "something to ride on"
    usual = levels(index, text=text)
    assert usual == levels(index, text=text, min_mass=0.3)
    whole = levels(index, text=text, min_mass=0)
    assert whole[: len(usual)] == usual
    for least in (0.2, 0.5, 0.95, 1):
        assert levels(index, text=text, min_mass=least) == [
            (one, mass) for one, mass in whole if mass >= least
        ]
    # What a text names by its name is certain.
    assert levels(index, text="a cat", min_mass=1) == [("animal", 1), ("cat", 1)]


@pytest.mark.parametrize("least", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_least_mass_is_a_share(opened, unsure, least):
    index = opened(TRIALS)
    with pytest.raises(UsageError, match="not between 0 and 1"):
        index.query(image=unsure, min_mass=least)


def test_without_parents_levels_have_no_mass_and_so_no_least(opened, unsure):
    index = opened(TRIALS, FLAT)
    with pytest.raises(UsageError, match="no masses"):
        index.query(image=unsure, min_mass=0.5)


def test_an_index_is_labelled_by_the_users_own_statistics(opened):
    assert opened(TRIALS).trees == "own"
