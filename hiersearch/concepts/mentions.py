"""Which concepts of a vocabulary a text names.

A caption names what its photo shows at several levels at once: *a man riding a wave on a surfboard*
names a man, hence a person, a wave and a surfboard. Nothing is parsed: the longest names that stand
in the text count, singular or plural, and of the same words only the longest name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from hiersearch.concepts.vocabulary import Vocabulary
from hiersearch.errors import UsageError

__all__ = ["PEOPLE", "Mentions"]

PEOPLE = (
    *("adult", "baby", "babies", "batter", "bicyclist", "biker", "bikers", "boy", "boys"),
    *("catcher", "child", "children", "couple", "crowd", "cyclist", "female", "gentleman"),
    *("girl", "girls", "guy", "guys", "kid", "kids", "ladies", "lady", "male", "man", "men"),
    *("motorcyclist", "pedestrian", "pedestrians", "people", "person", "persons", "pitcher"),
    *("player", "players", "rider", "riders", "skateboarder", "skater", "skier", "snowboarder"),
    *("someone", "toddler", "toddlers", "woman", "women"),
)
"""Words of captions that say that people are there."""

LONGEST = 3
"""Words of the longest name that is looked for."""

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
}

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


class Mentions:
    """Finds a vocabulary's concepts in texts.

    Args:
        vocabulary: Its names are looked for, in any case.
        leave_out: Names that texts mostly use for something else, such as *orange* for a colour.
        also: Words that name a concept which is called otherwise, such as *guy* for *person*.

    Raises:
        UsageError: A name of `leave_out` or `also` is not in the vocabulary.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        leave_out: Iterable[str] = (),
        also: Mapping[str, str] | None = None,
    ) -> None:
        self._parents = vocabulary.parent_positions
        self._place = {name.casefold(): at for at, name in enumerate(vocabulary.names)}
        left_out = {name.casefold() for name in leave_out}
        more = {word.casefold(): name.casefold() for word, name in (also or {}).items()}
        for name in (*left_out, *more.values()):
            if name not in self._place:
                raise UsageError(
                    f"the vocabulary has no concept {name!r}", hint="See 'hiersearch concepts'"
                )
        self._more = {word: self._place[name] for word, name in more.items()}
        for name in left_out:
            del self._place[name]
        self._lineage = cache(self._with_ancestors)

    def __call__(self, text: str) -> frozenset[int]:
        """Positions in the vocabulary of what a text names, and of everything above it."""
        found: set[int] = set()
        for at in self._named(text):
            found |= self._lineage(at)
        return frozenset(found)

    def _named(self, text: str) -> Iterator[int]:
        words = _WORD.findall(text.casefold())
        yield from (self._more[word] for word in words if word in self._more)
        start = 0
        while start < len(words):
            length, at = self._longest(words[start : start + LONGEST])
            if at is not None:
                yield at
            start += length

    def _longest(self, words: list[str]) -> tuple[int, int | None]:
        """How many of the first words the longest name takes, and its place; one word if none."""
        for length in range(len(words), 0, -1):
            before = words[: length - 1]
            for last in singulars(words[length - 1]):
                at = self._place.get(" ".join([*before, last]))
                if at is not None:
                    return length, at
        return 1, None

    def _with_ancestors(self, at: int) -> frozenset[int]:
        found, waiting = {at}, [at]
        while waiting:
            for parent in self._parents[waiting.pop()]:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return frozenset(found)


def singulars(word: str) -> Iterator[str]:
    """What a word may be the plural of: first itself, then what fits better than it."""
    if word in IRREGULAR:
        yield IRREGULAR[word]
    yield word
    if word.endswith("ies") and len(word) > 4:
        yield word[:-3] + "y"
    if word.endswith("ves"):
        yield word[:-3] + "f"
        yield word[:-3] + "fe"
    if word.endswith(("ses", "xes", "ches", "shes", "zes", "oes")):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
