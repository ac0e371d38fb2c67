"""Which of the concepts that a text names it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hiersearch.concepts.function_words import (
    DETERMINERS,
    FUNCTION_WORDS,
    MEASURES,
    ONE,
    PREPOSITIONS,
    PRONOUNS,
    verb_of,
)
from hiersearch.concepts.spelling import IRREGULAR, Word, phrases, singulars

if TYPE_CHECKING:
    from hiersearch.concepts.naming import Named
    from hiersearch.concepts.vocabulary import Vocabulary

__all__ = ["head_of"]


def head_of(text: str, named: Sequence[Named], vocabulary: Vocabulary) -> Named | None:
    """The head of the first noun phrase of a text, among what it names.

    Adjacent named words are one phrase, and its last word is its head: *kitchen table* is about a
    table, *baby elephant* about an elephant. The first phrase counts: *a cat on a sofa* is about a
    cat. There is more to it:

    * A concept above another one of the text says nothing more: *an animal, a poodle*.
    * A verb is no head, and ends its phrase: *man riding horse*, *a dog runs*, *kids play*.
    * After a measure or a picture comes what it is of: *a cup of coffee*, *a photo of a dog*.
    * *Someone* and *something* name nothing that other words do not name better.
    * What stands behind a preposition is not what a text is about that names something unknown
      before it: *sunset over the bay* is not about a bay.

    Args:
        text: The text.
        named: What it names, as `ConceptNames.find` gives it.
        vocabulary: What the concepts are from.

    Returns:
        One of `named`, without the concepts that are above others; None if the text is about
        something that is no concept.
    """
    runs = [
        run
        for run in _runs(text, _without_general(named, vocabulary))
        if any(one.concepts for one in run.members)
    ]
    rest = [run for run in runs if not run.is_filler()] or runs
    if not rest or _hangs_on_unknown(text, rest[0], named):
        return None
    for at, run in enumerate(rest):
        onward = rest[at + 1] if at + 1 < len(rest) else None
        if onward is None or not run.is_of(onward):
            return run.head()
    return None


class _Run:
    """Adjacent words of a text that name something.

    Args:
        words: The words of its phrase.
        members: What they name; nothing where it was too general.
    """

    def __init__(self, words: Sequence[Word], members: Sequence[Named]) -> None:
        self.members = members
        self.before = [word.key for word in words if word.end <= members[0].start]
        self.after = [word.key for word in words if word.start >= members[-1].end]
        self.words = words

    def is_filler(self) -> bool:
        """Whether it is a pronoun, or a verb in front of its object: *riding a horse*."""
        said = [one for one in self.members if one.words.casefold() not in PRONOUNS]
        verb = verb_of(said[0].words.casefold()) if len(said) == 1 else None
        followed = bool(self.after) and self.after[0] in DETERMINERS
        return not said or (verb is not None and verb[1] == "ing" and followed)

    def head(self) -> Named:
        """The last of its nouns that is not too general."""
        members = list(self.members)
        for at, one in enumerate(members[1:], start=1):
            verb = verb_of(one.words.casefold())
            if verb is not None and verb[1] == "ing":  # what follows is its object
                members = members[:at]
                break
        while len(members) > 1 and self._ends_in_a_verb(members):
            members.pop()
        left = [one for one in members if one.concepts]
        return (left or [one for one in self.members if one.concepts])[-1]

    def is_of(self, onward: _Run) -> bool:
        """Whether it says how much, or in what picture, while another run says of what."""
        last = self.members[-1].words.casefold().split()[-1]
        between = [word for word in self.words if word.start >= self.members[-1].end]
        between = [word for word in between if word.end <= onward.members[0].start]
        return (
            self.words is onward.words
            and any(form in MEASURES for form in singulars(last))
            and bool(between)
            and between[0].key == "of"
            and not any(word.key in PREPOSITIONS for word in between[1:])
        )

    def _ends_in_a_verb(self, members: Sequence[Named]) -> bool:
        word, previous = members[-1].words.casefold(), members[-2].words.casefold()
        verb = verb_of(word)
        if verb is None:
            return False
        if verb[1] == "s":
            return bool(self.before) and self.before[-1] in ONE
        return verb[1] == "" and _is_plural(previous)


def _is_plural(words: str) -> bool:
    last = words.split()[-1]
    return last in IRREGULAR or (last.endswith("s") and not last.endswith("ss"))


def _without_general(named: Sequence[Named], vocabulary: Vocabulary) -> list[Named]:
    """What a text names, without the concepts above others of them."""
    ids = [concept.id for concept in vocabulary]
    above = {
        vocabulary.position(one)
        for concept in {at for every in named for at in every.concepts}
        for one in vocabulary.ancestors(ids[concept])
    }
    return [
        replace(one, concepts=tuple(at for at in one.concepts if at not in above)) for one in named
    ]


def _runs(text: str, named: Sequence[Named]) -> list[_Run]:
    """Runs of adjacent words that name something, in the order of the text."""
    runs: list[_Run] = []
    for words in phrases(text) or ():
        inside = [one for one in named if words[0].start <= one.start <= words[-1].start]
        members: list[Named] = []
        for one in inside:
            if members and any(members[-1].end <= word.start < one.start for word in words):
                runs.append(_Run(words, members))
                members = []
            members.append(one)
        if members:
            runs.append(_Run(words, members))
    # A name without a word, such as "?!", is found as a whole text alone.
    return runs or [_Run((), [one]) for one in named]


def _hangs_on_unknown(text: str, run: _Run, named: Sequence[Named]) -> bool:
    """Whether a preposition ties a run to a word before it that names no concept."""
    nouns = [word for word in run.words if word.end <= run.members[0].start]
    ties = [
        at
        for at, word in enumerate(nouns)
        if word.key in PREPOSITIONS - {"of", "like"} and text[max(word.start - 1, 0)] != "-"
    ]
    if not ties:
        return False
    return any(
        word.key not in FUNCTION_WORDS
        and not any(one.start <= word.start < one.end for one in named)
        for word in nouns[: ties[-1]]
    )
