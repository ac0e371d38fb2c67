from __future__ import annotations

import pytest
import torch

from hiersearch.alignment.losses.roots import FixedRoot, LearnedRoot, RootParameter, make_root
from hiersearch.errors import UsageError

TEXTS = ["animal", "a goat", "a small goat"]


def encoded(model, texts):
    return model.encode(texts, convert_to_tensor=True, normalize_embeddings=True)


def test_learned(tiny):
    empty = torch.randn(32, requires_grad=True)
    root = make_root("learned", tiny)
    assert isinstance(root, LearnedRoot)
    assert root(empty) is empty


def test_first_stays_when_the_model_moves(tiny):
    before = encoded(tiny, [""])[0]
    root = make_root("first", tiny)
    with torch.no_grad():
        for parameter in tiny.parameters():
            parameter.mul_(0.5)
    assert torch.equal(root(encoded(tiny, [""])[0]), before)
    assert not list(root.parameters())


def test_mean_is_of_no_fixed_length(tiny):
    root = make_root("mean", tiny, texts=TEXTS)
    torch.testing.assert_close(root(torch.empty(32)), encoded(tiny, TEXTS).mean(dim=0))


def test_origin(tiny):
    assert torch.equal(make_root("origin", tiny)(torch.empty(32)), torch.zeros(32))


def test_any_vector(tiny):
    vector = torch.randn(32, dtype=torch.float64) * 3
    found = make_root(vector, tiny)(torch.empty(32))
    torch.testing.assert_close(found, vector.float())


def test_a_parameter_is_learned_alone(tiny):
    root = make_root("parameter", tiny)
    assert isinstance(root, RootParameter)
    (parameter,) = root.parameters()
    torch.testing.assert_close(parameter.detach(), encoded(tiny, [""])[0])
    empty = torch.randn(32, requires_grad=True)
    root(empty).sum().backward()
    assert empty.grad is None
    assert parameter.grad is not None


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_its_mode(tiny, training):
    tiny.train(training)
    make_root("first", tiny)
    assert tiny.training is training


def test_what_cannot_be_a_root(tiny):
    with pytest.raises(UsageError, match="called 'centre'"):
        make_root("centre", tiny)
    with pytest.raises(UsageError, match="no texts"):
        make_root("mean", tiny)
    with pytest.raises(UsageError, match="dimension 3"):
        make_root(torch.ones(3), tiny)
    for vector in (torch.ones(2, 32), torch.tensor(1.0), torch.full((32,), torch.nan)):
        with pytest.raises(UsageError, match="one vector"):
            FixedRoot(vector)
