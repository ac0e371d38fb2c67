from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.encoder.cache import embed_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = Vocabulary([Concept("d", "dog"), Concept("c", "cat")], "words")


class Encoder:
    """Counts its calls; the length of a text and a constant make its vector."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.calls.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float64)


def test_names_are_embedded_in_order_and_once(tmp_path):
    encode = Encoder()
    cache = tmp_path / "deep" / "cache"
    first = embed_vocabulary(WORDS, encode, model_id="m", cache=cache)
    again = embed_vocabulary(WORDS, encode, model_id="m", cache=cache)
    assert encode.calls == [["dog", "cat"]]
    assert first.dtype == again.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert [file.suffix for file in cache.iterdir()] == [".npy"]


def test_models_and_vocabularies_are_kept_apart(tmp_path):
    encode = Encoder()
    embed_vocabulary(WORDS, encode, model_id="m", cache=tmp_path)
    embed_vocabulary(WORDS, encode, model_id="../m", cache=tmp_path)
    embed_vocabulary(
        Vocabulary(WORDS.concepts[::-1], "words"), encode, model_id="m", cache=tmp_path
    )
    assert len(encode.calls) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_without_a_cache_nothing_is_kept():
    encode = Encoder()
    for _ in range(2):
        embed_vocabulary(WORDS, encode, model_id="m", cache=None)
    assert len(encode.calls) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "rows", "dtype", "nan", "pickle"])
def test_a_damaged_file_is_written_again(tmp_path, damage, caplog):
    encode = Encoder()
    good = embed_vocabulary(WORDS, encode, model_id="m", cache=tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    match damage:
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(content[:-3])
        case "text":
            file.write_bytes(b"not an array at all")
        case "rows":
            np.save(file, good[:1])
        case "dtype":
            np.save(file, good.astype(np.float64))
        case "nan":
            np.save(file, np.full_like(good, np.nan))
        case "pickle":
            np.save(file, np.array([{}], dtype=object))
    with caplog.at_level(logging.WARNING):
        again = embed_vocabulary(WORDS, encode, model_id="m", cache=tmp_path)
    assert len(encode.calls) == 2
    assert str(file) in caplog.text
    np.testing.assert_array_equal(again, good)
    assert file.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_passed_over(tmp_path, caplog):
    file = tmp_path / "file"
    file.write_text("in the way")
    encode = Encoder()
    with caplog.at_level(logging.WARNING):
        vectors = embed_vocabulary(WORDS, encode, model_id="m", cache=file)
    assert vectors.shape == (2, 2)
    assert "cannot be written" in caplog.text
