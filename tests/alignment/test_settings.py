from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from hiersearch.alignment import TrainingSettings, read_recipe
from hiersearch.alignment.losses import LOSSES
from hiersearch.alignment.pairs.pair_settings import PairSettings, read_pair_recipe
from hiersearch.alignment.settings import LossChoice
from hiersearch.errors import UsageError


def write(folder, name, text):
    folder = folder / "below"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_a_recipe_gives_settings(tmp_path):
    path = write(tmp_path, "a.toml", 'data = "wordnet"\nlayers = 2\nbetas = [0.9, 0.98]\n')

    settings = TrainingSettings(**read_recipe(path))

    assert settings == TrainingSettings(data="wordnet", layers=2, betas=(0.9, 0.98))


def test_what_a_recipe_says_goes_before_what_it_extends(tmp_path):
    write(tmp_path, "base.toml", 'data = "wordnet"\nsteps = 5\noptions = {k = 0.2, margin = 1}\n')
    path = write(tmp_path, "a.toml", 'extends = "base.toml"\nsteps = 7\noptions = {margin = 2}\n')

    assert read_recipe(path) == {"data": "wordnet", "steps": 7, "options": {"k": 0.2, "margin": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "a.toml"', "extends itself"),
        ('extends = "b.toml"', "cannot be read"),
        ("extends = 3", "extends 3"),
        ("stepz = 3", "sets 'stepz'"),
        ("steps = ", "cannot be read"),
        ("options = 3", "sets options to 3"),
        ('extends = "../below/a.toml"', "extends itself"),
    ],
)
def test_a_recipe_that_cannot_be(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read_recipe(write(tmp_path, "a.toml", text))


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "triplet"},
        {"root": "mine"},
        {"schedule": "cosine"},
        {"steps": 0},
        {"steps": 1.5},
        {"widest": 1.5},
        {"epochs": -1.0},
        {"epochs": float("inf")},
        {"learning_rate": 0.0},
        {"learning_rate": "fast"},
        {"layers": -1},
        {"layers": 0},
        {"seed": -1},
        {"weight_decay": -0.1},
        {"betas": (0.9, 1.0)},
        {"layers": True},
        {"validation": 1.0},
        {"deepest": 1},
        {"betas": (0.9,)},
        {"exclude": "file"},
        {"exclude": (1,)},
        {"negatives": 1},
        {"data": 3},
    ],
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong)).split("_")[0] + "|tiers"):
        TrainingSettings(**{"data": "wordnet"} | wrong)


def test_every_loss_can_be_chosen():
    assert set(get_args(LossChoice)) == set(LOSSES)


def test_json_has_every_setting():
    settings = TrainingSettings(data="wordnet", exclude=("a", "b"), options={"margin": 1.0})

    told = settings.to_json()

    assert set(told) == {field.name for field in dataclasses.fields(settings)}
    assert told["exclude"] == ["a", "b"]
    assert told["options"] == {"margin": 1.0}


ON_PHOTOS = {"captioned.toml", "mini-head.toml", "mini-eye.toml"}
"""Recipes of training on captioned photos."""


def test_every_recipe_of_the_project_can_be_read(request):
    recipes = sorted((request.config.rootpath / "training" / "recipes").glob("*.toml"))

    assert len(recipes) > 40
    for path in recipes:
        if path.name in ON_PHOTOS:
            PairSettings(data="captions.csv", photos="photos", **read_pair_recipe(path))
        else:
            TrainingSettings(**read_recipe(path))
