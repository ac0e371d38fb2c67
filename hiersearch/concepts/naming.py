"""Which concepts of a vocabulary a text names, with which of its words.

Nothing is parsed: the longest names that stand in the text count, in the text's order, and of the
same words only the longest name. A name is found in the singular and the plural, with or without
accents and capitals, and with a hyphen, a space or nothing between its words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from hiersearch.concepts.function_words import (
    DETERMINERS,
    FUNCTION_WORDS,
    PLAIN_ADJECTIVES,
    verb_of,
)
from hiersearch.concepts.spelling import Word, fold, phrases, singulars, words_of
from hiersearch.concepts.vocabulary import Vocabulary

__all__ = ["ConceptNames", "Named"]

_NAME, _SYNONYM, _SINGULAR = range(3)
"""What words can be of a concept, best first; the last is the singular of a plural name."""

_INNER = frozenset({"of", "in", "on", "at"})
"""Words behind the noun of a name such as *bird of prey*, whose plural is *birds of prey*."""

_KEPT = 50_000
"""Words whose concepts are kept at hand."""


@dataclass(frozen=True, slots=True)
class Named:
    """Words of a text that name a concept.

    Attributes:
        words: The words, as they are written.
        start: Where in the text they begin.
        end: Where they end.
        concepts: Positions in the vocabulary of what they name, ascending: several where one name
            means several concepts.
    """

    words: str
    start: int
    end: int
    concepts: tuple[int, ...]


class _Entry(NamedTuple):
    """One way to say a concept."""

    kind: int
    words: tuple[str, ...]
    concept: int


class ConceptNames:
    """The names and synonyms of a vocabulary, found in texts.

    Args:
        vocabulary: Its names and synonyms are looked for.
        leave_out: Names and synonyms that are not.
        possessives: Whether *dog's* names a dog.
        names_first: Whether the plural of a name beats a synonym that is written like it; of the
            same words without a change, a name always does.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        leave_out: Iterable[str] = (),
        possessives: bool = True,
        names_first: bool = False,
    ) -> None:
        self._vocabulary = vocabulary
        self._possessives = possessives
        self._names_first = names_first
        self._entries: dict[str, list[_Entry]] = {}
        self._whole: dict[str, list[_Entry]] = {}
        self._single: dict[str, tuple[int, ...]] = {}
        self._longest = 1
        left_out = {fold(name) for name in leave_out}
        # "green" is not the singular of "greens" unless the vocabulary speaks in plurals.
        plurals = _speaks_in_plurals(vocabulary.names)
        for at, concept in enumerate(vocabulary):
            self._add(_NAME, concept.name, at, left_out)
            for synonym in concept.synonyms:
                self._add(_SYNONYM, synonym, at, left_out)
            if plurals:
                *before, last = concept.name.split()
                for form in singulars(fold(last)):
                    if form != fold(last):
                        self._add(_SINGULAR, " ".join([*before, form]), at, left_out)

    def find(self, text: str) -> tuple[Named, ...]:
        """What a text names, in its order. The words of two of them do not overlap."""
        whole = _concepts(self._whole.get(_exact(text), ()))
        if whole:
            bare = text.strip()
            start = text.index(bare)
            return (Named(bare, start, start + len(bare), whole),)
        return tuple(self._named(text))

    def whole(self, text: str) -> tuple[int, ...]:
        """Positions of the concepts that a text as a whole is a name of."""
        found = self.find(text)
        if len(found) != 1:
            return ()
        (named,) = found
        beside = [word for word in words_of(text) if not named.start <= word.start < named.end]
        return () if any(word.key not in DETERMINERS for word in beside) else named.concepts

    def nearest(self, text: str, *, limit: int = 3) -> tuple[str, ...]:
        """The names that are spelled most like a text, the most alike first; perhaps none."""
        names = {fold(name): name for name in reversed(self._vocabulary.names)}
        meant = fold(text.strip())
        # Letters that changed places are the commonest slip, and difflib thinks little of them.
        swapped = [name for name in names if sorted(name) == sorted(meant)]
        alike = dict.fromkeys([*swapped, *get_close_matches(meant, names, n=limit)])
        return tuple(names[name] for name in alike)[:limit]

    def _add(self, kind: int, name: str, at: int, left_out: set[str]) -> None:
        if left_out and fold(name) in left_out:
            return
        words = tuple(word.key for word in words_of(name))
        if kind == _NAME or not words:
            self._whole.setdefault(_exact(name), []).append(_Entry(kind, words, at))
        if not words:
            return
        joined = "".join(words)
        self._entries.setdefault(joined, []).append(_Entry(kind, words, at))
        self._longest = max(self._longest, len(words))

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        """What names begin with, without their last letter."""
        return frozenset(
            joined[:length] for joined in self._entries for length in range(1, len(joined))
        )

    def _named(self, text: str) -> Iterator[Named]:
        for words in phrases(text):
            at = 0
            while at < len(words):
                count, concepts = self._longest_name(text, words, at)
                if concepts:
                    start, end = words[at].start, words[at + count - 1].end
                    yield Named(text[start:end], start, end, concepts)
                at += count

    def _longest_name(
        self, text: str, words: Sequence[Word], at: int
    ) -> tuple[int, tuple[int, ...]]:
        """How many words from one on the longest name takes, and its concepts; one if none."""
        for count in range(self._reach(words, at), 0, -1):
            end = at + count
            # "flip-flops" is no flip, and "snow-covered" no snow; a "go-cart" is a cart.
            if end < len(words) and text[words[end - 1].end : words[end].start] == "-":
                continue
            if count == 1:
                return 1, self._one_word(words[at])
            entries = self._best(text, words[at:end])
            if entries:
                return count, _concepts(entries)
        return 1, ()

    def _reach(self, words: Sequence[Word], at: int) -> int:
        """How many words from one on are worth a look: as long as a name begins like them."""
        begun, count = words[at].key, 1
        most = min(len(words) - at, self._longest + 1)
        if most > 2 and words[at + 1].key in _INNER:
            return most
        while count < most and begun in self._beginnings:
            begun += words[at + count].key
            count += 1
        return count

    def _one_word(self, word: Word) -> tuple[int, ...]:
        known = word.key if word.owner is None else f"{word.owner}'s"
        found = self._single.get(known)
        if found is None:
            found = _concepts(self._best("", [word]))
            # Texts say the same few words again and again; the rest need not be kept.
            if len(self._single) > _KEPT:
                self._single.clear()
            self._single[known] = found
        return found

    def _best(self, text: str, words: Sequence[Word]) -> list[_Entry]:
        """The best way to read some words as one name.

        As they are written first, unless names come first always: "steps" are the synonym of
        stairs, not several of what is called a step. Then names, then synonyms.
        """
        keys = tuple([word.key for word in words])
        written = "".join(keys)
        found: dict[tuple[bool, int, int, bool], list[_Entry]] = {}
        for order, form in enumerate(self._forms(words, keys)):
            joined = "".join(form)
            for entry in self._entries[joined]:
                apart = entry.words != form
                if apart and not _can_be_one(text, words, form, entry.words):
                    continue
                changed = not self._names_first and joined != written
                found.setdefault((changed, entry.kind, order, apart), []).append(entry)
        return found[min(found)] if found else []

    def _forms(self, words: Sequence[Word], keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """The names that the words are, or that they may be the plural or the possessive of."""
        last = words[-1]
        if last.owner is None:
            lasts = singulars(last.key)
        else:
            lasts = (last.key, *(singulars(last.owner) if self._possessives else ()))
        before = "".join(keys[:-1])
        for form in lasts:
            if before + form in self._entries:
                yield (*keys[:-1], form)
        if len(keys) > 2 and keys[1] in _INNER:
            for form in singulars(keys[0]):
                if form != keys[0] and "".join([form, *keys[1:]]) in self._entries:
                    yield (form, *keys[1:])


def _can_be_one(
    text: str, words: Sequence[Word], form: tuple[str, ...], name: tuple[str, ...]
) -> bool:
    """Whether words may be a name that is written with other spaces: hot dog, hotdog.

    Args:
        text: The text.
        words: Some of its words, one after the other.
        form: Their keys, in the singular.
        name: The words of the name, which are the same letters.
    """
    if any(word in FUNCTION_WORDS for word in (*form, *name)):
        return False  # "a corn" is no acorn
    if len(words) == 1 or all(text[one.end : two.start] == "-" for one, two in pairwise(words)):
        return True
    if words[0].key in PLAIN_ADJECTIVES:
        return False
    # "a cat walks" is no catwalk.
    return form[-1] == words[-1].key or verb_of(form[-1]) is None


def _concepts(entries: Iterable[_Entry]) -> tuple[int, ...]:
    return tuple(sorted({entry.concept for entry in entries}))


def _exact(text: str) -> str:
    """A name as it is written, but for case and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _speaks_in_plurals(names: Sequence[str]) -> bool:
    """Whether most names are plurals: dogs, cats, birds."""
    single = [name for name in names if len(name.split()) == 1]
    many = [name for name in single if fold(name).endswith("s") and not name.endswith("ss")]
    return 2 * len(many) > len(single)
