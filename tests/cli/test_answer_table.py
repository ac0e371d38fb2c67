from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hiersearch.cli.photos.query import answer_lines
from hiersearch.cli.terminal import printable
from hiersearch.index.results import Answer, Level, PhotoHit

HERE = Path("/photos")


def hit(path: str, score: float = 0.5, copies: int = 0) -> PhotoHit:
    return PhotoHit(Path(path), tuple(Path(f"/copy/{i}.jpg") for i in range(copies)), score)


def level(number: int, concept: str, *photos: PhotoHit, mass: float | None = 0.98) -> Level:
    return Level(number, concept, concept, mass, math.pi / 4, 12, 9, photos)


ANSWER = Answer(
    "cat.jpg",
    (
        level(1, "animal", hit("/photos/cat.jpg", 1.0), hit("/photos/dog.jpg")),
        level(2, "cat", hit("/photos/cat.jpg", 1.0), mass=0.5),
    ),
    (hit("/photos/cat.jpg", 1.0, copies=2), hit("/elsewhere/dog.jpg")),
)


def shown(answer: Answer, width: int) -> list[str]:
    return [re.sub(r"\x1b\[\d+m", "", line) for line in answer_lines(answer, width, HERE)]


def test_a_wide_terminal_gets_a_table():
    assert shown(ANSWER, 80) == [
        "level  concept  mass  angle  sure  about  nearest",
        "    1  animal    98%    45°     9     12  cat.jpg  dog.jpg",
        "    2    cat     50%    45°     9     12  cat.jpg",
        "",
        "Nearest of all photos",
        "   1.00  cat.jpg  (+2 equal)",
        "   0.50  /elsewhere/dog.jpg",
    ]


def test_a_narrow_terminal_gets_a_list():
    assert shown(ANSWER, 40)[:5] == [
        "1 animal",
        "  mass 98%, angle 45°",
        "  9 surely, about 12 in all",
        "   1.00  cat.jpg",
        "   0.50  dog.jpg",
    ]


def test_a_vocabulary_without_parents_has_no_column_of_masses_and_one_of_photos():
    radial = Answer("x", (replace(level(1, "animal", mass=None), sure=12),), ())
    assert shown(radial, 80) == [
        "level  concept  angle  photos  nearest",
        "    1  animal     45°      12  -",
    ]


def test_what_else_a_photo_shows_is_listed_roots_alone_last():
    branches = (
        (("animal", 0.98), ("cat", 0.5)),
        (("structure", 0.72),),
        (("object", 0.9), ("furniture", 0.85)),
        (("event", 0.71),),
    )
    answer = Answer(ANSWER.query, ANSWER.levels, (), branches)
    assert shown(answer, 80)[3:] == [
        "",
        "The photo also shows",
        "    85%  object > furniture",
        "         structure 72%, event 71%",
    ]
    assert max(map(cell_len, shown(answer, 24)[-3:])) <= 24
    alone = Answer(ANSWER.query, ANSWER.levels, (), branches[:1])
    assert len(shown(alone, 80)) == 3


def test_an_answer_without_levels_says_so():
    assert shown(Answer("x", (), ()), 80) == ["Nothing in the vocabulary fits."]


def test_concepts_and_titles_stand_out_and_nothing_else():
    styled = [line for line in answer_lines(ANSWER, 80, HERE) if "\x1b" in line]
    assert [re.findall(r"\x1b\[[12]m(.+?)\x1b", line) for line in styled] == [
        ["level  concept  mass  angle  sure  about  nearest"],
        ["animal"],
        ["  cat"],
        ["Nearest of all photos"],
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (Path("café.jpg"), "café.jpg"),
        (Path("Screenshot 9.41\u202fPM 👨\u200d👩.png"), "Screenshot 9.41\u202fPM 👨\u200d👩.png"),
        (Path("a\u202eb.jpg"), "a\ufffdb.jpg"),
        (Path("a\nb\x1b[31m.jpg"), "a\ufffdb\ufffd[31m.jpg"),
        (Path(os.fsdecode(b"caf\xe9.jpg")), "caf\ufffd.jpg"),
    ],
)
def test_names_that_would_garble_a_terminal_are_shown_safely(path, expected):
    assert printable(path) == expected


@given(
    width=st.integers(20, 200),
    concept=st.text(st.characters(categories=("L", "Zs")), min_size=1, max_size=30),
    name=st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=80),
)
def test_lines_keep_to_the_width_wherever_the_concept_leaves_room(width, concept, name):
    photo = hit(f"/photos/{name}")
    answer = Answer("x", (level(1, concept, photo, photo),), (photo,))
    for line in shown(answer, width):
        assert cell_len(line) <= max(width, 37 + cell_len(concept) + 16)
