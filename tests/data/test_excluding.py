from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.concepts.formats import parse_vocabulary
from hiersearch.data.hierarcaps_files import read_hierarchies
from hiersearch.data.hierarchies import ConceptGraph, Hierarchy, without_pairs
from hiersearch.data.sampling import sample_hierarchies

FOOD = parse_vocabulary(
    b"thing > food > meat > sausage > frankfurter\nthing > food > meat > ham\n"
    b"thing > food > fruit > pear\nthing > tool > saw\nthing > tool > skewer > sausage",
    name="food.txt",
)

WORDS = list("abcdefg")
PAIRS = st.lists(st.tuples(st.sampled_from([*WORDS, "A", "h"]), st.sampled_from(WORDS)), max_size=4)


@st.composite
def vocabularies(draw) -> Vocabulary:
    size = draw(st.integers(2, 9))
    return Vocabulary(
        [
            Concept(
                str(at),
                draw(st.sampled_from(WORDS)),
                tuple(map(str, sorted(draw(st.sets(st.integers(0, at - 1), max_size=2)))))
                if at
                else (),
            )
            for at in range(size)
        ],
        "made",
    )


def reachable(steps: set[tuple[str, str]], low: str) -> set[str]:
    """Everything that steps, (lower, upper), lead to from a node."""
    found: set[str] = set()
    while True:
        more = {high for at, high in steps if at == low or at in found} - found
        if not more:
            return found
        found |= more


def meets(hierarchy: Hierarchy) -> set[frozenset[str]]:
    """All texts of a hierarchy that are compared with each other, as lower-case pairs."""
    tiers = [text.lower() for text in hierarchy.positive]
    beside = zip(tiers, [text.lower() for text in hierarchy.negative], strict=False)
    return {frozenset(pair) for pair in (*itertools.combinations(tiers, 2), *beside)}


def test_the_more_specific_of_a_pair_loses_the_steps_that_lead_to_the_other():
    for pair in [("sausage", "food"), ("FOOD", " Sausage")]:
        taxonomy = without_pairs(FOOD, [pair])
        assert taxonomy.cut == {("sausage", "meat")}
        ways = {h.positive for h in sample_hierarchies(taxonomy, seed=0, negatives=False, count=40)}
        assert ("thing", "tool", "skewer", "sausage", "frankfurter") in ways
        assert ("thing", "food", "meat", "ham") in ways
        assert not any({"sausage", "meat"} <= set(way) for way in ways)
    assert without_pairs(FOOD, [("sausage", "thing")]).cut == {
        *(("sausage", "meat"), ("sausage", "skewer"))
    }


def test_what_is_unrelated_or_unknown_cuts_nothing():
    for pair in [("ham", "saw"), ("ham", "ham"), ("ham", "unheard of"), ("", "ham")]:
        assert without_pairs(FOOD, [pair]).cut == frozenset()
    assert without_pairs(FOOD, []) == ConceptGraph(FOOD)


def test_what_was_cut_is_no_negative_either():
    taxonomy = without_pairs(FOOD, [("sausage", "food"), ("ham", "skewer")])
    drawn = sample_hierarchies(taxonomy, seed=0, count=200)
    negatives = {
        n for h in drawn for t, n in zip(h.positive, h.negative, strict=True) if t == "food"
    }
    assert negatives == {"tool"}
    forbidden = {frozenset(("sausage", "food")), frozenset(("ham", "skewer"))}
    assert not any(meets(hierarchy) & forbidden for hierarchy in drawn)
    assert any(meets(h) & forbidden for h in sample_hierarchies(FOOD, seed=0, count=200))


def test_all_names_of_a_concept_count():
    taxonomy = ConceptGraph(FOOD, {"sausage": ("banger",), "food": ("nourishment",)})
    assert without_pairs(taxonomy, [("Nourishment", "banger")]).cut == {("sausage", "meat")}


def test_exclusions_add_up():
    twice = without_pairs(without_pairs(FOOD, [("pear", "fruit")]), [("saw", "tool")])
    assert twice == without_pairs(FOOD, [("saw", "tool"), ("pear", "fruit")])


