"""Counts of nouns in captions, which the built-in vocabulary is made from."""

from __future__ import annotations

import pytest

from training.vocabulary.caption_counts import COUNTS, LEAST, NOTICE, count, nouns_of, read_counts

KNOWN = {"dog", "hot dog", "cow", "cows", "shorts", "short", "man", "berry", "stop sign"}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog eats a hot dog.", ["dog", "hot dog"]),
        ("Two hot dogs", ["hot dog"]),
        ("cows by a STOP SIGN", ["cow", "stop sign"]),
        ("men in shorts", ["man", "shorts"]),
        ("berries", ["berry"]),
        ("nothing here", []),
    ],
)
def test_nouns_are_the_longest_and_singular(caption, expected):
    assert list(nouns_of(caption, KNOWN)) == expected


def test_photos_are_counted_once_and_those_of_train_alone():
    photos = [f"{number}.jpg" for number in range(LEAST)]
    rows = [{"file": file, "caption": "a dog", "split": "train"} for file in photos * 2]
    rows += [{"file": f"{file}.x", "caption": "a dog", "split": "dev"} for file in photos]
    rows += [{"file": "0.jpg", "caption": "a cow", "split": "train"}]
    assert count(rows, KNOWN) == {"dog": LEAST}


def test_the_file_is_sorted_and_names_its_sources():
    lines = COUNTS.read_text().splitlines()[NOTICE.count("\n") :]
    assert COUNTS.read_text().startswith(NOTICE)
    assert "CC BY 4.0" in NOTICE
    assert "for research" in NOTICE
    assert lines[0] == "word\tphotos"
    assert lines[1:] == sorted(lines[1:], key=lambda line: line.partition("\t")[0])
    assert min(read_counts().values()) >= LEAST
