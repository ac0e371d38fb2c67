"""The first aligned offline model: its differences, and the folder that is built of them."""

from __future__ import annotations

import copy
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.mini.first_generation import (
    DIFFERENCES,
    MINI_ALIGNED_1_TEMPERATURE,
    add_differences,
    mini_aligned_1_folder,
)
from hiersearch.encoder.model_folder import read_sidecar
from hiersearch.errors import ModelError
from hiersearch.geometry import root_distance

CHAINS = [
    ("animal", "bird", "parrot", "a ring-necked parakeet on a branch"),
    ("food", "fruit", "apple", "a granny smith"),
    ("vehicle", "car", "sports car", "a red convertible by the sea"),
]


@pytest.fixture(scope="module")
def aligned(environ) -> HierarchicalEncoder:
    return HierarchicalEncoder("mini-aligned-1")


@pytest.fixture(scope="module")
def mini_1(environ) -> HierarchicalEncoder:
    return HierarchicalEncoder("mini-1")


def test_differences_are_added(mini_1):
    name = next(name for name, _ in mini_1.model.named_parameters() if ".layer.5." in name)
    again = copy.deepcopy(mini_1.model)
    moved = torch.full_like(again.get_parameter(name), 0.5).half()

    add_differences(again, {name: moved})

    found = again.get_parameter(name) - mini_1.model.get_parameter(name)
    assert (found - 0.5).abs().max() < 1e-6


def test_differences_of_another_model_are_refused(mini_1):
    with pytest.raises(ModelError, match="no weights elsewhere"):
        add_differences(copy.deepcopy(mini_1.model), {"elsewhere": torch.zeros(2)})


def test_the_file_is_small():
    size = len(resources.files("hiersearch.encoder.mini").joinpath(DIFFERENCES).read_bytes())

    assert size < 8_000_000


def test_it_is_built_once_and_says_what_it_is(aligned, mini_1):
    cache = Path(os.environ["HIERSEARCH_CACHE"])
    folder = mini_aligned_1_folder(cache)
    built = (folder / "modules.json").stat().st_mtime_ns

    assert mini_aligned_1_folder(cache) == folder
    assert (folder / "modules.json").stat().st_mtime_ns == built
    assert aligned.id == read_sidecar(folder).id != mini_1.id
    assert aligned.temperature == MINI_ALIGNED_1_TEMPERATURE


def test_general_texts_are_nearer_to_the_root(aligned):
    for chain in CHAINS:
        distances = root_distance(aligned.encode_texts(chain), aligned.root)
        assert np.all(np.diff(distances) > 0), chain


def test_its_photos_are_those_of_the_offline_model(aligned, mini_1, demo_photos):
    photo = demo_photos / "cat.jpg"

    np.testing.assert_allclose(
        aligned.encode_photos([photo]), mini_1.encode_photos([photo]), atol=1e-6
    )