@settings(deadline=None)
@given(vocabularies(), PAIRS)
def test_nothing_leads_from_one_of_a_pair_to_the_other(vocabulary, pairs):
    taxonomy = without_pairs(vocabulary, pairs)
    every = {(concept.id, parent) for concept in vocabulary for parent in concept.parents}
    left = every - taxonomy.cut
    names = {concept.id: concept.name for concept in vocabulary}
    for one, other in {tuple(map(str.lower, pair)) for pair in pairs}:
        for low, high in [(one, other), (other, one)]:
            bearers = [concept for concept, name in names.items() if name == low != high]
            reached = {names[at] for concept in bearers for at in reachable(left, concept)}
            assert high not in reached
    # Nothing is cut that does not lead from one of a pair to the other.
    for low, parent in taxonomy.cut:
        beyond = {names[at] for at in reachable(every, parent) | {parent}}
        assert any({names[low], b} == set(map(str.lower, p)) for p in pairs for b in beyond)
    if vocabulary.has_parents:
        gone = {frozenset(map(str.lower, pair)) for pair in pairs if len(set(pair)) == 2}
        gone = {pair for pair in gone if len(pair) == 2}
        for hierarchy in sample_hierarchies(taxonomy, seed=0, count=10):
            assert not meets(hierarchy) & gone


TIERS = st.lists(st.sampled_from(WORDS), min_size=4, max_size=7, unique=True)


@settings(deadline=None)
@given(st.lists(TIERS), PAIRS, st.booleans())
def test_hierarchies_are_cut_so_that_no_chain_of_them_implies_a_pair(lists, pairs, negatives):
    hierarchies = [
        Hierarchy(tuple(t[: len(t) // 2]), tuple(t[-(len(t) // 2) :]) if negatives else ())
        for t in lists
    ]
    kept = without_pairs(hierarchies, pairs)
    steps = {step for h in kept for step in zip(h.positive[1:], h.positive, strict=False)}
    for one, other in {tuple(map(str.lower, pair)) for pair in pairs}:
        if one != other:
            assert other not in reachable(steps, one)
            assert one not in reachable(steps, other)
            assert not any(frozenset((one, other)) in meets(hierarchy) for hierarchy in kept)
    if not pairs:
        assert list(kept) == hierarchies


def test_a_hierarchy_is_cut_in_two():
    long = Hierarchy(("a", "b", "c", "d"), ("w", "x", "y", "z"))
    above = Hierarchy(("e", "a"))
    assert without_pairs([long], [("C", "a")]) == (
        Hierarchy(("a", "b"), ("w", "x")),
        Hierarchy(("c", "d"), ("y", "z")),
    )
    assert without_pairs([long], [("a", "b")]) == (Hierarchy(("b", "c", "d"), ("x", "y", "z")),)
    # Implied over two hierarchies.
    assert without_pairs([long, above], [("b", "e")]) == (
        *(Hierarchy(("b", "c", "d"), ("x", "y", "z")), above),
    )
    # A tier that makes a pair with its negative.
    assert without_pairs([long], [("x", "b")]) == (Hierarchy(("a", "c", "d"), ("w", "y", "z")),)


def test_hyperlex_and_the_real_hierarchies(shared_data):
    folder = shared_data / "hyperlex"
    pairs = []
    for part in ("training", "dev"):
        text = (folder / f"hyperlex_{part}_all_random.txt").read_text(encoding="utf-8")
        pairs += [tuple(line.split()[:2]) for line in text.splitlines()[1:]]
    gone = {frozenset(pair) for pair in pairs}
    file = read_hierarchies(shared_data / "hierarcaps" / "hierarcaps_pairs.csv.gz")
    kept = without_pairs(file.hierarchies, pairs)
    assert any(meets(hierarchy) & gone for hierarchy in file.hierarchies)
    assert not any(meets(hierarchy) & gone for hierarchy in kept)
    before = sum(len(hierarchy.positive) for hierarchy in file.hierarchies)
    assert 0.95 * before < sum(len(hierarchy.positive) for hierarchy in kept) < before
