"""What a model that was recorded by name and id is called now."""

from __future__ import annotations

import pytest

from hiersearch.encoder import MODELS, HierarchicalEncoder, better_model, current_name
from hiersearch.encoder.registry import model_folder
from hiersearch.errors import ModelNotFoundError

OLD = MODELS["mini-1"]


@pytest.mark.parametrize("name", ["mini", "mini-1", "mini-aligned-1"])
def test_ids_that_are_known_without_loading(environ, name):
    assert MODELS[name].id == HierarchicalEncoder(name).id


def test_a_name_may_come_to_mean_newer_weights():
    assert current_name("mini", OLD.id) == "mini-1"
    assert current_name("mini-aligned", MODELS["mini-aligned-1"].id) == "mini-aligned-1"
    assert current_name("mini", MODELS["mini"].id) == "mini"
    assert current_name("mini", "of nobody") == "mini"
    assert current_name("/a/folder", OLD.id) == "/a/folder"
    assert current_name("clip-b", "0123") == "clip-b"


def test_a_name_that_is_gone_says_what_came_after_it():
    with pytest.raises(ModelNotFoundError, match="has become part of mini") as caught:
        model_folder("mini-aligned")

    assert "mini-aligned-1" in caught.value.hint


@pytest.mark.parametrize("name", ["mini-1", "mini-aligned-1"])
def test_an_index_of_a_former_model_is_told_of_the_newer(name):
    assert "hiersearch index --model mini" in better_model(name)


@pytest.mark.parametrize("name", ["mini", "clip-b", "/a/folder"])
def test_an_index_of_another_model_is_told_nothing(name):
    assert better_model(name) is None
