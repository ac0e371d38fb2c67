from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from hiersearch.concepts import builtin_vocabulary

WORDNET = Path(os.environ.get("HIERSEARCH_WORDNET", "/usr/share/wordnet"))

ROOTS = [
    *("person", "animal", "plant", "food", "object", "structure"),
    *("place", "nature", "event", "material", "body part"),
]


def test_its_size_roots_and_ids():
    vocabulary = builtin_vocabulary()
    assert 9_000 <= len(vocabulary) <= 11_000
    assert sorted(vocabulary[root].name for root in vocabulary.roots) == sorted(ROOTS)
    assert all(re.fullmatch(r"n\d{8}|top:[a-z ]+", concept.id) for concept in vocabulary)
    assert len({name.casefold() for name in vocabulary.names}) == len(vocabulary)
    assert builtin_vocabulary() is vocabulary


def test_familiar_words_come_first():
    familiarity = [concept.familiarity for concept in builtin_vocabulary()]
    assert None not in familiarity
    assert familiarity == sorted(familiarity, reverse=True)


def test_everyday_things_hang_where_people_look_for_them():
    vocabulary = builtin_vocabulary()
    at = {concept.name.casefold(): concept.id for concept in vocabulary}
    for name, above in [
        ("golden retriever", ["dog", "animal"]),
        ("granny smith", ["apple", "fruit", "food"]),
        ("church", ["building", "structure"]),
        ("tench", ["fish", "animal"]),
        ("pizza", ["food"]),
        ("oak", ["tree", "plant"]),
        ("truck", ["vehicle", "object"]),
    ]:
        names = {vocabulary[upper].name.casefold() for upper in vocabulary.ancestors(at[name])}
        assert set(above) <= names, name


def test_the_file_names_no_date_and_its_notice_is_beside_it():
    folder = resources.files("hiersearch.concepts")
    packed = folder.joinpath("wordnet.tsv.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"  # gzip's time stamp: equal content, equal file
    assert gzip.decompress(packed).startswith(b"id\tname\tparents\tfamiliarity\n")
    assert (
        "WordNet 3.0 Copyright 2006 by Princeton" in folder.joinpath("WORDNET_LICENSE").read_text()
    )


def test_nobody_is_labelled_with_an_insult():
    vocabulary = builtin_vocabulary()
    at = {concept.name: concept.id for concept in vocabulary}
    people = {c.name for c in vocabulary if at["person"] in vocabulary.ancestors(c.id)}
    assert {"woman", "athlete", "chef"} <= people
    assert len(people) < 120  # an allow-list; WordNet has ten thousand words for people
    assert not people & {"idiot", "slut", "cripple", "savage", "half-breed", "fatso"}


def test_the_script_makes_the_same_vocabulary_again(tmp_path):
    if not (WORDNET / "data.noun").is_file():
        pytest.skip("WordNet's database is not on this machine (set HIERSEARCH_WORDNET)")
    made = tmp_path / "made.tsv.gz"
    subprocess.run(
        [sys.executable, "-m", "training.vocabulary.build", str(WORDNET), str(made)],
        cwd=Path(__file__).parents[2],
        check=True,
    )
    shipped = resources.files("hiersearch.concepts").joinpath("wordnet.tsv.gz").read_bytes()
    # Unpacked: another version of zlib may pack the same text otherwise.
    assert gzip.decompress(made.read_bytes()) == gzip.decompress(shipped)
