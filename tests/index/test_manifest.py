from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import IndexNotFoundError, StoreError
from hiersearch.index.connection import Connection
from hiersearch.index.manifest import (
    Manifest,
    forget_vocabularies,
    has_manifest,
    load_vocabulary,
    read_manifest,
    same_manifest,
    save_vocabulary,
    vocabulary_summary,
    write_manifest,
)
from hiersearch.index.records import Records
from hiersearch.trees import Calibration

VOCABULARY = Vocabulary([Concept("a", "a"), Concept("b", "b", ("a",), 1.5)], "test")
MANIFEST = "hiersearch-index.json"


def manifest(**changes) -> Manifest:
    values = {
        "model": "mini",
        "model_id": "mini-1",
        "root": np.array([0.6, 0.8], dtype=np.float32),
        "vocabulary_id": VOCABULARY.id,
        "photo_size": 224,
        "labelled": True,
    }
    return Manifest(**{**values, **changes})


@pytest.fixture
def records(place) -> Iterator[Records]:
    connection = Connection(place)
    connection.records.begin()
    yield connection.records
    connection.close()


def test_what_is_written_is_read_to_the_bit(records):
    centre = np.random.default_rng(0).normal(size=384).astype(np.float32)
    written = manifest(
        root=centre,
        calibration=Calibration(centre, 0.1, 0.2),
        labelled=False,
        trees="made",
    )
    write_manifest(records, written)
    read = read_manifest(records)
    np.testing.assert_array_equal(read.root, written.root)
    np.testing.assert_array_equal(read.calibration.centre, centre)
    assert (read.calibration.temperature, read.calibration.text_temperature) == (0.1, 0.2)
    assert (read.model, read.model_id, read.photo_size) == ("mini", "mini-1", 224)
    assert read.labelled is False
    assert read.trees == "made"
    assert read.vocabulary_id == VOCABULARY.id
    assert same_manifest(read, written)
    assert not same_manifest(read, manifest(root=centre))


def test_no_index_is_a_usable_message(place):
    connection = Connection(place)
    assert not has_manifest(connection.records)
    with pytest.raises(IndexNotFoundError, match=r"no index at .*hiersearch index") as caught:
        read_manifest(connection.records)
    assert str(place) in caught.value.message
    connection.close()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}', '{"version": 1, "root": 3}'])
def test_a_damaged_manifest_names_itself(records, damage):
    write_manifest(records, manifest())
    records.write(MANIFEST, damage.encode())
    with pytest.raises(StoreError, match=r"damaged.*Delete the") as caught:
        read_manifest(records)
    assert MANIFEST in caught.value.message


def test_a_later_format_is_not_guessed_at(records):
    write_manifest(records, manifest())
    later = {**json.loads(records.read(MANIFEST)), "version": 99}
    records.write(MANIFEST, json.dumps(later).encode())
    with pytest.raises(StoreError, match="format 99"):
        read_manifest(records)


def test_a_vocabulary_is_kept_under_its_id(records):
    save_vocabulary(records, VOCABULARY)
    assert load_vocabulary(records, VOCABULARY.id) == VOCABULARY
    assert load_vocabulary(records, VOCABULARY.id).id == VOCABULARY.id
    assert vocabulary_summary(records, VOCABULARY.id) == (VOCABULARY.name, len(VOCABULARY))


def test_all_vocabularies_but_one_are_forgotten(records):
    other = Vocabulary([Concept("c", "c")], "other")
    write_manifest(records, manifest())
    save_vocabulary(records, VOCABULARY)
    save_vocabulary(records, other)
    forget_vocabularies(records, keep=other.id)
    assert load_vocabulary(records, other.id) == other
    assert has_manifest(records)
    with pytest.raises(StoreError, match="it is not there"):
        load_vocabulary(records, VOCABULARY.id)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not gzip", id="not gzip"),
        pytest.param(gzip.compress(b"{"), id="cut off"),
        pytest.param(gzip.compress(b"[]"), id="a list"),
        pytest.param(gzip.compress(b"{}"), id="no fields"),
    ],
)
def test_a_damaged_vocabulary_is_an_error(records, damage):
    save_vocabulary(records, VOCABULARY)
    (name,) = records.names()
    records.write(name, damage)
    for read in (load_vocabulary, vocabulary_summary):
        with pytest.raises(StoreError, match="cannot read the index's vocabulary"):
            read(records, VOCABULARY.id)
