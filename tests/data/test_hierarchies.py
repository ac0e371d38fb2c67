from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.data.hierarchies import Hierarchy, split, split_hierarchies, text_key
from hiersearch.errors import UsageError


def test_triples_take_the_negative_of_the_parents_tier():
    hierarchy = Hierarchy(("animal", "goat", "a goat"), ("portrait", "frog", "a frog"))
    assert hierarchy.triples == (("animal", "goat", "portrait"), ("goat", "a goat", "frog"))
    assert Hierarchy(("animal", "goat")).triples == ()


@pytest.mark.parametrize(("positive", "negative"), [(("a",), ()), (("a", "b"), ("c",))])
def test_no_hierarchy(positive, negative):
    with pytest.raises(ValueError, match="a hierarchy has"):
        Hierarchy(positive, negative)


@pytest.mark.parametrize("other", ["Red  CAFÉ", " red café\n", "red cafe\u0301"])
def test_keys_disregard_case_spacing_and_unicode_forms(other):
    assert text_key(other) == text_key("red café")
    assert text_key("red cafe") != text_key("red café")


@given(st.text())
def test_a_key_is_its_own_key(text):
    assert text_key(text_key(text)) == text_key(text)


@given(
    st.lists(st.sampled_from("abcdefghij"), max_size=40),
    st.floats(0, 0.9),
    st.integers(0, 3),
)
def test_a_split_parts_by_key_and_loses_nothing(keys, share, seed):
    items = list(enumerate(keys))
    parts = split(items, key=lambda item: item[1], share=share, seed=seed)
    assert sorted((*parts.train, *parts.validation)) == items
    assert list(parts.train) == sorted(parts.train)
    held_out = {key for _, key in parts.validation}
    assert not held_out & {key for _, key in parts.train}
    distinct = len(set(keys))
    if share == 0 or distinct < 2:
        assert not held_out
    else:
        assert len(held_out) == min(distinct - 1, max(1, round(share * distinct)))
    # The sides hang on the seed, not on the order of the items.
    again = split(items[::-1], key=lambda item: item[1], share=share, seed=seed)
    assert {key for _, key in again.validation} == held_out


@pytest.mark.parametrize("share", [-0.1, 1, float("nan")])
def test_a_share_out_of_range(share):
    with pytest.raises(UsageError, match="validation share"):
        split_hierarchies([Hierarchy(("a", "b"))], share=share, seed=0)


def test_other_seeds_hold_out_other_hierarchies():
    hierarchies = [Hierarchy(("thing", f"thing {at}")) for at in range(100)]
    first, same, other = (
        split_hierarchies(hierarchies, share=0.2, seed=seed).validation for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other
    assert len(first) == len(other) == 20


def test_one_caption_under_two_hierarchies_stays_on_one_side():
    captions = [f"caption {at}" for at in range(50)]
    hierarchies = [Hierarchy((top, c)) for top in ("a", "b") for c in captions]
    hierarchies += [Hierarchy(("A", c.upper())) for c in captions]
    parts = split_hierarchies(hierarchies, share=0.3, seed=0)
    held_out = {text_key(h.positive[-1]) for h in parts.validation}
    assert len(parts.validation) == 3 * len(held_out) == 45
    assert held_out.isdisjoint(text_key(h.positive[-1]) for h in parts.train)
