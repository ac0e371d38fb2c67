"""Texts that were asked before are answered without the model, and damage costs no more than it."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from hiersearch.encoder.kept import asked_texts as asked
from hiersearch.encoder.kept.asked_texts import AskedTexts
from hiersearch.encoder.words import read_words

TEXTS = ("a cat", "A  Cat", "", "zwölf Ärzte, 猫", "\ud800")


class Model:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_texts(self, texts):
        self.asked += texts
        rows = [np.random.default_rng(len(text)).standard_normal(8) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)

    def read_words(self, text):
        self.asked.append(text)
        return read_words(None, text)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "asked" / "file.sqlite"


@pytest.fixture
def texts(path, model) -> AskedTexts:
    return AskedTexts(path, "model", lambda: model)


def refuse():
    pytest.fail("the model is loaded")


def test_what_was_asked_is_remembered_to_the_bit(texts, path, model):
    wanted = {text: (texts.vector(text), texts.words(text)) for text in TEXTS}
    assert len(model.asked) == 2 * len(TEXTS)
    again = AskedTexts(path, "model", refuse)
    for text, (vector, words) in wanted.items():
        np.testing.assert_array_equal(again.vector(text), vector)
        assert again.vector(text).dtype == np.float32
        assert again.words(text) == words


def test_what_others_read_is_not_seen(texts, path, model):
    texts.vector("a cat")
    AskedTexts(path, "another", lambda: model).vector("a cat")
    assert model.asked == ["a cat", "a cat"]


def test_no_text_is_written_down(texts, path):
    texts.vector("something secret")
    texts.words("something secret")
    assert b"secret" not in path.read_bytes()


def test_only_the_latest_are_kept(texts, path, model, monkeypatch):
    monkeypatch.setattr(asked, "KEPT", 3)
    for number in range(6):
        texts.vector(f"text {number}")
    model.asked.clear()
    for number in (5, 4, 3):
        texts.vector(f"text {number}")
    assert model.asked == []
    texts.vector("text 2")
    assert model.asked == ["text 2"]
    with sqlite3.connect(path) as store:
        assert store.execute("SELECT count(*) FROM asked").fetchone() == (3,)


def test_a_damaged_file_is_made_again(texts, path, model, caplog):
    texts.vector("a cat")
    path.write_bytes(b"no database at all" * 100)
    texts.vector("a cat")
    assert "is damaged" in caplog.text
    texts.vector("a cat")
    assert model.asked == ["a cat", "a cat"]


@pytest.mark.parametrize("value", [b"", b"\0" * 32, b"abc", b"[[0, 1]]", "text", None, 7])
def test_damaged_rows_are_computed_again(texts, path, model, value):
    vector, words = texts.vector("a cat"), texts.words("a cat")
    with sqlite3.connect(path) as store:
        store.execute("UPDATE asked SET value = ?", [value])
    np.testing.assert_array_equal(texts.vector("a cat"), vector)
    assert texts.words("a cat") == words
    assert model.asked == ["a cat"] * 4


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path, model):
    (tmp_path / "asked").touch()
    texts = AskedTexts(tmp_path / "asked" / "file.sqlite", "model", lambda: model)
    assert len(texts.vector("a cat")) == 8
    assert AskedTexts(None, "model", lambda: model).words("a cat") == read_words(None, "a cat")
