from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.alignment.batches import HierarchyCollator, embed_texts, empty_text, length_groups

COLUMNS = [
    ["animal", "animal", "plant", ""],
    ["a goat", "a cat near the old house", "a rose", "animal"],
    ["a small goat", "animal", "", "a cat"],
]


def features(model, columns):
    return [dict(model.preprocess(column, prompt=None, task=None)) for column in columns]


def encoded(model, texts):
    return model.encode(texts, convert_to_tensor=True, normalize_embeddings=True)


def counting(model):
    """The model's forward passes, as numbers of texts and tokens."""
    passes: list[tuple[int, ...]] = []

    def note(module, inputs):
        passes.append(tuple(inputs[0]["input_ids"].shape))

    model.register_forward_pre_hook(note)
    return passes


def check(found, model, columns):
    for number, column in enumerate(columns):
        torch.testing.assert_close(
            found.columns[:, number].detach(), encoded(model, column), atol=1e-5, rtol=1e-5
        )
    torch.testing.assert_close(found.empty.detach(), encoded(model, [""])[0], atol=1e-5, rtol=1e-5)


def test_each_text_has_its_vector(tiny):
    found = embed_texts(tiny, features(tiny, COLUMNS), empty_text(tiny))
    check(found, tiny, COLUMNS)
    assert found.frozen is None


def test_each_distinct_text_is_computed_once(tiny):
    columns = features(tiny, COLUMNS)
    passes = counting(tiny)
    embed_texts(tiny, columns, empty_text(tiny))
    assert sum(texts for texts, _ in passes) == len({"", *itertools.chain(*COLUMNS)})


def test_columns_with_a_task_are_computed_together(tiny):
    """As the stock collator makes them where `router_mapping` names them."""
    columns = [one | {"task": "text"} for one in features(tiny, COLUMNS)]
    passes = counting(tiny)
    embed_texts(tiny, columns, empty_text(tiny))
    assert sum(texts for texts, _ in passes) == len({"", *itertools.chain(*COLUMNS)})


def test_repeats_have_one_vector_to_the_bit(tiny):
    found = embed_texts(tiny, features(tiny, COLUMNS), empty_text(tiny))
    assert torch.equal(found.columns[0, 0], found.columns[3, 1])
    assert torch.equal(found.columns[3, 0], found.empty)


def test_long_texts_do_not_pad_short_ones(tiny):
    short, long = ["animal"] * 5, "the " * 25
    columns = [[f"a {word}" for word in ["cat", "dog", "goat", "rose", "car"]], [*short[1:], long]]
    # Many short ones, so that a pass of their own is worth it.
    columns += [
        [f"{a} {b}" for a in ["red", "old", "big", "small", "grey"]]
        for b in ["cat", "dog", "goat", "rose", "car", "tree", "sea", "house", "field"]
    ]
    given = features(tiny, columns)
    passes = counting(tiny)
    found = embed_texts(tiny, given, empty_text(tiny))
    assert sorted(tokens for _, tokens in passes) == [4, 27]
    check(found, tiny, columns)


def test_gradients_are_those_of_column_after_column(make_tiny):
    weights = torch.randn(4, 3, 32, generator=torch.Generator().manual_seed(0))
    gradients = []
    for merged in (True, False):
        model = make_tiny()
        columns = features(model, COLUMNS)
        if not merged:
            columns[1]["another"] = 1  # columns that differ in what they hold go one by one
        passes = counting(model)
        found = embed_texts(model, columns, empty_text(model))
        assert len(passes) == (1 if merged else 4)
        check(found, model, COLUMNS)
        ((found.columns * weights).sum() + found.empty.sum()).backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_collators_batch_gives_the_same(tiny):
    names = ["positive_1", "positive_2", "positive_3"]
    rows = [dict(zip(names, texts, strict=True)) for texts in zip(*COLUMNS, strict=True)]
    batch = HierarchyCollator(tiny)(rows)
    given = {key.removeprefix("texts_"): value for key, value in batch.items()}
    check(embed_texts(tiny, [given], {}), tiny, COLUMNS)


def test_vectors_are_of_length_one_and_single_precision(tiny):
    tiny.bfloat16()
    found = embed_texts(tiny, features(tiny, COLUMNS), empty_text(tiny))
    assert found.columns.dtype == torch.float32
    torch.testing.assert_close(found.columns.norm(dim=-1), torch.ones(4, 3))


def cost(groups, lengths, pass_cost):
    return sum(len(g) * max(lengths[i] for i in g) + pass_cost for g in groups)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(0, 30))
def test_groups_of_lengths_are_the_cheapest(lengths, pass_cost):
    groups = length_groups(lengths, pass_cost=pass_cost)

    assert sorted(itertools.chain(*groups)) == list(range(len(lengths)))
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    best = min(
        cost(
            [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])], lengths, pass_cost
        )
        for count in range(len(order))
        for cuts in itertools.combinations(range(1, len(order)), count)
    )
    assert cost(groups, lengths, pass_cost) == best


@pytest.mark.parametrize("pass_cost", [0, 5, 10**6])
def test_one_length_is_one_group(pass_cost):
    assert length_groups([4] * 6, pass_cost=pass_cost) == [list(range(6))]
