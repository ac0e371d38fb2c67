"""Which words a model knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from hiersearch.encoder.words import Knowledge, read_words

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["[UNK]", "cat", "lab", "a", "犬", *LETTERS[1:], *(f"##{one}" for one in LETTERS), "##cat"]


def made_tokenizer() -> Tokenizer:
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


MADE = made_tokenizer()


def known(text: str) -> list[tuple[str, str]]:
    return [(word.text, str(word.knowledge)) for word in read_words(MADE, text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a", "word"), ("cat", "word")]),
        ("Cats, labs!", [("Cats", "parts"), ("labs", "parts")]),
        ("xcat", [("xcat", "parts")]),
        ("asdf", [("asdf", "letters")]),
        ("犬", [("犬", "letters")]),
        ("a 猫🐶 cat", [("a", "word"), ("猫🐶", "unknown"), ("cat", "word")]),
        ("一只猫在", [("一只猫在", "unknown")]),
        ("", []),
        ("?", []),
    ],
)
def test_what_a_tokenizer_knows(text, expected):
    assert known(text) == expected


def test_without_such_a_tokenizer_all_words_are_known():
    (one, two) = read_words(None, "猫 asdf")
    assert (one.knowledge, two.knowledge) == (Knowledge.WORD, Knowledge.WORD)
    assert (two.text, two.start, two.end) == ("asdf", 2, 6)


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a cat on a sofa", ()),
        ("猫", ("猫",)),
        ("🐶 and 猫", ("🐶", "猫")),
        ("asdfghjkl", ()),
        ("café, St. Bernard's!", ()),
        ("", ()),
    ],
)
def test_the_offline_models_unknown_words(mini, text, unknown):
    read = mini.read_words(text)
    assert tuple(w.text for w in read if w.knowledge is Knowledge.UNKNOWN) == unknown


@pytest.mark.parametrize(
    ("word", "knowledge"),
    [
        ("dog", Knowledge.WORD),
        ("labradoodle", Knowledge.PARTS),
        ("skateborad", Knowledge.PARTS),
        ("asdfghjkl", Knowledge.LETTERS),
        ("qwertyuiop", Knowledge.LETTERS),
        ("собака", Knowledge.LETTERS),
        ("x" * 500, Knowledge.UNKNOWN),
    ],
)
def test_how_well_the_offline_model_knows_a_word(mini, word, knowledge):
    assert [read.knowledge for read in mini.read_words(word)] == [knowledge]


@given(st.text())
def test_words_stand_in_the_text_in_order(text):
    end = 0
    for word in read_words(MADE, text):
        assert text[word.start : word.end] == word.text
        assert end <= word.start
        end = word.end
