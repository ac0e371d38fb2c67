from __future__ import annotations

from pathlib import Path

import pytest

from hiersearch.alignment.rows import drawn_rows, hierarchy_rows, rows_texts, with_photos
from hiersearch.data.hierarchies import Hierarchy
from hiersearch.data.taxonomies import Specimen
from hiersearch.errors import UsageError

GOAT = Hierarchy(("animal", "goat", "a grey goat"), ("plant", "cat", "a red cat"))
CAR = Hierarchy(("vehicle", "car"), ("animal", "boat"))


def test_shorter_hierarchies_have_empty_tiers():
    rows = hierarchy_rows([GOAT, CAR])

    assert list(rows[0]) == [
        "positive_1", "positive_2", "positive_3", "negative_1", "negative_2", "negative_3",
    ]  # fmt: skip
    assert list(rows[0].values()) == [*GOAT.positive, *GOAT.negative]
    assert list(rows[1].values()) == ["vehicle", "car", "", "animal", "boat", ""]


def test_without_negatives():
    assert hierarchy_rows([CAR], negatives=False) == [
        {"positive_1": "vehicle", "positive_2": "car"}
    ]
    assert hierarchy_rows([Hierarchy(("a", "b"))]) == [{"positive_1": "a", "positive_2": "b"}]


def test_the_first_tiers_alone():
    rows = hierarchy_rows([GOAT, CAR], deepest=2)

    assert list(rows[0].values()) == ["animal", "goat", "plant", "cat"]


def test_as_many_rows_as_are_needed():
    rows = [{"positive_1": str(number)} for number in range(50)]

    drawn = drawn_rows(rows, 20, seed=1)

    assert len({row["positive_1"] for row in drawn}) == 20
    assert drawn == drawn_rows(rows, 20, seed=1) != drawn_rows(rows, 20, seed=2)
    assert drawn_rows(rows, 60, seed=1) == rows


def test_no_rows():
    with pytest.raises(UsageError, match="no hierarchies"):
        drawn_rows([], 3, seed=0)


def test_a_row_for_each_photo_of_its_kind():
    ranks = ("order", "species")
    specimens = [
        Specimen(("Aves", "Corvus corax"), ranks, Path("/1.jpg")),
        Specimen(("Aves", "Corvus corax"), ranks, Path("/2.jpg")),
        Specimen(("Aves", "Pica pica"), ranks),
    ]
    rows = hierarchy_rows(
        [Hierarchy(("Aves", "Aves Corvus corax")), Hierarchy(("Aves", "Aves Pica pica"))]
    )

    found = with_photos(rows, specimens)

    assert [row["photo"] for row in found] == ["/1.jpg", "/2.jpg", ""]
    ends = ["Aves Corvus corax", "Aves Corvus corax", "Aves Pica pica"]
    assert [row["positive_2"] for row in found] == ends
    assert rows_texts(found) == [text for end in ends for text in ("Aves", end)]
    assert with_photos(rows, specimens[2:]) == []
