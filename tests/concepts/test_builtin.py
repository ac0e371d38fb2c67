from __future__ import annotations

import gzip
import re
from importlib import resources

from hiersearch.concepts import builtin_vocabulary

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
