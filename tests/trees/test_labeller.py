"""The labeller: chains, trees and main branches of vectors, over small vocabularies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.trees import (
    PERHAPS,
    SURE,
    Calibration,
    Chain,
    Curve,
    Labeller,
    Link,
    PhotoStatistics,
    Tally,
)
from hiersearch.trees.descent import BLOCK
from hiersearch.trees.labeller import FIRST_FROM, MAIN_FROM

WORDS = Vocabulary(
    [
        Concept("tomato", "tomato", ("vegetable", "fruit")),
        Concept("fruit", "fruit", ("food",)),
        Concept("vegetable", "vegetable", ("food",)),
        Concept("food", "food"),
    ],
    "words",
)


class Stored:
    """Stored concepts whose radial path is always the same."""

    class Hit:
        def __init__(self, concept):
            self.payload = {"concept": concept}

    def radial_path(self, _):
        return [self.Hit("food"), self.Hit("fruit")]


def test_without_a_calibration_chains_are_radial_paths():
    labeller = Labeller(WORDS, np.eye(4, dtype=np.float32), None, Stored())
    chains = labeller.chains(np.eye(4, dtype=np.float32)[:2])
    assert chains == [Chain((Link("food"), Link("fruit")))] * 2


def test_with_a_calibration_chains_come_from_the_descent():
    embeddings = np.eye(4, dtype=np.float32)
    calibration = Calibration(np.zeros(4, np.float32), temperature=0.02, text_temperature=5.0)
    labeller = Labeller(WORDS, embeddings, calibration, Stored())
    (photo,) = labeller.chains(embeddings[:1])
    assert photo.concepts[0] == "food"
    assert photo.concepts[-1] == "tomato"
    assert all(0.3 <= link.mass <= 1 for link in photo)
    (text,) = labeller.chains(embeddings[:1], texts=True)
    assert text == Chain()  # the temperature of texts is far too high here: nothing is sure


def labeller_of_people(vectors: np.ndarray, statistics: PhotoStatistics | None) -> Labeller:
    words = Vocabulary(
        [
            Concept("t", "thing"),
            Concept("p", "person"),
            Concept("m", "man", ("p",)),
            Concept("s", "surfboard", ("t",)),
        ],
        "people",
    )
    calibration = Calibration(np.zeros(vectors.shape[1], np.float32), 0.2, 0.2)
    return Labeller(words, vectors, calibration, statistics=statistics)


def test_a_photo_shows_several_things_and_its_people_come_first():
    vectors = np.eye(4, dtype=np.float32)
    # Whatever a photo's vector is, captions would say all of it but the man.
    learned = PhotoStatistics(
        id="made",
        mean=np.zeros(4, np.float32),
        covariance=np.eye(4, dtype=np.float32),
        curve=Curve(1.0, 1.0, 0.0),
        names=("thing", "person", "surfboard", "man"),
        weights=np.zeros((4, 4), np.float32),
        biases=np.array([4.0, 2.0, 3.0, -0.5], np.float32),
    )
    labeller = labeller_of_people(vectors, learned)
    photo = (vectors[0] + vectors[3])[None] / np.sqrt(2, dtype=np.float32)
    (tree,) = labeller.trees(photo)
    assert [link.concept for link in tree.sure] == ["t", "s", "p"]
    assert [link.concept for link in tree.likely] == ["m"]
    assert tree.chain.concepts == ("p",)
    assert tree.chain.links[0].mass == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-3)
    assert [branch.concepts for branch in tree.branches(labeller.vocabulary)] == [
        ("p",),
        ("t", "s"),
    ]
    assert labeller.memberships(photo).shape == (1, 4)
    assert labeller.memberships(photo[:0]).shape == (0, 4)


def test_without_statistics_photos_get_chains():
    vectors = np.eye(4, dtype=np.float32)
    labeller = labeller_of_people(vectors, None)
    assert labeller.trees(vectors) is None
    assert labeller.memberships(vectors) is None
    assert labeller.main_branches(vectors, [0.5]) is None
    payloads, tally = labeller.labels(vectors)
    assert payloads == [chain.payload(labeller.vocabulary) for chain in labeller.chains(vectors)]
    assert tally is None


def test_a_named_chain_ends_with_the_concept():
    embeddings = np.eye(5, dtype=np.float32)[1:]
    calibration = Calibration(np.eye(5, dtype=np.float32)[0] / 5, 0.1, 0.2)
    labeller = Labeller(WORDS, embeddings, calibration, concepts=None)
    by_fruit = labeller.named_chain(embeddings[1], [0])
    assert by_fruit == Chain((Link("food", 1.0), Link("fruit", 1.0), Link("tomato", 1.0)))
    by_vegetable = labeller.named_chain(embeddings[2], [0])
    assert by_vegetable.concepts == ("food", "vegetable", "tomato")
    # Of several concepts of one name, the one that is nearer to the text.
    assert labeller.named_chain(embeddings[1], [1, 2]).concepts == ("food", "fruit")
    assert labeller.named_chain(embeddings[2], [1, 2]).concepts == ("food", "vegetable")


def everyday(count: int = 4, seed: int = 0) -> tuple[Labeller, np.ndarray]:
    """A labeller of everyday words with made statistics, and vectors of some photos."""
    words = Vocabulary(
        [
            Concept("animal", "animal"),
            Concept("dog", "dog", ("animal",)),
            Concept("terrier", "terrier", ("dog",)),
            Concept("cat", "cat", ("animal",)),
            Concept("person", "person"),
            Concept("man", "man", ("person",)),
            Concept("surfer", "surfer", ("man", "sportsman")),
            Concept("sportsman", "sportsman", ("person",)),
            Concept("sea", "sea"),
        ],
        "everyday",
    )
    generator = np.random.default_rng(seed)
    dim = 12
    embeddings = generator.normal(size=(len(words), dim))
    for at, above in enumerate(words.parent_positions):
        embeddings[at] += sum(embeddings[parent] for parent in above)
    embeddings = unit(embeddings)
    learned = ("animal", "person", "sea", "dog")
    statistics = PhotoStatistics(
        id="made",
        mean=np.zeros(dim, np.float32),
        covariance=np.eye(dim, dtype=np.float32) / dim,
        curve=Curve(1.0, 1.0, 2.0),
        names=learned,
        weights=6 * embeddings[[words.position(name) for name in learned]],
        biases=np.array([-1, 0, -2, -2], np.float32),
    )
    calibration = Calibration(np.zeros(dim, np.float32), 0.15, 0.15)
    vectors = generator.normal(size=(count, dim))
    for row in vectors:
        row += 4 * embeddings[generator.integers(len(words), size=2)].sum(axis=0)
    return Labeller(words, embeddings, calibration, statistics=statistics), unit(vectors)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def slow_branch(labeller: Labeller, vector: np.ndarray, floor: float | None) -> list[int]:
    """The main branch of one photo: down the heaviest, while it is sure or heavy enough."""
    words = labeller.vocabulary
    (members,) = labeller.memberships(vector[None])
    (masses,) = labeller.descent.masses(vector[None])
    person = words.position("person")
    choices = [words.position(root) for root in words.roots]
    if members[person] >= max(np.float32(FIRST_FROM), np.float32(floor or 0)):
        choices = [person]
        # Of people, the masses are as if it were known that they are there.
        masses = [min(mass / max(masses[person], 1e-6), 1) for mass in masses]
    weights = [(member + mass) / 2 for member, mass in zip(members, masses, strict=True)]

    def is_allowed(at: int) -> bool:
        if floor is None:
            return members[at] >= np.float32(SURE) or (
                min(weights[at], members[at]) >= np.float32(MAIN_FROM)
            )
        return members[at] >= np.float32(floor)

    found: list[int] = []
    while choices := list(filter(is_allowed, choices)):
        found.append(max(choices, key=lambda at: weights[at]))
        below = words.children(words.concepts[found[-1]].id)
        choices = [words.position(one) for one in below]
    return found


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.lists(st.floats(0, 1), max_size=4))
def test_main_branches_go_down_while_enough_is_stated(seed, floors):
    labeller, vectors = everyday(seed=seed)
    found = labeller.main_branches(vectors, floors)
    assert found == [
        [tuple(slow_branch(labeller, vector, floor)) for floor in floors] for vector in vectors
    ]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_chain_of_a_tree_is_the_main_branch_at_its_floor(seed, floor):
    labeller, vectors = everyday(seed=seed)
    members = labeller.memberships(vectors)
    trees = labeller.trees(vectors, floor=floor)
    branches = labeller.main_branches(vectors, [floor])
    for tree, (branch,), row in zip(trees, branches, members, strict=True):
        assert tree.chain.concepts == tuple(labeller.vocabulary.concepts[at].id for at in branch)
        assert [link.mass for link in tree.chain] == [float(row[at]) for at in branch]
        assert all(link.mass >= np.float32(floor) for link in tree.chain)
    # What a photo shows does not depend on how far down its main branch goes.
    usual = labeller.trees(vectors)
    assert [(tree.sure, tree.likely) for tree in trees] == [
        (tree.sure, tree.likely) for tree in usual
    ]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_without_a_floor_a_main_branch_goes_down_while_it_is_heavy_or_sure(seed):
    labeller, vectors = everyday(seed=seed)
    ids = [concept.id for concept in labeller.vocabulary]
    members = labeller.memberships(vectors)
    for tree, vector, row in zip(labeller.trees(vectors), vectors, members, strict=True):
        wanted = slow_branch(labeller, vector, None)
        assert [(link.concept, link.mass) for link in tree.chain] == [
            (ids[at], float(row[at])) for at in wanted
        ]


def test_a_person_who_is_not_sure_enough_for_the_floor_does_not_come_first():
    vectors = np.eye(4, dtype=np.float32)
    learned = PhotoStatistics(
        id="made",
        mean=np.zeros(4, np.float32),
        covariance=np.eye(4, dtype=np.float32),
        curve=Curve(1.0, 1.0, 0.0),
        names=("thing", "person", "surfboard", "man"),
        weights=np.zeros((4, 4), np.float32),
        biases=np.array([4.0, 2.0, 3.0, -0.5], np.float32),
    )
    labeller = labeller_of_people(vectors, learned)
    photo = (vectors[0] + vectors[3])[None] / np.sqrt(2, dtype=np.float32)
    # 0.98 is stated of the thing, 0.95 of the surfboard, and 0.88 of the person.
    found = labeller.main_branches(photo, [0.97, 0.9, 0.8])
    assert found == [[(0,), (0, 3), (1,)]]


@pytest.mark.parametrize("count", [1, BLOCK, 2 * BLOCK + 40])
def test_labels_are_those_of_the_trees_with_the_tally_of_all_memberships(count):
    labeller, vectors = everyday(count)
    payloads, tally = labeller.labels(vectors)
    trees = labeller.trees(vectors)
    assert payloads == [tree.payload(labeller.vocabulary) for tree in trees]
    members = labeller.memberships(vectors)
    wanted = Tally.of(members)
    assert tally.photos == count
    np.testing.assert_allclose(tally.table, wanted.table, rtol=1e-5, atol=1e-5)
    sure, likely = tally.table[:, 0], tally.table[:, 2]
    shown = [{link.concept for link in (*tree.sure, *tree.likely)} for tree in trees]
    for at, concept in enumerate(labeller.vocabulary):
        assert sure[at] == sum(row >= np.float32(SURE) for row in members[:, at])
        assert sure[at] + likely[at] == sum(concept.id in one for one in shown)
        assert all(
            (concept.id in one) == (row >= np.float32(PERHAPS))
            for one, row in zip(shown, members[:, at], strict=True)
        )
    assert len(labeller.main_branches(vectors, [0.5, 0.6])) == count


def test_no_photos_have_no_labels_and_no_tally():
    labeller, vectors = everyday()
    assert labeller.labels(vectors[:0]) == ([], None)
    assert labeller.trees(vectors[:0]) == []
    assert labeller.main_branches(vectors[:0], [0.5]) == []
    assert labeller.main_branches(vectors, []) == [[]] * len(vectors)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0, 1), st.booleans())
def test_a_chain_ends_at_its_floor(seed, floor, texts):
    labeller, vectors = everyday(seed=seed)
    words = labeller.vocabulary
    whole = labeller.chains(vectors, texts=texts, floor=0)
    found = labeller.chains(vectors, texts=texts, floor=floor)
    for chain, all_of_it in zip(found, whole, strict=True):
        assert not words.children(all_of_it.concepts[-1])
        masses = [link.mass for link in all_of_it]
        assert all(below <= above for above, below in pairwise(masses))
        heavy = [link for link in all_of_it if link.mass >= np.float32(floor)]
        assert list(chain) == heavy


def test_radial_chains_have_no_masses_and_so_no_floor():
    labeller = Labeller(WORDS, np.eye(4, dtype=np.float32), None, Stored())
    (chain,) = labeller.chains(np.eye(4, dtype=np.float32)[:1], floor=0.99)
    assert chain == Chain((Link("food"), Link("fruit")))
    payloads, tally = labeller.labels(np.eye(4, dtype=np.float32)[:1])
    assert payloads == [chain.payload(WORDS)]
    assert tally is None
