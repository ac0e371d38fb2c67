from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import StoreError
from hiersearch.trees import (
    CHAIN,
    CONCEPTS,
    LIKELY,
    MASSES,
    Chain,
    Link,
    Tree,
    heaviest_path,
    trim,
)

WORDS = Vocabulary(
    [
        Concept("tomato", "tomato", ("vegetable", "fruit")),
        Concept("fruit", "fruit", ("food",)),
        Concept("vegetable", "vegetable", ("food",)),
        Concept("food", "food"),
    ],
    "words",
)
MASS_OF = {"a": 1, "b": 0.9, "c": 0.8, "d": 0.7, "e": 0.6, "f": 0.5}
LONG = Chain(tuple(map(Link, MASS_OF, MASS_OF.values())))


def test_a_chain_has_its_links_in_order():
    assert len(LONG) == 6
    assert [link.concept for link in LONG] == list(LONG.concepts) == list("abcdef")
    assert not Chain()


def test_the_payload_has_all_ancestors_and_rounded_masses():
    chain = Chain((Link("food", 0.912345), Link("fruit", 0.8), Link("tomato", 0.33333)))
    assert chain.payload(WORDS) == {
        CHAIN: ["food", "fruit", "tomato"],
        MASSES: [0.9123, 0.8, 0.3333],
        CONCEPTS: ["food", "fruit", "tomato", "vegetable"],
    }
    assert Chain((Link("fruit"),)).payload(WORDS) == {
        CHAIN: ["fruit"],
        MASSES: [],
        CONCEPTS: ["food", "fruit"],
    }
    assert Chain().payload(WORDS) == {CHAIN: [], MASSES: [], CONCEPTS: []}


@given(st.lists(st.sampled_from([c.id for c in WORDS]), max_size=4), st.booleans(), st.data())
def test_a_payload_gives_the_chain_back(ids, has_masses, data):
    share = st.floats(0, 1).map(lambda mass: round(mass, 4))
    chain = Chain(tuple(Link(one, data.draw(share) if has_masses else None) for one in ids))
    assert Chain.from_payload(chain.payload(WORDS)) == chain


def test_payloads_without_a_whole_chain():
    assert Chain.from_payload({CHAIN: ["food"]}) == Chain((Link("food"),))
    with pytest.raises(StoreError) as caught:
        Chain.from_payload({"path": []})
    assert caught.value.message == "a point has no chain of concepts"
    assert caught.value.hint == "Label it again"
    with pytest.raises(StoreError, match="2 concepts and 1 masses"):
        Chain.from_payload({CHAIN: ["food", "fruit"], MASSES: [0.5]})


@pytest.mark.parametrize(
    ("levels", "familiarity", "kept"),
    [
        (9, None, "abcdef"),
        (1, None, "f"),
        (4, [0, 1, 9, 2, 8, 0], "acef"),
        (3, [0, 1, None, 2, 8, 0], "acf"),  # not known of all: evenly spaced
        (3, None, "acf"),
    ],
)
def test_trimmed(levels, familiarity, kept):
    trimmed = LONG.trimmed(levels, familiarity)
    assert "".join(trimmed.concepts) == kept
    assert set(trimmed) <= set(LONG)


@pytest.mark.parametrize(
    ("length", "levels", "familiarity", "kept"),
    [
        (0, 4, None, ()),
        (3, 4, None, (0, 1, 2)),
        (4, 4, None, (0, 1, 2, 3)),
        (6, 1, None, (5,)),
        (6, 2, None, (0, 5)),
        (7, 4, None, (0, 2, 4, 6)),
        (9, 3, None, (0, 4, 8)),
        (6, 4, [0, 1, 9, 2, 8, 0], (0, 2, 4, 5)),
        (6, 4, [0, 5, 5, 5, 5, 0], (0, 1, 2, 5)),
        (5, 1, [9, 9, 9, 9, 0], (4,)),
        (5, 2, [0, 9, 9, 9, 0], (0, 4)),
    ],
)
def test_trim(length, levels, familiarity, kept):
    assert trim(length, levels, familiarity) == kept


@given(st.integers(0, 60), st.integers(1, 20), st.booleans(), st.integers(0, 2**31))
def test_trim_keeps_both_ends_and_the_order(length, levels, known, seed):
    familiarity = np.random.default_rng(seed).normal(size=length).tolist() if known else None
    kept = trim(length, levels, familiarity)
    assert len(kept) == min(length, levels)
    assert list(kept) == sorted(set(kept))
    if length:
        assert kept[-1] == length - 1
    if length and levels > 1:
        assert kept[0] == 0


def test_no_level_at_all_is_refused():
    with pytest.raises(ValueError, match="levels"):
        trim(3, 0)


TREE = Tree(
    Chain((Link("food", 0.9), Link("fruit", 0.8))),
    sure=(Link("food", 0.9), Link("fruit", 0.8), Link("vegetable", 0.7), Link("tomato", 0.6)),
    likely=(Link("stone", 0.3),),
)


def test_the_payload_of_a_tree_has_what_is_sure_and_what_is_likely():
    assert TREE.payload(WORDS) == {
        CHAIN: ["food", "fruit"],
        MASSES: [0.9, 0.8],
        CONCEPTS: ["food", "fruit", "tomato", "vegetable"],
        LIKELY: ["stone"],
    }
    assert Chain.from_payload(TREE.payload(WORDS)) == TREE.chain


def test_branches_run_from_roots_to_ends_the_main_one_first():
    words = Vocabulary([*WORDS, Concept("stone", "stone")], "more")
    shown = (*TREE.sure, Link("stone", 0.65))
    branches = Tree(TREE.chain, shown, ()).branches(words)
    assert [branch.concepts for branch in branches] == [
        ("food", "fruit"),
        ("food", "fruit", "tomato"),
        ("stone",),
    ]
    assert Tree(Chain(), (), ()).branches(words) == ()


@pytest.mark.parametrize(
    ("fruit", "vegetable", "parent"),
    [(0.9, 0.6, "fruit"), (0.6, 0.9, "vegetable"), (None, 0.9, "vegetable"), (0.9, None, "fruit")],
)
def test_a_branch_goes_by_the_more_probable_parent(fruit, vegetable, parent):
    shown = (Link("food", 0.95), Link("fruit", fruit), Link("vegetable", vegetable))
    (branch,) = Tree(Chain(), (*shown, Link("tomato", 0.55)), ()).branches(WORDS)
    assert branch.concepts == ("food", parent, "tomato")


@pytest.mark.parametrize(
    ("masses", "path"),
    [
        ([0.5, 0.9, 0.6, 1], (3, 1, 0)),
        ([0.5, 0.6, 0.9, 1], (3, 2, 0)),
        ([0.5, 0.7, 0.7, 1], (3, 1, 0)),
    ],
)
def test_the_path_to_a_concept_goes_by_the_heavier_parent(masses, path):
    assert heaviest_path(WORDS.parent_positions, 0, masses) == path


def test_a_root_is_its_own_path():
    assert heaviest_path(WORDS.parent_positions, 3, [0, 0, 0, 0]) == (3,)
