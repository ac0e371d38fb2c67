from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sentence_transformers import SentenceTransformer
from transformers import EfficientNetConfig, EfficientNetImageProcessorPil, EfficientNetModel

from hiersearch.encoder.fusing import fuse_photos, fuse_tower, prepare, trace_tower
from hiersearch.encoder.mini.first_generation import TEXT_WEIGHTS, image_processor

PROCESSOR = image_processor()


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700))
def test_photos_are_prepared_as_by_the_processor(width, height):
    if max(width, height) > 20 * min(width, height):
        width = height
    photo = picture(width, height)
    expected = PROCESSOR(images=[photo], return_tensors="pt")["pixel_values"]

    assert torch.equal(prepare(PROCESSOR, [photo]), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_rescale": True},
        {"include_top": True},
        {"do_center_crop": False, "size": {"height": 40, "width": 40}},
        {"size": {"shortest_edge": 40}, "crop_size": {"height": 50, "width": 50}},
        {"do_normalize": False},
    ],
)
def test_other_settings_are_left_to_the_processor(settings):
    processor = EfficientNetImageProcessorPil(**{**image_processor().to_dict(), **settings})
    photos = [picture(90, 60), picture(60, 90)]
    expected = processor(images=photos, return_tensors="pt")["pixel_values"]

    assert torch.equal(prepare(processor, photos), torch.as_tensor(expected))


@pytest.fixture(scope="module")
def gated() -> EfficientNetModel:
    """A small EfficientNet whose gates and batch normalisations do something."""
    torch.manual_seed(0)
    config = EfficientNetConfig(image_size=64, width_coefficient=0.25, hidden_dim=320)
    model = EfficientNetModel(config).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 1.5)
    return model


@torch.inference_mode()
def test_gates_that_close_are_kept(gated):
    pixels = torch.randn(2, 3, 64, 64)
    expected = gated(pixels).pooler_output

    found = fuse_tower(gated)(pixels).pooler_output

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_the_stock_model_is_left_as_it_is(mini, demo_photos):
    model = mini.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    photos = [Image.open(path).convert("RGB") for path in sorted(demo_photos.rglob("*.*"))[:3]]

    fused = fuse_photos(model)
    assert fused is not None
    found = fused(photos)

    np.testing.assert_allclose(found, model.encode(photos), atol=1e-6)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_normalisations_are_folded_away(mini):
    tower = next(m for m in mini.model.modules() if isinstance(m, EfficientNetModel))

    fused = fuse_tower(tower)

    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())


@pytest.mark.parametrize("count", [1, 3, 4])
@torch.inference_mode()
def test_a_traced_tower_gives_the_same_to_the_bit(mini, count):
    tower = fuse_tower(next(m for m in mini.model.modules() if isinstance(m, EfficientNetModel)))
    pixels = torch.randn(count, 3, 224, 224).to(memory_format=torch.channels_last)

    traced = trace_tower(tower)

    for _ in range(3):  # torch may change what it runs after the first times
        assert torch.equal(traced(pixels), tower(pixels).pooler_output)


def test_tracing_starts_after_many_photos_and_changes_nothing(mini, demo_photos, monkeypatch):
    monkeypatch.setattr("hiersearch.encoder.fusing.MANY", 3)
    photo = Image.open(next(iter(sorted(demo_photos.rglob("*.*"))))).convert("RGB")
    traced = []
    monkeypatch.setattr(
        "hiersearch.encoder.fusing.trace_tower",
        lambda tower: traced.append(tower) or trace_tower(tower),
    )
    fused = fuse_photos(mini.model)
    assert fused is not None

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fused, [[photo]] * 12))

    assert len(traced) == 1
    for vectors in found:
        np.testing.assert_array_equal(vectors, found[0])


def test_models_without_such_a_route_are_passed_over():
    model = SentenceTransformer(str(TEXT_WEIGHTS.locate().parent), device="cpu")

    assert fuse_photos(model) is None


def test_half_precision_is_passed_over(mini):
    model = copy.deepcopy(mini.model)
    next(m for m in model.modules() if isinstance(m, EfficientNetModel)).half()
    assert fuse_photos(model) is None
