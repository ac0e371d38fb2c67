from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Pooling,
    Router,
    Transformer,
)
from torch import nn
from transformers import EfficientNetConfig, EfficientNetImageProcessorPil, EfficientNetModel

from tests.encoder.conftest import clip_folder  # noqa: F401 - a small CLIP

WIDTH = 320
CLASSES = 5
COLOURS = {"red": (220, 30, 30), "grey": (120, 120, 120), "green": (30, 200, 40)}


@pytest.fixture(scope="session")
def eye_folder(tmp_path_factory) -> Path:
    """A small EfficientNet without gates, of random weights, whose batch norms do something."""
    folder = tmp_path_factory.mktemp("models") / "eye"
    torch.manual_seed(0)
    config = EfficientNetConfig(
        image_size=64,
        width_coefficient=0.25,
        depth_coefficient=0.5,
        depth_divisor=8,
        hidden_dim=WIDTH,
        hidden_act="relu6",
        squeeze_expansion_ratio=0.0,
        depthwise_padding=[],
        batch_norm_eps=1e-3,
        drop_connect_rate=0.0,
        dropout_rate=0.0,
    )
    model = EfficientNetModel(config).eval()
    for name, value in model.state_dict().items():
        if ".squeeze_excite." in name:
            value.fill_(40.0 if name.endswith("expand.bias") else 0.0)
        elif value.ndim == 4:  # those of a new model are too small to pass on what they are given
            nn.init.kaiming_normal_(value)
        elif value.is_floating_point() and value.ndim == 1 and "running" not in name:
            value.normal_(1.0 if name.endswith("weight") else 0.2, 0.2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    colours = 3 * torch.rand(64, 3, 1, 1) - 1.5
    with torch.no_grad():  # the norms learn what is usual, so that photos of other colours differ
        model.train()(colours + 0.1 * torch.randn(64, 3, 64, 64))
    model.eval()
    model.save_pretrained(folder)
    EfficientNetImageProcessorPil(
        include_top=False,
        size={"shortest_edge": 72},
        crop_size={"height": 64, "width": 64},
        do_center_crop=True,
        do_rescale=False,
        image_mean=[127.0] * 3,
        image_std=[128.0] * 3,
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def dual(tiny_folder, eye_folder) -> SentenceTransformer:
    """A dual encoder that reads photos through five classes, as `mini` does through a thousand."""
    words = Transformer(str(tiny_folder))
    words.model.pooler = None
    dim = words.get_embedding_dimension()
    eye = Transformer(
        str(eye_folder),
        modality_config={"image": {"method": "forward", "method_output_name": "pooler_output"}},
        module_output_name="sentence_embedding",
        processor_kwargs={"backend": "pil"},
    )
    torch.manual_seed(1)
    head = [
        Dense(
            WIDTH,
            CLASSES,
            activation_function=nn.Sigmoid(),
            init_weight=torch.randn(CLASSES, WIDTH) * 0.1,
            init_bias=torch.full((CLASSES,), -20.0),
        ),
        Dense(
            CLASSES,
            dim,
            bias=False,
            activation_function=None,
            init_weight=torch.randn(dim, CLASSES),
        ),
    ]
    for dense in head:
        dense.module_input_name = dense.module_output_name = "sentence_embedding"
    router = Router(
        {"text": [words, Pooling(dim, pooling_mode="mean")], "image": [eye, *head]},
        default_route="text",
    )
    return SentenceTransformer(modules=[router, Normalize()], device="cpu")


@pytest.fixture
def dual_folder(dual, tmp_path) -> Path:
    dual.save(str(tmp_path / "dual"), create_model_card=False)
    return tmp_path / "dual"


@pytest.fixture
def captioned(tmp_path) -> tuple[Path, Path]:
    """A file of 60 captioned photos, each of one colour, and their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = []
    for number in range(60):
        colour = list(COLOURS)[number % 3]
        noise = generator.normal(0, 10, (80, 100, 3))
        pixels = (np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append((f"{number}.png", f"a {colour} {['cat', 'dog', 'goat'][number % 3]}"))
    path = tmp_path / "captioned.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "caption"), *rows])
    return path, folder
