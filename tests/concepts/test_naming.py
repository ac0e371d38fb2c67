"""Which concepts texts name, with which of their words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.concepts import Concept, ConceptNames, Vocabulary, builtin_vocabulary, head_of

VOCABULARY = Vocabulary(
    [
        Concept("d", "dog"),
        Concept("c", "cat"),
        Concept("h", "hotdog", synonyms=("frankfurter", "hot dog sandwich")),
        Concept("t", "T-shirt", synonyms=("tee",)),
        Concept("e", "teddy bear"),
        Concept("b", "bear"),
        Concept("g", "grey wolf"),
        Concept("o", "colour"),
        Concept("n", "doughnut"),
        Concept("f", "café"),
        Concept("s", "St. Bernard"),
        Concept("p", "bird of prey"),
        Concept("m1", "mouse"),
        Concept("m2", "mouse"),
        Concept("k", "knife"),
        Concept("w", "firewoman"),
        Concept("i", "child", synonyms=("bear",)),
        Concept("a", "acorn"),
        Concept("l", "leatherjacket"),
        Concept("x", "catwalk"),
        Concept("r", "blackbird"),
        Concept("u", "batter's box"),
        Concept("q", "glass"),
        Concept("v", "spectacles", synonyms=("glasses",)),
        Concept("z", "cart"),
        Concept("j", "C++"),
        Concept("y", "🐶"),
    ],
    "some",
)
NAMES = ConceptNames(VOCABULARY)


def found(text: str, names: ConceptNames = NAMES) -> list[tuple[str, list[str]]]:
    ids = [concept.id for concept in VOCABULARY]
    return [(one.words, [ids[at] for at in one.concepts]) for one in names.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog and two cats", [("dog", ["d"]), ("cats", ["c"])]),
        ("DOGS", [("DOGS", ["d"])]),
        ("a dogged doge", []),
        # longest first
        ("teddy bears, bears", [("teddy bears", ["e"]), ("bears", ["b"])]),
        ("birds of prey", [("birds of prey", ["p"])]),
        # spelling forms
        ("hot dogs", [("hot dogs", ["h"])]),
        ("hot-dog", [("hot-dog", ["h"])]),
        ("hotdog", [("hotdog", ["h"])]),
        ("teddybears", [("teddybears", ["e"])]),
        ("teddy-bear", [("teddy-bear", ["e"])]),
        ("t-shirt", [("t-shirt", ["t"])]),
        ("t shirts", [("t shirts", ["t"])]),
        ("tshirt", [("tshirt", ["t"])]),
        ("gray wolves", [("gray wolves", ["g"])]),
        ("colors", [("colors", ["o"])]),
        ("a donut", [("donut", ["n"])]),
        ("St Bernard", [("St Bernard", ["s"])]),
        # case, accents, apostrophes
        ("CAFES", [("CAFES", ["f"])]),
        (unicodedata.normalize("NFD", "a café"), [(unicodedata.normalize("NFD", "café"), ["f"])]),
        ("\uff44\uff4f\uff47", [("\uff44\uff4f\uff47", ["d"])]),
        ("the dog's bone", [("dog's", ["d"])]),
        ("the dog\u2019s bone", [("dog\u2019s", ["d"])]),
        ("the dogs' bones", [("dogs", ["d"])]),
        ("the children's room", [("children's", ["i"])]),
        ("batter's box", [("batter's box", ["u"])]),
        ("batters box", [("batters box", ["u"])]),
        # plurals
        ("knives", [("knives", ["k"])]),
        ("firewomen", [("firewomen", ["w"])]),
        ("mice", [("mice", ["m1", "m2"])]),
        # synonyms, and names that beat them
        ("frankfurters", [("frankfurters", ["h"])]),
        ("hot dog sandwich", [("hot dog sandwich", ["h"])]),
        ("bear", [("bear", ["b"])]),
        ("a glass", [("glass", ["q"])]),
        ("glasses", [("glasses", ["v"])]),
        ("a tee", [("tee", ["t"])]),
        # what looks like a name
        ("a corn field", []),
        ("a leather jacket", []),
        ("a black bird", []),
        ("a black-bird", [("black-bird", ["r"])]),
        ("a cat walks by", [("cat", ["c"])]),
        ("a cat walk", [("cat walk", ["x"])]),
        ("a dog-like thing", []),
        ("a go-cart", [("cart", ["z"])]),
        ("a teddy. Bears", [("Bears", ["b"])]),
        # names without letters
        ("C++", [("C++", ["j"])]),
        ("two 🐶🐶", [("🐶", ["y"]), ("🐶", ["y"])]),
        ("", []),
        ("?!", []),
    ],
)
def test_what_a_text_names(text, expected):
    assert found(text) == expected
    assert all(text[one.start : one.end] == one.words for one in NAMES.find(text))


def test_names_can_come_first_always():
    names = ConceptNames(VOCABULARY, names_first=True)
    assert found("glasses", names) == [("glasses", ["q"])]
    assert found("hot dog sandwich, tees", names) == [("hot dog sandwich", ["h"]), ("tees", ["t"])]


def test_possessives_can_be_left_alone():
    names = ConceptNames(VOCABULARY, possessives=False)
    assert found("the dog's bone", names) == []
    assert found("the batter's box", names) == [("batter's box", ["u"])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dogs", ["d"]),
        ("a hot dog", ["h"]),
        ("mouse", ["m1", "m2"]),
        ("a dog and a cat", []),
        ("red dog", []),
        ("unicorn", []),
        ("", []),
    ],
)
def test_what_a_whole_text_is_a_name_of(text, expected):
    assert [VOCABULARY.concepts[at].id for at in NAMES.whole(text)] == expected


def test_the_nearest_names():
    assert NAMES.nearest("teddy baer")[0] == "teddy bear"
    assert NAMES.nearest("dgo")[0] == "dog"
    assert NAMES.nearest("zzzzzz") == ()


def test_a_vocabulary_that_speaks_in_plurals_is_asked_in_the_singular():
    plural = Vocabulary([Concept("d", "Dogs"), Concept("g", "Greens"), Concept("k", "Cats")], "x")
    assert ConceptNames(plural).whole("a dog") == (0,)
    single = Vocabulary([Concept("d", "dog"), Concept("g", "greens"), Concept("k", "cat")], "x")
    assert ConceptNames(single).find("something green") == ()


@pytest.mark.parametrize("name", ["dog", "cat", "pizza", "elephant", "man", "kitchen", "beach"])
@pytest.mark.parametrize("form", ["{}", "a {}", "{}s", "THE {}"])
def test_words_of_the_built_in_vocabulary(name, form, builtin_names):
    text = form.format(name).replace("mans", "men").replace("beachs", "beaches")
    vocabulary = builtin_vocabulary()
    assert name in {vocabulary.names[at] for at in builtin_names.whole(text)}


def test_every_concept_of_the_built_in_vocabulary_is_what_its_name_says(builtin_names):
    vocabulary = builtin_vocabulary()
    missed = []
    for at, name in enumerate(vocabulary.names):
        head = head_of(name, builtin_names.find(name), vocabulary)
        if head is None or at not in head.concepts:
            missed.append(name)
    assert missed == []


def test_every_synonym_of_the_built_in_vocabulary_says_its_concept_or_is_anothers_name(
    builtin_names,
):
    vocabulary = builtin_vocabulary()
    joined = {name.casefold().replace(" ", "").replace("-", "") for name in vocabulary.names}
    said = Counter(word for concept in vocabulary for word in set(concept.synonyms))
    missed = [
        synonym
        for at, concept in enumerate(vocabulary)
        for synonym in concept.synonyms
        if said[synonym] == 1
        and synonym.casefold().replace(" ", "").replace("-", "") not in joined
        and at not in builtin_names.whole(synonym)
    ]
    assert missed == []


@pytest.fixture(scope="module")
def builtin_names() -> ConceptNames:
    return ConceptNames(builtin_vocabulary())


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
phrases = st.lists(
    st.sampled_from(
        ["a", "hot", "dog", "dogs'", "cat-walk", "the", "St.", "of", "mice", "é", "猫"]
    ),
    min_size=1,
)
names_of_concepts = st.one_of(texts, phrases.map(" ".join)).filter(str.strip)


@given(st.lists(names_of_concepts, min_size=1, max_size=8), st.data())
def test_every_concept_is_found_by_its_own_name(names, data):
    synonyms = st.lists(names_of_concepts, max_size=2).map(tuple)
    vocabulary = Vocabulary(
        [Concept(f"{at}", name, synonyms=data.draw(synonyms)) for at, name in enumerate(names)],
        "x",
    )
    finder = ConceptNames(vocabulary)
    for at, name in enumerate(names):
        assert at in finder.whole(name)
        head = head_of(name, finder.find(name), vocabulary)
        assert head is not None
        assert at in head.concepts


@given(st.text())
def test_no_text_makes_trouble(text):
    named = NAMES.find(text)
    head_of(text, named, VOCABULARY)
    NAMES.whole(text)
    NAMES.nearest(text)
    assert all(one.end <= two.start for one, two in pairwise(named))
