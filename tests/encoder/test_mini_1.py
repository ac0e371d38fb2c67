"""The first offline model's recipe, checked against a plain reading of it, and its building."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from sentence_transformers import SentenceTransformer

import hiersearch.encoder.mini.first_generation as mini_module
from hiersearch.encoder.mini.first_generation import (
    IMAGE_WEIGHTS,
    MINI_1_ID,
    TEXT_WEIGHTS,
    class_texts,
    mini_1_folder,
)
from hiersearch.encoder.model_folder import SIDECAR_NAME, Sidecar, read_sidecar, write_sidecar
from hiersearch.encoder.threads import torch_threads
from hiersearch.errors import MissingPackageError, ModelError

# Kernel, stride, expansion and repeats of EfficientNet-B0's stages (Tan and Le, 2019, table 1).
STAGES = [
    (3, 1, 1, 1),
    (3, 2, 6, 2),
    (5, 2, 6, 2),
    (3, 2, 6, 3),
    (5, 1, 6, 3),
    (5, 2, 6, 4),
    (3, 1, 6, 1),
]


@pytest.fixture(scope="session")
def folder(environ) -> Path:
    return mini_1_folder(Path(environ["HIERSEARCH_CACHE"]))


@pytest.fixture(scope="session")
def plain(folder) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu")


@pytest.fixture(scope="session")
def minilm() -> SentenceTransformer:
    return SentenceTransformer(str(TEXT_WEIGHTS.locate().parent), device="cpu")


@pytest.fixture(scope="session")
def photos(demo_photos) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(demo_photos.rglob("*.*"))[:6]]


def convolve(pixels, weight, stride=1, groups=1):
    """Convolution with TensorFlow's "same" padding."""
    size, kernel = pixels.shape[-1], weight.shape[-1]
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    before, after = total // 2, total - total // 2
    padded = F.pad(pixels, (before, after, before, after))
    return F.conv2d(padded, weight, stride=stride, groups=groups)


