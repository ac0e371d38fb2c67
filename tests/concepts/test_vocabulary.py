from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.concepts.vocabulary import MAX_DEPTH, MAX_NAME, find_cycle
from hiersearch.errors import VocabularyError

TOMATO = Vocabulary(
    [
        Concept("tomato", "Tomato", ("vegetable", "fruit"), 2.5, ("love apple",)),
        Concept("food", "food"),
        Concept("fruit", "fruit", ("food",)),
        Concept("vegetable", "vegetable", ("food",)),
        Concept("stone", "stone"),
    ],
    "shop",
)


def test_what_a_vocabulary_knows():
    assert len(TOMATO) == 5
    assert [concept.id for concept in TOMATO] == ["tomato", "food", "fruit", "vegetable", "stone"]
    assert TOMATO.names[0] == "Tomato"
    assert "fruit" in TOMATO
    assert "Tomato" not in TOMATO
    assert TOMATO["fruit"].parents == ("food",)
    assert TOMATO.position("vegetable") == 3
    assert TOMATO.parent_positions == ((3, 2), (), (1,), (1,), ())
    assert TOMATO.ancestors("tomato") == {"fruit", "vegetable", "food"}
    assert TOMATO.ancestors("food") == frozenset()
    assert TOMATO.children("food") == ("fruit", "vegetable")
    assert TOMATO.children("stone") == ()
    assert TOMATO.roots == ("food", "stone")
    assert TOMATO.has_parents
    assert not Vocabulary([Concept("a", "a")], "one").has_parents
    with pytest.raises(KeyError):
        TOMATO.position("Tomato")


def test_json_round_trip_keeps_everything():
    again = Vocabulary.from_json(TOMATO.to_json())
    assert again == TOMATO
    assert again["tomato"].synonyms == ("love apple",)
    assert again.name == "shop"
    assert again.id == TOMATO.id
    assert again.to_json() == TOMATO.to_json()


def test_the_id_follows_the_content_and_not_the_name():
    same = Vocabulary(TOMATO.concepts, "another name")
    assert same.id == TOMATO.id
    assert len(same.id) == 16
    assert Vocabulary(TOMATO.concepts[::-1], "shop").id != TOMATO.id
    assert Vocabulary(TOMATO.concepts[1:], "shop2").id != TOMATO.id


@pytest.mark.parametrize(
    ("concepts", "says"),
    [
        ([], "holds no concept"),
        ([Concept("a", "a"), Concept("a", "b")], "'a' occurs twice"),
        ([Concept("a", "a", ("b",))], "unknown parent 'b'"),
        ([Concept("a", "a"), Concept("b", "b", ("a", "a"))], "same parent twice"),
        ([Concept("a", "a", ("a",))], "a -> a"),
        ([Concept("a", "a", ("b",)), Concept("b", "b", ("a",))], "circle"),
        ([Concept("a", "")], "without a name"),
        ([Concept("a", " ")], "without a name"),
        ([Concept("", "a")], "without a name"),
        ([Concept("a", "x" * (MAX_NAME + 1))], "201 characters"),
        ([Concept("a", "a\x00b")], "holds the character"),
        ([Concept("a", "a\nb")], "holds the character"),
        ([Concept("a", "\ud800")], "holds the character"),
        ([Concept("a", "a", (), float("nan"))], "not a finite number"),
    ],
)
def test_broken_rules(concepts, says):
    with pytest.raises(VocabularyError, match=says):
        Vocabulary(concepts, "broken")


def test_depth_has_a_limit():
    def line(count: int) -> list[Concept]:
        return [Concept(f"c{at}", f"c{at}", (f"c{at + 1}",)) for at in range(count - 1)] + [
            Concept(f"c{count - 1}", "end")
        ]

    assert len(Vocabulary(line(MAX_DEPTH), "deep").ancestors("c0")) == MAX_DEPTH - 1
    with pytest.raises(VocabularyError, match="levels deep"):
        Vocabulary(line(MAX_DEPTH + 1), "deeper")
    with pytest.raises(VocabularyError, match="levels deep"):
        Vocabulary(line(20_000), "absurd")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"name": "x", "concepts": [{"id": 1, "name": "a"}]}',
        '{"name": "x", "concepts": [{"id": "a", "name": "a", "parents": "b"}]}',
        '{"name": "x", "concepts": [{"id": "a", "name": "a", "synonyms": "b"}]}',
        '{"name": "x", "concepts": [3]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_stored_vocabulary_is_an_error(text):
    with pytest.raises(VocabularyError):
        Vocabulary.from_json(text)


links = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True)
)


@given(links)
def test_find_cycle_agrees_with_walking_everywhere(parents):
    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        waiting = list(parents.get(start, []))
        while waiting:
            at = waiting.pop()
            if at == goal:
                return True
            if at not in seen:
                seen.add(at)
                waiting.extend(parents.get(at, []))
        return False

    cycle = find_cycle(parents)
    assert bool(cycle) == any(reaches(start, start) for start in parents)
    for child, parent in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert parent in parents[child]
    assert len(set(cycle)) == len(cycle)
