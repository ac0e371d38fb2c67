"""What is understood of text queries, and what answers say of it."""

from __future__ import annotations

import pytest

from hiersearch.concepts import Concept, ConceptNames, Vocabulary
from hiersearch.errors import FilterError
from hiersearch.index.understanding import concept_called, understand

VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("cat", "cat", ("animal",), synonyms=("kitty", "猫", "😺")),
        Concept("dog", "dog", ("animal",)),
        Concept("axolotl", "axolotl", ("animal",)),
        Concept("mouse1", "mouse", ("animal",)),
        Concept("mouse2", "mouse", ("device",)),
        Concept("device", "device"),
        Concept("food", "food"),
        Concept("hotdog", "hot dog", ("food",)),
        Concept("moon", "月"),
        Concept("top", "mug"),
        Concept("below", "mug", ("top",)),
    ],
    "test",
)
NAMES = ConceptNames(VOCABULARY)


def understood(text, encoder):
    found = understand(text, NAMES, VOCABULARY, encoder.read_words)
    ids = [VOCABULARY.concepts[at].id for at in found.concepts]
    return ids, found.readable, " ".join(found.notes)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("a cat", ["cat"]),
        ("kitties", ["cat"]),
        ("HOT DOGS", ["hotdog"]),
        ("a dog on a sofa", ["dog"]),
        ("axolotls", ["axolotl"]),
        ("two mice", ["mouse1", "mouse2"]),
        ("something red", []),
        ("happy", []),
        ("sunset over the bay at night", []),
        ("labradoodle", []),
        ("Granny Smith", []),
        ("St. Bernard", []),
        ("skateborad", []),
        ("dogs and asdfghjkl", ["dog"]),
        ("a red asdfghjkl", []),
        ("the", []),
        ("?", []),
        ("42", []),
    ],
)
def test_what_needs_no_note(mini, text, concepts):
    assert understood(text, mini) == (concepts, True, "")


def test_words_that_the_model_does_not_know_are_named(mini):
    ids, readable, note = understood("a dog with a \U0001f98a", mini)
    assert (ids, readable) == (["dog"], True)
    assert note == (
        "The model does not know '\U0001f98a', which says nothing to it here. "
        "Write it in English words."
    )


@pytest.mark.parametrize("text", ["鱼", "the 鱼!", "🐶", "🐶 🦊", "鱼 asdfghjkl", "x" * 300])
def test_a_query_that_the_model_cannot_read(mini, text):
    ids, readable, note = understood(text, mini)
    assert (ids, readable) == ([], False)
    assert note.startswith("The model does not know '")
    assert "the order of the photos means nothing. Write the query in English words." in note
    assert len(note) < 250


@pytest.mark.parametrize("text", ["asdfghjkl", "an asdfghjkl", "qwertyuiop"])
def test_a_word_that_nobody_knows(mini, text):
    assert understood(text, mini) == (
        [],
        False,
        f"'{text.split()[-1]}' is neither in the vocabulary nor known to the model: there are no "
        "levels, and the photos are a guess from the letters. Check the spelling, or try another "
        "word.",
    )


def test_a_word_of_another_script_of_which_the_model_knows_the_letters(mini):
    ids, readable, note = understood("собака", mini)
    assert (ids, readable) == ([], False)
    assert note.endswith("a guess from the letters. Write it in English.")


@pytest.mark.parametrize("text", ["猫", "😺"])
def test_a_synonym_that_the_model_cannot_read_stands_for_the_name(mini, text):
    ids, readable, note = understood(text, mini)
    assert (ids, readable) == (["cat"], False)
    assert f"does not know '{text}'; the vocabulary does" in note
    assert "nearest to 'cat'" in note


def test_a_name_that_the_model_cannot_read_does_not_help(mini):
    class Blind:
        def read_words(self, text):
            from hiersearch.encoder.words import Knowledge, ReadWord

            return (ReadWord(text, 0, len(text), Knowledge.UNKNOWN),)

    ids, readable, note = understood("月", Blind())
    assert (ids, readable) == ([], False)
    assert "means nothing" in note


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("cat", "cat"),
        ("Cats", "cat"),
        ("kitty", "cat"),
        ("猫", "cat"),
        ("hotdogs", "hotdog"),
        ("mouse2", "mouse2"),
    ],
)
def test_concepts_in_conditions(name, concept):
    assert concept_called(name, NAMES, VOCABULARY) == concept


def test_a_name_of_several_concepts_is_refused():
    with pytest.raises(FilterError) as caught:
        concept_called("mice", NAMES, VOCABULARY)
    assert str(caught.value) == (
        "2 concepts are called 'mice': 'mouse1' (mouse, under animal), 'mouse2' (mouse, under "
        "device). Say which by its id: concept=mouse1."
    )
    with pytest.raises(FilterError, match="'top' \\(mug, under nothing\\)"):
        concept_called("mug", NAMES, VOCABULARY)


def test_a_name_that_is_not_there_suggests_the_nearest():
    with pytest.raises(FilterError, match=r"no concept 'hot dgo'\. Did you mean 'hot dog'"):
        concept_called("hot dgo", NAMES, VOCABULARY)
    with pytest.raises(FilterError, match=r"no concept 'zzzz'\. See 'hiersearch concepts'"):
        concept_called("zzzz", NAMES, VOCABULARY)
