"""Small random models, saved by transformers, and photos for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
)

from hiersearch.encoder import HierarchicalEncoder

SIZE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
WORDS = ["<start>", "<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]


@pytest.fixture(scope="session")
def paths(demo_photos) -> list[Path]:
    return sorted(demo_photos.rglob("*.*"))[:7]


@pytest.fixture(scope="session")
def images(paths) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in paths]


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    """A small random CLIP."""
    folder = tmp_path_factory.mktemp("models") / "clip"
    config = CLIPConfig(
        text_config={
            **SIZE,
            "vocab_size": len(WORDS),
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
        },
        vision_config={**SIZE, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    _randomised(CLIPModel, config).save_pretrained(folder)
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    CLIPProcessor(image_processor, letters(77)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder) -> HierarchicalEncoder:
    return HierarchicalEncoder(clip_folder, device="cpu")


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory) -> Path:
    """A small random SigLIP, which fills every text up, and reads photos without cropping them."""
    folder = tmp_path_factory.mktemp("models") / "siglip"
    config = SiglipConfig(
        text_config={
            **SIZE,
            "vocab_size": len(WORDS),
            "max_position_embeddings": 64,
            "projection_size": 32,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
        },
        vision_config={**SIZE, "image_size": 32, "patch_size": 8},
    )
    _randomised(SiglipModel, config).save_pretrained(folder)
    image_processor = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    SiglipProcessor(image_processor, letters(64)).save_pretrained(folder)
    return folder


def letters(length: int) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are bytes."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<end>",
        model_max_length=length,
    )


def _randomised(kind, config):
    torch.manual_seed(0)
    model = kind(config)
    for parameter in model.parameters():  # untrained ones hardly depend on what they are given
        torch.nn.init.normal_(parameter, std=0.3)
    return model
