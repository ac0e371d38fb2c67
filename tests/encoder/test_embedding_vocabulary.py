"""The cache as an index uses it for a vocabulary: it helps where it can, and never stops a run."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.encoder.kept.vector_cache import VectorCache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = Vocabulary([Concept("d", "dog"), Concept("c", "cat")], "words")


class Encoder:
    """Counts its calls; the length of a text and a constant make its vector."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float64)


def embed(encode: Encoder, folder: Path | None, model: str = "m", words=WORDS) -> np.ndarray:
    return VectorCache.of_model(model, folder, must_keep=False).vectors(words.names, encode)


def test_names_are_embedded_in_order_and_once(tmp_path):
    encode = Encoder()
    cache = tmp_path / "deep" / "cache"
    first = embed(encode, cache)
    again = embed(encode, cache)
    assert encode.calls == [["dog", "cat"]]
    assert first.dtype == again.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert [file.suffix for file in (cache / "vectors").iterdir()] == [".sqlite"]


def test_models_are_kept_apart_and_vocabularies_share_words(tmp_path):
    encode = Encoder()
    embed(encode, tmp_path)
    embed(encode, tmp_path, "../m")
    more = Vocabulary([*WORDS.concepts[::-1], Concept("t", "tapir")], "more")
    vectors = embed(encode, tmp_path, words=more)
    assert encode.calls == [["dog", "cat"], ["dog", "cat"], ["tapir"]]
    np.testing.assert_array_equal(vectors[:, 0], [3, 3, 5])
    assert len(list((tmp_path / "vectors").iterdir())) == 2


def test_concepts_of_one_name_are_encoded_once(tmp_path):
    encode = Encoder()
    homonyms = Vocabulary([Concept("1", "bank"), Concept("2", "bank")], "homonyms")
    assert embed(encode, tmp_path, words=homonyms).shape == (2, 2)
    assert encode.calls == [["bank"]]


def test_without_a_cache_nothing_is_kept():
    encode = Encoder()
    for _ in range(2):
        embed(encode, None)
    assert len(encode.calls) == 2


@pytest.mark.parametrize("damage", ["cut", "text", "nan", "short", "odd", "other lengths"])
def test_a_damaged_file_is_written_again(tmp_path, damage, caplog):
    encode = Encoder()
    good = embed(encode, tmp_path)
    (file,) = (tmp_path / "vectors").iterdir()
    values = {
        "nan": [np.full(2, np.nan, np.float32).tobytes()] * 2,
        "short": [b""] * 2,
        "odd": [b"12345"] * 2,
        "other lengths": [np.ones(2, np.float32).tobytes(), np.ones(3, np.float32).tobytes()],
    }
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:3000])
    elif damage == "text":
        file.write_bytes(b"not a database, but long enough to look at" * 100)
    else:
        with sqlite3.connect(file) as store:
            keys = [key for (key,) in store.execute("SELECT key FROM vectors")]
            for key, value in zip(keys, values[damage], strict=True):
                store.execute("UPDATE vectors SET value = ? WHERE key = ?", (value, key))
        store.close()
    with caplog.at_level(logging.WARNING):
        again = embed(encode, tmp_path)
    assert len(encode.calls) == 2
    assert str(file) in caplog.text
    np.testing.assert_array_equal(again, good)
    np.testing.assert_array_equal(embed(encode, tmp_path), good)
    assert len(encode.calls) == 2


def test_an_empty_file_is_filled(tmp_path):
    encode = Encoder()
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "m.sqlite").touch()
    for _ in range(2):
        embed(encode, tmp_path)
    assert len(encode.calls) == 1


def test_a_cache_that_cannot_be_written_is_passed_over(tmp_path, caplog):
    file = tmp_path / "file"
    file.write_text("in the way")
    encode = Encoder()
    with caplog.at_level(logging.WARNING):
        vectors = embed(encode, file)
    assert vectors.shape == (2, 2)
    assert len(encode.calls) == 1
    assert "cannot be kept" in caplog.text
