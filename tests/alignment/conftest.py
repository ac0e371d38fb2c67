from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

TEXT = """a an of on the animal bird cat dog goat grey portrait plant tree red rose vehicle car
small big house old runs sits near field sea"""
WORDS = TEXT.split()
ANIMALS = ["bird", "cat", "dog", "goat"]
PLACES = ["on the sea", "near a house", "of a tree", "on a field"]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A small random BERT, saved by transformers."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    vocabulary = {
        word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])
    }
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    for name, parameter in model.named_parameters():  # untrained ones hardly depend on their input
        if "LayerNorm" not in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def make_tiny(tiny_folder) -> Callable[[], SentenceTransformer]:
    """Makes a text encoder of random weights, the same each time."""

    def make() -> SentenceTransformer:
        transformer = Transformer(str(tiny_folder))
        transformer.model.pooler = None  # not asked for, and so without gradients
        pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
        return SentenceTransformer(modules=[transformer, pooling], device="cpu")

    return make


@pytest.fixture
def tiny(make_tiny) -> SentenceTransformer:
    return make_tiny()


@pytest.fixture
def data(tmp_path):
    """A file of hierarchies."""
    lines = ["positive,negative"]
    for animal in ANIMALS:
        for place in PLACES:
            for colour in ("grey", "red", "big"):
                text = f"a {colour} {animal} runs {place}"
                lines.append(
                    f"animal => {animal} => a {colour} {animal} => {text},"
                    f"vehicle => car => an old {animal} => a small {animal} sits {place}"
                )
    path = tmp_path / "hierarchies.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def model(make_tiny, tmp_path):
    folder = tmp_path / "tiny"
    make_tiny().save(str(folder))
    return folder


@pytest.fixture
def settings(data, model):
    return {
        "data": str(data),
        "model": str(model),
        "learning_rate": 1e-3,
        "batch_size": 8,
        "steps": 12,
        "validate_every": 4,
        "validation": 0.2,
        "seed": 5,
    }
