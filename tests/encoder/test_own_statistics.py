"""Statistics that a user has found out: before those that come with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.config import data_dir, statistics_file
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.known import better_labels
from hiersearch.errors import ModelError
from hiersearch.trees import THRESHOLDS, Trials, write_statistics


@pytest.fixture
def user(tmp_path, environ) -> Mapping[str, str]:
    """The environment of another user, with the same models."""
    return {**environ, "HIERSEARCH_HOME": str(tmp_path / "home")}


def keep(mini: HierarchicalEncoder, model_id: str, user: Mapping[str, str]) -> Path:
    """Keeps a user's own statistics of a model; their id is "own"."""
    file = statistics_file(model_id, user)
    file.parent.mkdir(parents=True, exist_ok=True)
    trials = Trials(50, (1,) * len(THRESHOLDS), "words")
    write_statistics(file, replace(mini.shipped_statistics, id="own", trials=trials))
    return file


@pytest.fixture(scope="module")
def other_model(tmp_path_factory, mini) -> Path:
    """The folder of a model that comes without statistics."""
    folder = tmp_path_factory.mktemp("other") / "model"
    mini.save(folder)
    changed = HierarchicalEncoder(folder)
    with torch.no_grad():
        next(changed.model.parameters()).add_(0.01)
    HierarchicalEncoder(changed.model).save(folder)
    return folder


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_file_for_each_model_in_the_users_own_folder(model_id):
    file = statistics_file(model_id)
    assert file.parent == data_dir() / "statistics"
    assert file.is_absolute()
    assert "/" not in file.name
    assert file != statistics_file(f"{model_id}-2")


def test_ids_of_which_one_could_lead_elsewhere_have_files_of_their_own():
    ids = ["a", "A", "a/b", "a%2Fb", "a\\b", "../a", "..", ".", "", "ä", "a b", "a+b"]
    assert len({statistics_file(one) for one in ids}) == len(ids)


def test_the_users_own_come_first(mini, user):
    assert HierarchicalEncoder("mini", environ=user).statistics.id == mini.shipped_statistics.id
    file = keep(mini, mini.id, user)
    encoder = HierarchicalEncoder("mini", environ=user)
    assert encoder.statistics.id == "own"
    assert encoder.statistics.trials.photos == 50
    assert encoder.shipped_statistics.id == mini.shipped_statistics.id
    # Nobody else's, and no other model's.
    assert HierarchicalEncoder("mini").statistics.id == mini.shipped_statistics.id
    file.unlink()
    assert HierarchicalEncoder("mini", environ=user).statistics.id == mini.shipped_statistics.id


def test_a_model_that_comes_without_any_can_have_ones_own(mini, other_model, user):
    assert HierarchicalEncoder(other_model, environ=user).statistics is None
    keep(mini, HierarchicalEncoder(other_model).id, user)
    encoder = HierarchicalEncoder(other_model, environ=user)
    assert encoder.shipped_statistics is None
    assert encoder.statistics.id == "own"
    assert HierarchicalEncoder("mini", environ=user).statistics.id == mini.shipped_statistics.id


def test_a_model_in_memory_has_none(mini, user):
    keep(mini, mini.id, user)
    encoder = HierarchicalEncoder(mini.model, environ=user)
    assert encoder.statistics is None
    assert encoder.shipped_statistics is None


def test_a_saved_model_takes_along_what_it_came_with_and_not_ones_own(mini, user, tmp_path):
    keep(mini, mini.id, user)
    HierarchicalEncoder("mini", environ=user).save(tmp_path / "saved")
    saved = HierarchicalEncoder(tmp_path / "saved")
    assert saved.id == mini.id
    assert saved.statistics.id == mini.shipped_statistics.id
    assert saved.statistics.trials == mini.shipped_statistics.trials
    np.testing.assert_array_equal(saved.statistics.biases, mini.shipped_statistics.biases)
    # One's own still come first, by the model's id.
    assert HierarchicalEncoder(tmp_path / "saved", environ=user).statistics.id == "own"


def test_a_model_that_came_without_any_is_saved_without_any(mini, other_model, user, tmp_path):
    keep(mini, HierarchicalEncoder(other_model).id, user)
    HierarchicalEncoder(other_model, environ=user).save(tmp_path / "saved")
    assert HierarchicalEncoder(tmp_path / "saved").statistics is None


def test_damaged_ones_of_ones_own_do_not_keep_a_model_from_being_saved(mini, user, tmp_path):
    keep(mini, mini.id, user).write_bytes(b"damaged")
    HierarchicalEncoder("mini", environ=user).save(tmp_path / "saved")
    assert HierarchicalEncoder(tmp_path / "saved").statistics.id == mini.shipped_statistics.id


def test_damaged_ones_are_an_error_and_hide_nothing(mini, user):
    file = keep(mini, mini.id, user)
    file.write_bytes(file.read_bytes()[:-20])
    encoder = HierarchicalEncoder("mini", environ=user)
    with pytest.raises(ModelError, match=r"statistics .*cannot be read") as caught:
        _ = encoder.statistics
    assert str(file) in caught.value.message
    assert encoder.shipped_statistics.id == mini.shipped_statistics.id


def test_who_has_damaged_ones_is_told_how_to_be_rid_of_them(mini, user):
    file = keep(mini, mini.id, user)
    file.write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        _ = HierarchicalEncoder("mini", environ=user).statistics
    assert "'hiersearch calibrate --forget'" in caught.value.hint


# Notes on indexes that can be labelled better.


def test_an_index_labelled_before_its_model_was_calibrated_can_be_labelled_better(mini, user):
    shipped = mini.shipped_statistics.id
    assert better_labels("mini", mini.id, shipped, user) is None
    assert "by an earlier version" in better_labels("mini", mini.id, "older", user)
    assert "all that a photo shows" in better_labels("mini", mini.id, None, user)

    keep(mini, mini.id, user)
    note = better_labels("mini", mini.id, shipped, user)
    assert "before its model was calibrated" in note
    assert "more exactly what a photo shows" in note
    assert "all that a photo shows" in better_labels("mini", mini.id, None, user)
    assert better_labels("mini", mini.id, "own", user) is None
    assert better_labels("mini", mini.id, shipped) is None  # of a user who calibrated nothing


@pytest.mark.parametrize("name", ["clip-b", "mini-1", "/a/folder"])
def test_other_models_have_better_labels_once_they_are_calibrated(name, mini, user):
    assert better_labels(name, "an id", None, user) is None
    assert better_labels(name, "an id", "older", user) is None
    keep(mini, "an id", user)
    assert "all that a photo shows" in better_labels(name, "an id", None, user)
    assert "more exactly" in better_labels(name, "an id", "older", user)
    assert better_labels(name, "an id", "own", user) is None
    assert better_labels(name, "another id", None, user) is None


def test_statistics_that_cannot_be_read_give_no_note(mini, user):
    file = keep(mini, "an id", user)
    file.write_bytes(b"damaged")
    assert better_labels("clip-b", "an id", None, user) is None