def lite0_features(pixels: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
    """EfficientNet-Lite0 by its definition: pixels (n, 3, 224, 224) to features (n, 1280)."""

    def normalise(x, name):
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = F.relu6(normalise(convolve(pixels, state["_conv_stem.weight"], 2), "_bn0"))
    blocks = [
        (kernel, stride if first else 1, expansion)
        for kernel, stride, expansion, repeats in STAGES
        for first in [True] + [False] * (repeats - 1)
    ]
    for i, (kernel, stride, expansion) in enumerate(blocks):
        name, before = f"_blocks.{i}", x
        if expansion > 1:
            x = convolve(x, state[f"{name}._expand_conv.weight"])
            x = F.relu6(normalise(x, f"{name}._bn0"))
        weight = state[f"{name}._depthwise_conv.weight"]
        assert weight.shape[-1] == kernel
        x = F.relu6(normalise(convolve(x, weight, stride, len(weight)), f"{name}._bn1"))
        x = normalise(convolve(x, state[f"{name}._project_conv.weight"]), f"{name}._bn2")
        if before.shape == x.shape:
            x = x + before
    x = F.relu6(normalise(convolve(x, state["_conv_head.weight"]), "_bn1"))
    return x.mean(dim=(2, 3))


def pixels_of(photo: Image.Image) -> torch.Tensor:
    scale = 256 / min(photo.size)
    size = tuple(256 if side == min(photo.size) else int(side * scale) for side in photo.size)
    resized = photo.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    cropped = np.asarray(resized.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return torch.from_numpy((cropped - 127) / 128).permute(2, 0, 1)[None]


class TestRecipe:
    @torch.inference_mode()
    def test_photos_are_softmax_mixtures_of_class_embeddings(self, plain, minilm, photos):
        state = torch.load(IMAGE_WEIGHTS.locate(), weights_only=True)
        with torch_threads(1):  # two are much slower where the cores are shared
            classes = minilm.encode(class_texts(), convert_to_tensor=True)
        features = lite0_features(torch.cat([pixels_of(photo) for photo in photos]), state)
        logits = features @ state["_fc.weight"].T + state["_fc.bias"]
        mixtures = torch.softmax(logits / 2, dim=1) @ (classes - classes.mean(dim=0))
        expected = F.normalize(mixtures, dim=1)

        found = plain.encode(photos, convert_to_tensor=True)

        torch.testing.assert_close(found, expected, atol=5e-6, rtol=0)

    def test_texts_are_those_of_minilm(self, plain, minilm):
        texts = ["", "a cat", "a dog asleep on a red sofa in the afternoon"]

        np.testing.assert_allclose(plain.encode(texts), minilm.encode(texts), atol=1e-6)

    def test_class_texts_are_in_the_classifiers_order(self):
        texts = class_texts()

        assert len(texts) == 1000
        assert all(", " in text and text.isprintable() for text in texts)
        assert texts[1] == "goldfish, cyprinid"
        assert texts[281] == "tabby cat, domestic cat"
        assert texts[967] == "espresso, coffee"
        assert texts[999] == "toilet paper, tissue"

    def test_plain_sentence_transformer_sees_a_cat(self, plain, demo_photos):
        cat = next(path for path in demo_photos.rglob("*.*") if "cat" in path.stem)
        scores = plain.encode([Image.open(cat)]) @ plain.encode(["a cat", "a rocket", "food"]).T

        assert scores[0].argmax() == 0


class TestFolder:
    def test_it_holds_stock_modules_only(self, folder):
        router = json.loads((folder / "router_config.json").read_text())
        modules = json.loads((folder / "modules.json").read_text())
        types = [*router["types"].values(), *(module["type"] for module in modules)]

        assert all(each.startswith("sentence_transformers.") for each in types)

    def test_its_sidecar_says_what_it_is(self, folder):
        sidecar = read_sidecar(folder)

        assert sidecar.id == MINI_1_ID
        assert TEXT_WEIGHTS.sha256[:12] in MINI_1_ID
        assert IMAGE_WEIGHTS.sha256[:12] in MINI_1_ID
        assert sidecar.temperature == mini_module.MINI_1_TEMPERATURE
        assert sidecar.root is None

    def test_it_is_built_once(self, folder, environ, monkeypatch):
        monkeypatch.setattr(mini_module, "build_mini_1", None)

        assert mini_1_folder(Path(environ["HIERSEARCH_CACHE"])) == folder


class TestDamage:
    @pytest.mark.parametrize("weights", [TEXT_WEIGHTS, IMAGE_WEIGHTS], ids=lambda w: w.module)
    def test_a_damaged_package_is_named(self, weights, tmp_path, monkeypatch):
        # A copy that is found first, with one bit of the weights changed.
        copied = tmp_path / "site" / weights.module / weights.file
        copied.parent.mkdir(parents=True)
        content = bytearray(weights.locate().read_bytes())
        content[len(content) // 2] ^= 1
        copied.write_bytes(content)
        (tmp_path / "site" / weights.module / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / "site")
        monkeypatch.delitem(sys.modules, weights.module, raising=False)

        with pytest.raises(ModelError, match=f"the package {weights.package} is damaged"):
            mini_1_folder(tmp_path / "cache")

        assert not list((tmp_path / "cache" / "models").iterdir())

    def test_a_missing_package_says_how_to_install_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr("hiersearch.encoder.mini.first_generation.find_spec", lambda _: None)

        with pytest.raises(MissingPackageError, match=r'pip install "hiersearch\[mini-1\]"'):
            mini_1_folder(tmp_path)

    def test_a_cache_that_cannot_be_written_to_is_named(self, tmp_path):
        (tmp_path / "cache").touch()

        with pytest.raises(ModelError, match="HIERSEARCH_CACHE") as caught:
            mini_1_folder(tmp_path / "cache")

        assert str(tmp_path / "cache") in caught.value.message


def fake_build(folder: Path) -> None:
    """As build_mini_1, in no time."""
    folder.mkdir()
    (folder / "weights").write_text("whole")
    sidecar = Sidecar(
        id=MINI_1_ID, temperature=mini_module.MINI_1_TEMPERATURE, files={"weights": len("whole")}
    )
    write_sidecar(folder, sidecar)


class TestCache:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(mini_module, "build_mini_1", fake_build)

    @pytest.mark.parametrize("missing", ["weights", SIDECAR_NAME])
    def test_a_folder_with_a_file_missing_is_built_again(self, tmp_path, missing):
        folder = mini_1_folder(tmp_path)
        (folder / missing).unlink()

        assert mini_1_folder(tmp_path) == folder
        assert (folder / missing).exists()
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    @pytest.mark.parametrize(("name", "text"), [("weights", "whol"), (SIDECAR_NAME, "{")])
    def test_a_folder_with_a_file_cut_short_is_built_again(self, tmp_path, name, text):
        folder = mini_1_folder(tmp_path)
        (folder / name).write_text(text)

        assert mini_1_folder(tmp_path) == folder
        assert (folder / "weights").read_text() == "whole"
        assert read_sidecar(folder).id == MINI_1_ID

    def test_a_folder_of_another_temperature_is_built_again(self, tmp_path, monkeypatch):
        folder = mini_1_folder(tmp_path)
        monkeypatch.setattr(mini_module, "MINI_1_TEMPERATURE", 0.5)

        mini_1_folder(tmp_path)

        assert read_sidecar(folder).temperature == 0.5

    def test_what_a_killed_build_left_is_removed_later(self, tmp_path):
        models = tmp_path / "models"
        old, new = models / ".unfinished-old", models / ".unfinished-new"
        for leftover in (old, new):
            (leftover / "mini-1").mkdir(parents=True)
        os.utime(old, (0, 0))

        folder = mini_1_folder(tmp_path)

        # The newer one may belong to a process that is still building.
        assert {path.name for path in models.iterdir()} == {folder.name, new.name}

    def test_of_two_builds_the_first_to_finish_wins(self, tmp_path, monkeypatch):
        def overtaken(folder: Path) -> None:
            fake_build(folder)
            monkeypatch.setattr(mini_module, "build_mini_1", fake_build)
            winner = mini_1_folder(tmp_path)
            (winner / "by").write_text("the other")

        monkeypatch.setattr(mini_module, "build_mini_1", overtaken)

        folder = mini_1_folder(tmp_path)

        assert (folder / "by").read_text() == "the other"
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]


BUILD = """
import os, sys
from pathlib import Path
import hiersearch.encoder.mini.first_generation as mini
if "killed" in sys.argv:
    mini.write_sidecar = lambda *arguments: os.kill(os.getpid(), 9)
print(mini.mini_1_folder(Path(sys.argv[1])))
"""


def start_build(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(cache), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_processes_build_at_once_in_spite_of_a_kill(tmp_path, plain):
    killed = start_build(tmp_path, "killed")
    builds = [start_build(tmp_path) for _ in range(2)]
    killed.communicate()
    outputs = [build.communicate() for build in builds]

    assert killed.returncode == -signal.SIGKILL
    assert [build.returncode for build in builds] == [0, 0]
    folder = tmp_path / "models" / "mini-1"
    assert outputs == [(f"{folder}\n", "")] * 2  # and nothing on stderr
    assert len(list(folder.parent.glob(".unfinished-*"))) == 1  # the killed one's
    built = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(built.encode("a cat"), plain.encode("a cat"), atol=1e-6)
