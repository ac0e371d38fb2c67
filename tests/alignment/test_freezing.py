from __future__ import annotations

import copy

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from transformers import CLIPConfig, CLIPModel

from hiersearch.alignment.freezing import (
    Trained,
    reset_weights,
    suitable_learning_rate,
    text_tower,
    train_last_layers,
)
from hiersearch.errors import UsageError


def trained_names(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_the_whole_tower(tiny):
    found = train_last_layers(tiny, None)

    assert trained_names(tiny) == {name for name, _ in tiny.named_parameters()}
    lookups = 31 * 32 + 32 * 32 + 2 * 32  # words, places, segments
    assert found.weights == sum(p.numel() for p in tiny.parameters()) - lookups
    assert (found.layers, found.of) == (2, 2)


def test_the_last_layer(tiny):
    found = train_last_layers(tiny, 1)

    names = trained_names(tiny)
    assert names
    assert all(".layer.1." in name for name in names)
    assert found == Trained(weights=sum(p.numel() for p in tiny.parameters() if p.requires_grad),
                            layers=1, of=2)  # fmt: skip


def test_nothing_at_all(tiny):
    found = train_last_layers(tiny, 0)

    assert not trained_names(tiny)
    assert found == Trained(weights=0, layers=0, of=2)


def test_more_layers_than_there_are(tiny):
    with pytest.raises(UsageError, match="2 layers, not 3"):
        train_last_layers(tiny, 3)


def test_of_a_router_the_text_route_alone(mini):
    model = copy.deepcopy(mini.model)

    found = train_last_layers(model, 2)

    names = trained_names(model)
    assert names
    assert all(".text." in name for name in names)
    assert all(".layer.4." in name or ".layer.5." in name or "pooler" in name for name in names)
    assert (found.layers, found.of) == (2, 6)


class Dual(torch.nn.Module):
    """As sentence-transformers holds a model of transformers."""

    def __init__(self, model):
        super().__init__()
        self.model = model


def test_of_clip_the_text_half_with_its_projection():
    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=small | {"num_hidden_layers": 3, "vocab_size": 40},
        vision_config=small | {"num_hidden_layers": 5, "image_size": 8, "patch_size": 4},
        projection_dim=8,
    )
    model = torch.nn.Sequential(Dual(CLIPModel(config)))

    found = train_last_layers(model, 1)

    names = trained_names(model)
    assert found.of == 3
    assert "0.model.text_projection.weight" in names
    assert "0.model.text_model.final_layer_norm.weight" in names
    assert not any("vision" in name or "visual" in name for name in names)
    layers = {name.split(".layers.")[1][0] for name in names if ".layers." in name}
    assert layers == {"2"}


def test_random_weights(make_tiny):
    model, before = make_tiny(), make_tiny()
    torch.manual_seed(0)
    reset_weights(model)
    again = make_tiny()
    torch.manual_seed(0)
    reset_weights(again)

    pairs = zip(model.state_dict().items(), before.state_dict().values(), strict=True)
    changed = [name for (name, value), old in pairs if not torch.equal(value, old)]
    assert any("attention" in name for name in changed)
    assert any("word_embeddings" in name for name in changed)
    for one, other in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("weights", "rate"),
    [(1000, 1e-4), (3_700_000, 1e-4), (10_600_000, 2e-5), (10**12, 1e-7), (0, 1e-4)],
)
def test_a_rate_for_a_size(weights, rate):
    assert suitable_learning_rate(weights) == pytest.approx(rate, rel=0.05)


def test_a_text_encoder_is_its_own_tower(tiny):
    assert text_tower(tiny) == list(tiny.children())
    assert isinstance(tiny, SentenceTransformer)
    assert isinstance(text_tower(tiny)[0], Transformer)
