"""The image side in training, against the stock modules."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from hiersearch.alignment.pairs.eye import (
    SHIFT,
    CutTower,
    Head,
    class_vectors,
    depthwise,
    fold,
    grow_head,
)
from hiersearch.errors import UsageError

WIDTH = 320


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def tower_of(model):
    return next(iter(model.children())).sub_modules["image"][0].model


def maps_before(tower, pixels, blocks):
    hidden = tower.embeddings(pixels)
    every = list(tower.encoder.blocks)
    for block in every[: len(every) - blocks]:
        hidden = block(hidden)
    return hidden


@torch.no_grad()
def test_folding_changes_nothing(dual, pixels):
    tower = tower_of(dual)
    expected = tower(pixels).pooler_output

    fold(tower)

    torch.testing.assert_close(tower(pixels).pooler_output, expected, atol=1e-4, rtol=1e-4)
    norm = tower.encoder.top_bn
    assert norm.weight.eq(1).all()
    assert norm.running_mean.eq(0).all()


@pytest.mark.parametrize("blocks", [1, 4, 7])
@torch.no_grad()
def test_the_cut_tower_computes_what_the_stock_one_does(dual, pixels, blocks):
    stock = tower_of(copy.deepcopy(dual))
    cut = CutTower(dual, blocks=blocks)

    found = cut.pooled(maps_before(stock, pixels, blocks))

    torch.testing.assert_close(found, stock(pixels).pooler_output, atol=1e-4, rtol=1e-4)


def test_only_the_last_blocks_are_trained(dual):
    CutTower(dual, blocks=2)
    trained = {name for name, value in tower_of(dual).named_parameters() if value.requires_grad}

    count = len(tower_of(dual).encoder.blocks)
    allowed = (f"encoder.blocks.{count - 2}.", f"encoder.blocks.{count - 1}.", "encoder.top_")
    assert trained
    assert all(name.startswith(allowed) for name in trained)
    assert not any("depthwise_conv.weight" in name for name in trained)
    assert not any("squeeze" in name for name in trained)


def test_gradients_are_those_of_the_stock_tower(dual, pixels):
    stock_model = copy.deepcopy(dual)
    fold(tower_of(stock_model))
    stock = tower_of(stock_model).eval()
    cut = CutTower(dual, blocks=6)
    maps = maps_before(stock, pixels, 6).detach()

    cut.pooled(maps).square().sum().backward()
    hidden = maps
    for block in list(stock.encoder.blocks)[-6:]:
        hidden = block(hidden)
    top = stock.encoder.top_activation(stock.encoder.top_bn(stock.encoder.top_conv(hidden)))
    top.mean(dim=(2, 3)).square().sum().backward()

    expected = dict(stock.named_parameters())
    compared = 0
    for name, value in tower_of(dual).named_parameters():
        if value.requires_grad:
            torch.testing.assert_close(
                value.grad, expected[name].grad, atol=1e-4, rtol=1e-3, msg=name
            )
            compared += 1
    assert compared > 10


@pytest.mark.parametrize(("size", "stride", "before"), [(3, 1, 0), (5, 1, 0), (3, 2, 0), (5, 2, 1)])
def test_the_gradient_of_a_depthwise_convolution(size, stride, before):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 4, 8, 8, generator=generator, dtype=torch.double, requires_grad=True)
    weight = torch.randn(4, 1, size, size, generator=generator, dtype=torch.double)

    assert torch.autograd.gradcheck(lambda x: depthwise(x, weight, stride, before), (maps,))


def test_gates_are_refused(dual):
    tower_of(dual).encoder.blocks[0].squeeze_excite.expand.bias.data.zero_()

    with pytest.raises(UsageError, match="gates"):
        CutTower(dual, blocks=1)


def test_more_blocks_than_there_are(dual):
    with pytest.raises(UsageError, match="not 99"):
        CutTower(dual, blocks=99)


def test_a_model_of_texts_has_no_eye(tiny):
    with pytest.raises(UsageError, match="no EfficientNet"):
        CutTower(tiny, blocks=1)


class TestHead:
    @pytest.fixture
    def features(self) -> torch.Tensor:
        return torch.rand(6, WIDTH, generator=torch.Generator().manual_seed(2))

    def head(self, dual, features, kept):
        layers = CutTower(dual, blocks=0).layers
        return Head(*layers, kept=kept, mean=features.mean(0), deviation=features.std(0)).eval()

    def stock(self, dual, features):
        route = next(iter(dual.children())).sub_modules["image"]
        hidden = {"sentence_embedding": features}
        for layer in (route[1], route[2]):
            hidden = layer(hidden)
        return functional.normalize(hidden["sentence_embedding"], dim=-1)

    @torch.no_grad()
    def test_a_new_head_keeps_the_classes(self, dual, features):
        old = self.stock(dual, features)

        assert grow_head(dual, 16, keep=True) == 5
        head = self.head(dual, features, 5)
        head.read.zero_()
        head.write()

        torch.testing.assert_close(
            self.stock(dual, features),
            functional.normalize(old_reading(head, features), dim=-1),
            atol=1e-4,
            rtol=1e-4,
        )
        assert functional.cosine_similarity(self.stock(dual, features), old).min() < 1

    @torch.no_grad()
    def test_it_computes_what_the_stock_layers_do(self, dual, features):
        torch.manual_seed(0)
        grow_head(dual, 16, keep=True)
        head = self.head(dual, features, 5)

        seen = head(features)

        torch.testing.assert_close(
            functional.normalize(seen.vectors, dim=-1),
            self.stock(dual, features),
            atol=1e-5,
            rtol=1e-4,
        )
        assert seen.logits.shape == (6, 5)

    @torch.no_grad()
    def test_what_is_learned_is_written_back(self, dual, features):
        torch.manual_seed(0)
        grow_head(dual, 16, keep=True)
        head = self.head(dual, features, 5)
        for value in head.parameters():
            value.add_(0.1 * torch.randn(value.shape))
        head.read_classes_as(torch.randn(5, head.read.shape[0]))
        expected = functional.normalize(head(features).vectors, dim=-1)

        head.write()

        torch.testing.assert_close(self.stock(dual, features), expected, atol=1e-4, rtol=1e-3)

    def test_without_classes_there_is_nothing_to_balance(self, dual, features):
        assert grow_head(dual, 16, keep=False) == 0
        seen = self.head(dual, features, 0)(features)

        assert seen.outweighs is None
        assert seen.logits is None

    def test_a_head_without_classes_cannot_keep_any(self, dual):
        route = next(iter(dual.children())).sub_modules["image"]
        route[1].activation_function = torch.nn.GELU()

        with pytest.raises(UsageError, match="through classes"):
            grow_head(dual, 16, keep=True)

    def test_heads_of_other_units_are_refused(self, dual, features):
        route = next(iter(dual.children())).sub_modules["image"]

        with pytest.raises(UsageError, match="5 units, fewer than 9 classes"):
            self.head(dual, features, 9)
        route[1].activation_function = torch.nn.GELU()
        with pytest.raises(UsageError, match="other units"):
            self.head(dual, features, 0)


def old_reading(head, features):
    """The classes alone, by their definition."""
    return sum(
        torch.exp(features @ weight + bias)[:, None] * read
        for weight, bias, read in zip(
            head.class_weight, head.class_bias, head.class_read.T, strict=True
        )
    )


def test_what_sets_classes_apart():
    found = class_vectors(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))

    assert found.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert SHIFT > 15  # where a sigmoid is an exponential to 1e-6
