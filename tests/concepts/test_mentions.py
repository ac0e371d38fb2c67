"""Which concepts texts name."""

from __future__ import annotations

import pytest

from hiersearch.concepts import PEOPLE, Concept, Mentions, Vocabulary, builtin_vocabulary
from hiersearch.concepts.spelling import singulars
from hiersearch.errors import UsageError

VOCABULARY = Vocabulary(
    [
        Concept("p", "person"),
        Concept("m", "man", ("p",)),
        Concept("a", "animal"),
        Concept("b", "bear", ("a",)),
        Concept("g", "goose", ("a",)),
        Concept("o", "object"),
        Concept("t", "teddy bear", ("o",)),
        Concept("h", "fire hydrant", ("o",)),
        Concept("f", "Frisbee", ("o",)),
        Concept("c", "orange", ("o",)),
        Concept("k", "knife", ("o",)),
        Concept("y", "berry", ("o",)),
        Concept("x", "box", ("o",)),
        Concept("s", "glass", ("o",)),
    ],
    "some",
)
ALSO = {"guy": "person", "men": "person"}


def named(text: str, **options) -> set[str]:
    found = Mentions(VOCABULARY, **options)(text)
    return {VOCABULARY.names[at] for at in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A bear in the snow.", {"bear", "animal"}),
        ("two teddy bears on a bed", {"teddy bear", "object"}),
        ("TEDDY BEAR", {"teddy bear", "object"}),
        ("a bear, and a teddy bear", {"bear", "animal", "teddy bear", "object"}),
        ("fire hydrants", {"fire hydrant", "object"}),
        ("geese by a frisbee", {"goose", "animal", "Frisbee", "object"}),
        ("knives, berries and boxes", {"knife", "berry", "box", "object"}),
        ("a glass", {"glass", "object"}),
        ("the men's room", set()),
        ("a bearing", set()),
        ("", set()),
        ("猫 🐶", set()),
    ],
)
def test_what_a_text_names(text, expected):
    assert named(text) == expected


def test_names_that_mean_something_else_are_left_out():
    assert named("an orange box", leave_out=["Orange"]) == {"box", "object"}
    assert "orange" in named("an orange box")


def test_other_words_for_a_concept():
    assert named("a guy with a knife", also=ALSO) == {"person", "knife", "object"}
    assert named("men", also=ALSO) == {"man", "person"}


def test_synonyms_count_and_never_beat_a_name():
    words = Vocabulary(
        [
            Concept("s", "step"),
            Concept("t", "stairs", synonyms=("steps", "stairway", "glass")),
            Concept("g", "glass"),
        ],
        "some",
    )
    mentions = Mentions(words)
    assert mentions("a stairway") == {1}
    assert mentions("wooden steps") == {0}
    assert mentions("glasses") == {2}
    assert mentions("the stairway's end") == set()


def test_a_hyphen_is_no_hurdle():
    assert named("a teddy-bear and a bear-like thing") == {"teddy bear", "object"}


def test_a_concept_that_is_not_there():
    with pytest.raises(UsageError, match="no concept 'unicorn'"):
        Mentions(VOCABULARY, leave_out=["unicorn"])
    with pytest.raises(UsageError, match="no concept 'unicorn'"):
        Mentions(VOCABULARY, also={"horse": "unicorn"})


def test_every_concept_of_the_built_in_vocabulary_names_itself_or_a_longer_one():
    vocabulary = builtin_vocabulary()
    mentions = Mentions(vocabulary, also=dict.fromkeys(PEOPLE, "person"))
    short = [at for at, name in enumerate(vocabulary.names) if len(name.split()) <= 3]
    missed = [
        vocabulary.names[at]
        for at in short
        if vocabulary.names[at].replace("-", "").replace(" ", "").isalpha()
        and at not in mentions(vocabulary.names[at])
    ]

    assert missed == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [("boxes", "box"), ("dogs", "dog"), ("ponies", "pony"), ("children", "child"), ("bus", "bus")],
)
def test_singulars(word, expected):
    assert expected in set(singulars(word))
