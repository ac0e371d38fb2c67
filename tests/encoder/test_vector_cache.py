from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hiersearch.encoder.kept.vector_cache as module
from hiersearch.encoder.kept.vector_cache import VectorCache
from hiersearch.errors import HiersearchError


class Counting:
    """From a text to a vector that is its own; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, keys):
        self.asked.append(list(keys))
        return np.array([vector(key) for key in keys], dtype=np.float32)


def vector(key):
    return [float(len(key)), float(sum(map(ord, key)) % 97), 0.5]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "vectors.sqlite"


def test_nothing_is_computed_twice(path):
    compute = Counting()

    VectorCache(path, "m").vectors(["a", "b", "a"], compute)
    found = VectorCache(path, "m").vectors(["c", "b", "a"], compute)

    assert compute.asked == [["a", "b"], ["c"]]
    np.testing.assert_array_equal(found, [vector("c"), vector("b"), vector("a")])
    assert found.dtype == np.float32


def test_models_and_kinds_are_kept_apart(path):
    compute = Counting()

    VectorCache(path, "m").vectors(["a"], compute)
    VectorCache(path, "n").vectors(["a"], compute)
    VectorCache(path, "m").vectors(["a"], compute, kind="photo")

    assert len(compute.asked) == 3


def test_without_a_file_nothing_is_kept(tmp_path):
    compute = Counting()
    cache = VectorCache(None, "m")

    for _ in range(2):
        np.testing.assert_array_equal(cache.vectors(["a", "a"], compute), [vector("a")] * 2)

    assert compute.asked == [["a"], ["a"]]
    assert list(tmp_path.iterdir()) == []


def test_no_keys(path):
    assert VectorCache(path, "m").vectors([], Counting()).shape == (0, 0)
    assert not path.exists()


def test_what_was_computed_before_a_failure_is_kept(path, monkeypatch):
    monkeypatch.setattr(module, "PART", 2)
    compute = Counting()

    def fails_at_the_second_part(keys):
        if compute.asked:
            raise KeyboardInterrupt
        return compute(keys)

    with pytest.raises(KeyboardInterrupt):
        VectorCache(path, "m").vectors(["a", "b", "c"], fails_at_the_second_part)
    VectorCache(path, "m").vectors(["a", "b", "c"], compute)

    assert compute.asked == [["a", "b"], ["c"]]


def test_a_damaged_file_is_replaced(path):
    VectorCache(path, "m").vectors(["a"], Counting())
    path.write_bytes(b"not a database, but long enough to look at" * 100)

    found = VectorCache(path, "m").vectors(["a"], Counting())

    np.testing.assert_array_equal(found, [vector("a")])


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(HiersearchError, match="HIERSEARCH_CACHE"):
        VectorCache(tmp_path / "file" / "vectors.sqlite", "m").vectors(["a"], Counting())


def test_a_file_that_is_locked_is_not_thrown_away(path, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)
    VectorCache(path, "m").vectors(["a"], Counting())
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(HiersearchError, match="locked"):
            VectorCache(path, "m").vectors(["b"], Counting())
    finally:
        other.close()
    compute = Counting()

    VectorCache(path, "m").vectors(["a"], compute)

    assert compute.asked == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.text(st.characters(), max_size=5), min_size=1, max_size=8))
def test_any_text_is_a_key(tmp_path, keys):
    cache = VectorCache(tmp_path / "any.sqlite", "m")

    for _ in range(2):
        found = cache.vectors(keys, Counting())
        np.testing.assert_array_equal(found, np.array([vector(key) for key in keys], np.float32))
