from __future__ import annotations

from hiersearch.cli.photos.contents import tree_lines
from hiersearch.concepts import Concept, Vocabulary

VOCABULARY = Vocabulary(
    [
        Concept("food", "food"),
        Concept("plant", "plant"),
        Concept("fruit", "fruit", ("food", "plant")),
        Concept("apple", "apple", ("fruit",)),
        Concept("tree", "tree", ("plant",)),
    ],
    "test",
)
COUNTS = {"food": 12, "plant": 13, "fruit": 12, "apple": 3, "tree": 1}


def test_most_photos_first_and_a_concept_below_each_of_its_parents():
    assert list(tree_lines(COUNTS, VOCABULARY)) == [
        "13  plant",
        "12    fruit",
        " 3      apple",
        " 1    tree",
        "12  food",
        "12    fruit",
        " 3      apple",
    ]


def test_depth_cuts_the_tree():
    assert list(tree_lines(COUNTS, VOCABULARY, depth=1)) == ["13  plant", "12  food"]


def test_no_counts_no_lines():
    assert list(tree_lines({}, VOCABULARY)) == []
