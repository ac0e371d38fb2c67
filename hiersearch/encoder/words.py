"""Which words of a text a model knows, by what its tokenizer makes of them.

A WordPiece tokenizer, such as that of the built-in models, has the common words of its language
whole. Others it spells in pieces, which may have words in them ("lab ##rad ##ood ##le") or be mere
letters ("as ##df ##gh"); characters that it has never met become one and the same token.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentence_transformers import SentenceTransformer

__all__ = ["Knowledge", "ReadWord", "read_words", "word_pieces"]

_LEAST_WORD = 3
"""Letters from which on a piece can be a word that says something."""


class Knowledge(StrEnum):
    """How well a model knows a word."""

    WORD = "word"
    """It is a word of the tokenizer."""
    PARTS = "parts"
    """The tokenizer spells it with a word that it knows."""
    LETTERS = "letters"
    """The tokenizer spells it with letters alone."""
    UNKNOWN = "unknown"
    """The tokenizer gives it the token that it gives everything that it has never met."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word of a text, as a model reads it.

    Attributes:
        text: The word, as it is written.
        start: Where in the text it begins.
        end: Where it ends.
        knowledge: How well the model knows it.
    """

    text: str
    start: int
    end: int
    knowledge: Knowledge


def word_pieces(model: SentenceTransformer) -> Any | None:
    """The WordPiece tokenizer that a model reads texts with (a `tokenizers.Tokenizer`), if any."""
    for module in model.modules():
        found = getattr(module, "tokenizer", None)
        backend = getattr(found, "backend_tokenizer", found)
        if type(getattr(backend, "model", None)).__name__ == "WordPiece":
            return backend
    return None


def read_words(tokenizer: Any | None, text: str) -> tuple[ReadWord, ...]:
    """The words of a text in order, and how well they are known; no punctuation.

    Args:
        tokenizer: What `word_pieces` found; without one, all words count as known.
        text: Any text; what is beyond the longest text that the tokenizer reads is left out.
    """
    if tokenizer is None:
        found = [ReadWord(word, 0, 0, Knowledge.WORD) for word in text.split()]
        return tuple(_placed(found, text))
    encoded = tokenizer.encode(text, add_special_tokens=False)
    pieces: dict[int, list[str]] = {}
    spans: dict[int, tuple[int, int]] = {}
    for piece, word, (start, end) in zip(
        encoded.tokens, encoded.word_ids, encoded.offsets, strict=True
    ):
        if word is None:
            continue
        pieces.setdefault(word, []).append(piece)
        spans[word] = (min(spans.get(word, (start, end))[0], start), end)
    words = [
        ReadWord(text[start:end], start, end, _knowledge(pieces[word], tokenizer))
        for word, (start, end) in spans.items()
    ]
    return tuple(_joined([word for word in words if _says(word)], text))


def _knowledge(pieces: list[str], tokenizer: Any) -> Knowledge:
    model = tokenizer.model
    if model.unk_token in pieces:
        return Knowledge.UNKNOWN
    bare = [piece.removeprefix(model.continuing_subword_prefix) for piece in pieces]
    if len(bare) == 1:
        # A character of a script of which the tokenizer has the characters and no words.
        single = len(bare[0]) == 1 and not bare[0].isascii()
        return Knowledge.LETTERS if single else Knowledge.WORD
    long = (piece for piece in bare if len(piece) >= _LEAST_WORD)
    known = any(tokenizer.token_to_id(piece) is not None for piece in long)
    return Knowledge.PARTS if known else Knowledge.LETTERS


def _says(word: ReadWord) -> bool:
    if word.knowledge is Knowledge.UNKNOWN:
        return any(unicodedata.category(char)[0] not in "PZ" for char in word.text)
    return any(map(str.isalnum, word.text))


def _joined(words: list[ReadWord], text: str) -> Iterator[ReadWord]:
    """Characters of a script without spaces, which tokenizers part, as one word."""
    poor = (Knowledge.LETTERS, Knowledge.UNKNOWN)
    at = 0
    while at < len(words):
        last = at
        while (
            last + 1 < len(words)
            and words[last].end == words[last + 1].start
            and words[last].knowledge in poor
            and words[last + 1].knowledge in poor
        ):
            last += 1
        run = words[at : last + 1]
        known = {word.knowledge for word in run}
        worst = Knowledge.UNKNOWN if Knowledge.UNKNOWN in known else run[0].knowledge
        yield ReadWord(text[run[0].start : run[-1].end], run[0].start, run[-1].end, worst)
        at = last + 1


def _placed(words: list[ReadWord], text: str) -> Iterator[ReadWord]:
    end = 0
    for word in words:
        start = text.index(word.text, end)
        end = start + len(word.text)
        yield ReadWord(word.text, start, end, word.knowledge)
