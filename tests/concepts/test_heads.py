"""What texts are about, among what they name."""

from __future__ import annotations

import pytest

from hiersearch.concepts import Concept, ConceptNames, Vocabulary, head_of

VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("dog", "dog", ("animal",)),
        Concept("poodle", "poodle", ("dog",)),
        Concept("cat", "cat", ("animal",)),
        Concept("horse", "horse", ("animal",)),
        Concept("elephant", "elephant", ("animal",)),
        Concept("person", "person", synonyms=("someone",)),
        Concept("man", "man", ("person",)),
        Concept("woman", "woman", ("person",)),
        Concept("kid", "kid", ("person",)),
        Concept("baby", "baby", ("person",)),
        Concept("police", "police"),
        Concept("table", "table"),
        Concept("kitchen", "kitchen"),
        Concept("sofa", "sofa"),
        Concept("hat", "hat"),
        Concept("bay", "bay"),
        Concept("night", "night"),
        Concept("riding", "riding"),
        Concept("running", "running"),
        Concept("run", "run"),
        Concept("play", "play"),
        Concept("motorcycle", "motorcycle"),
        Concept("cup", "cup"),
        Concept("coffee", "coffee"),
        Concept("photo", "photograph", synonyms=("photo",)),
        Concept("group", "group"),
        Concept("beach", "beach"),
        Concept("brick", "brick"),
        Concept("building", "building"),
        Concept("pizza", "pizza"),
        Concept("slice", "slice"),
        Concept("statue", "statue"),
        Concept("sea", "sea"),
        Concept("swimming", "swimming"),
        Concept("vase", "vase"),
        Concept("crane-bird", "crane", ("animal",)),
        Concept("crane-machine", "crane"),
    ],
    "some",
)
NAMES = ConceptNames(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("a dog", "dog"),
        ("kitchen table", "table"),
        ("a baby elephant", "elephant"),
        ("police dog", "dog"),
        ("a woman's hat", "hat"),
        ("the dog's", "dog"),
        ("a cat on a sofa", "cat"),
        ("dog and cat", "dog"),
        ("a red hat and a dog", "hat"),
        ("a dog, a poodle", "poodle"),
        ("an animal, a poodle", "poodle"),
        ("a dog or some other animal", "dog"),
        ("dog animal", "dog"),
        ("a person, a man on a sofa", "man"),
        # verbs
        ("a man riding a horse", "man"),
        ("man riding horse", "man"),
        ("riding a horse", "horse"),
        ("riding", "riding"),
        ("swimming in the sea", "swimming"),
        ("a woman swimming in the sea", "woman"),
        ("a dog runs on the beach", "dog"),
        ("kids play on the beach", "kid"),
        ("dogs running", "dog"),
        ("a red brick building in the night", "building"),
        # pronouns
        ("someone riding a motorcycle", "motorcycle"),
        ("someone", "person"),
        ("something with a dog", "dog"),
        # measures and pictures
        ("a cup of coffee", "coffee"),
        ("a cup of hot black coffee", "coffee"),
        ("a cup", "cup"),
        ("a cup on a table", "cup"),
        ("a photo of a dog on a sofa", "dog"),
        ("two slices of pizza", "pizza"),
        ("a group of kids", "kid"),
        ("a statue of a horse", "statue"),
        ("a photo of the man in the kitchen", "man"),
        ("a cup of something on a table", "cup"),
        # the unknown
        ("sunset over the bay at night", None),
        ("a thing on the sofa", None),
        ("soccer dog teams", None),
        ("a jet is leaving the beach", None),
        ("this is a dog", "dog"),
        ("a cat tattoo", None),
        ("the dog barks", "dog"),
        ("dogs bark", "dog"),
        ("a cat asleep", "cat"),
        ("a kitchen dinner table", "table"),
        ("a pony riding on a beach", None),
        ("dog photos", "dog"),
        ("dog pictures 2020", "dog"),
        ("close-up of a dog", "dog"),
        ("a happy dog", "dog"),
        ("vaguely kitchen", "kitchen"),
        ("in the kitchen", "kitchen"),
        ("something red", None),
        ("", None),
    ],
)
def test_what_a_text_is_about(text, head):
    found = head_of(text, NAMES.find(text), VOCABULARY)
    ids = [VOCABULARY.concepts[at].id for at in found.concepts] if found else [None]
    assert ids == [head]


def test_a_name_of_several_concepts_keeps_those_that_say_more():
    both = head_of("a crane", NAMES.find("a crane"), VOCABULARY)
    assert [VOCABULARY.concepts[at].id for at in both.concepts] == ["crane-bird", "crane-machine"]
    text = "an animal, a crane"
    one = head_of(text, NAMES.find(text), VOCABULARY)
    assert one == head_of(text, NAMES.find(text), VOCABULARY)
    assert one.words == "crane"
