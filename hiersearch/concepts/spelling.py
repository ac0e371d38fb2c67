"""The words of a text, in one spelling: case, accents, apostrophes, British English, plurals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["IRREGULAR", "Word", "fold", "phrases", "singulars", "words_of"]

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "lice": "louse",
    "dice": "die",
    "cacti": "cactus",
    "fungi": "fungus",
    "octopi": "octopus",
    "hippopotami": "hippopotamus",
    "alumni": "alumnus",
    "crises": "crisis",
    "oases": "oasis",
    "axes": "axe",
    "quizzes": "quiz",
    "data": "datum",
    "aquaria": "aquarium",
    "larvae": "larva",
    "antennae": "antenna",
    "vertebrae": "vertebra",
    "algae": "alga",
}
"""Plurals that no rule makes."""

_IRREGULAR_ENDINGS = {
    "men": "man",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
}
"""The same at the end of a longer word, such as firemen."""

_AMERICAN = {
    "aeroplane": "airplane",
    "aluminium": "aluminum",
    "armour": "armor",
    "behaviour": "behavior",
    "calibre": "caliber",
    "catalogue": "catalog",
    "centre": "center",
    "colour": "color",
    "coloured": "colored",
    "dialogue": "dialog",
    "donut": "doughnut",
    "fibre": "fiber",
    "flavour": "flavor",
    "grey": "gray",
    "harbour": "harbor",
    "jewellery": "jewelry",
    "kerb": "curb",
    "licence": "license",
    "litre": "liter",
    "metre": "meter",
    "mould": "mold",
    "moustache": "mustache",
    "neighbour": "neighbor",
    "odour": "odor",
    "omelette": "omelet",
    "parlour": "parlor",
    "plough": "plow",
    "pyjama": "pajama",
    "sabre": "saber",
    "sceptre": "scepter",
    "spectre": "specter",
    "theatre": "theater",
    "traveller": "traveler",
    "tumour": "tumor",
    "tyre": "tire",
    "vapour": "vapor",
    "yoghurt": "yogurt",
}
"""Spellings of one word, British first."""
_AMERICAN |= {f"{british}s": f"{american}s" for british, american in _AMERICAN.items()}

_APOSTROPHES = "'\u2019\u02bc"
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
_BREAK = re.compile(r"[^\s\w'\u2019\u02bc\u2010\u2011.&/-]|\n|/")
"""What stands between two phrases; an abbreviation's full stop may stand inside one."""


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        key: The word in one spelling.
        owner: For a possessive such as *dog's*, the key of who owns: *dog*.
        start: Where the word begins in the text.
        end: Where it ends.
    """

    key: str
    owner: str | None
    start: int
    end: int


def fold(text: str) -> str:
    """A text without what does not tell words apart: case, accents, widths of characters."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    # The accents of European scripts alone: the marks of others are letters.
    bare = [c for c in unicodedata.normalize("NFD", folded) if not "\u0300" <= c <= "\u036f"]
    return unicodedata.normalize("NFC", "".join(bare))


def words_of(text: str) -> list[Word]:
    """The words of a text in order: letters, digits and pictures such as emoji."""
    if text.isascii():
        spans = [match.span() for match in _ASCII_WORD.finditer(text)]
    else:
        spans = list(_spans(text))
    words = [Word(*_spelled(text[start:end]), start, end) for start, end in spans]
    return [word for word in words if word.key]


def phrases(text: str) -> Iterator[list[Word]]:
    """The words of a text, parted where punctuation parts them."""
    phrase: list[Word] = []
    for word in words_of(text):
        if phrase and _parts(text[phrase[-1].end : word.start], phrase[-1]):
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase


@lru_cache(maxsize=2**16)
def singulars(word: str) -> tuple[str, ...]:
    """What a word may be the plural of, most likely first; itself among them."""
    return tuple(_singulars(word))


@lru_cache(maxsize=2**16)
def _spelled(raw: str) -> tuple[str, str | None]:
    """The key of a word, and of its owner."""
    folded = fold(raw)
    for mark in _APOSTROPHES[1:]:
        folded = folded.replace(mark, "'")
    owner = folded.removesuffix("'s")
    key = folded.replace("'", "")
    if owner == folded or not owner:
        return _AMERICAN.get(key, key), None
    return key, _AMERICAN.get(owner, owner)


def _parts(gap: str, before: Word) -> bool:
    """Whether what stands between two words parts them."""
    if gap in (" ", "-", ""):
        return False
    # "St. Bernard" is one phrase, "a cat. A dog" are two.
    if "." in gap and gap.strip() == "." and len(before.key) > 2 and gap != ".":
        return True
    return _BREAK.search(gap) is not None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of any text are."""
    start = -1
    for at, char in enumerate(text):
        kind = unicodedata.category(char)
        inside = start >= 0
        if kind[0] in "LN" or (inside and kind[0] == "M"):
            start = start if inside else at
            continue
        if inside and char in _APOSTROPHES and text[at + 1 : at + 2].isalnum():
            continue
        if inside:
            yield start, at
            start = -1
        if kind == "So":  # an emoji is a word by itself
            yield at, at + 1
    if start >= 0:
        yield start, len(text)


def _singulars(word: str) -> Iterator[str]:
    if word in IRREGULAR:
        yield IRREGULAR[word]
    yield word
    for ending, singular in _IRREGULAR_ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            yield word.removesuffix(ending) + singular
    if word.endswith("ies") and len(word) > 4:
        yield word[:-3] + "y"
    if word.endswith("ves"):
        yield word[:-3] + "f"
        yield word[:-3] + "fe"
    if word.endswith(("ses", "xes", "ches", "shes", "zes", "oes")):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
