"""Which of the concepts that a text names it is about."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hiersearch.concepts.function_words import (
    AUXILIARIES,
    DETERMINERS,
    FUNCTION_WORDS,
    MEASURES,
    ONE,
    PICTURES,
    PREPOSITIONS,
    PRONOUNS,
    STATES,
    verb_of,
)
from hiersearch.concepts.spelling import IRREGULAR, Word, phrases, singulars

if TYPE_CHECKING:
    from hiersearch.concepts.naming import Named
    from hiersearch.concepts.vocabulary import Vocabulary

__all__ = ["head_of"]

_TIES = (PREPOSITIONS - {"of", "like"}) | AUXILIARIES
"""Words that tie what follows to what stands before."""


def head_of(text: str, named: Sequence[Named], vocabulary: Vocabulary) -> Named | None:
    """The head of the first noun phrase of a text, among what it names.

    Adjacent named words are one phrase, and its last word is its head: *kitchen table* is about a
    table, *baby elephant* about an elephant. The first phrase counts: *a cat on a sofa* is about a
    cat. There is more to it:

    * A concept above another one of the text says nothing more: *an animal, a poodle*.
    * A verb is no head, and ends its phrase: *man riding horse*, *a dog runs*, *kids play*.
    * A measure or a picture is of something: *a cup of coffee*, *a photo of a dog*, *dog photos*.
    * *Someone* and *something* name nothing that other words do not name better.
    * A text may be about something that is no concept: *sunset over the bay* is not about a bay,
      and *soccer teams* are not about soccer.

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
        if onward is not None and (run.is_of(onward) or run.goes_on_to(onward)):
            continue
        return None if run.goes_on() else run.head()
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
        """Whether it is a pronoun, or a verb such as that of *riding a horse*."""
        said = [one for one in self.members if one.words.casefold() not in PRONOUNS]
        verb = verb_of(said[0].words.casefold()) if len(said) == 1 else None
        if verb is None or verb[1] != "ing":
            return not said
        followed = bool(self.after) and self.after[0] in DETERMINERS
        # "a canoe heading home", where a canoe is no concept
        led = bool(self.before) and self.before[-1] not in FUNCTION_WORDS
        return followed or led

    def head(self) -> Named:
        """The last of its nouns that is not too general."""
        members = list(self.members)
        for at, one in enumerate(members[1:], start=1):
            verb = verb_of(one.words.casefold())
            if verb is not None and verb[1] == "ing":  # what follows is its object
                members = members[:at]
                break
        while len(members) > 1 and (
            self._ends_in_a_verb(members) or _is_picture(_last_word(members[-1]))
        ):
            members.pop()
        left = [one for one in members if one.concepts]
        return (left or [one for one in self.members if one.concepts])[-1]

    def goes_on(self) -> bool:
        """Whether the noun is still to come, and names nothing: *soccer teams*."""
        return bool(self.after) and self._is_noun(self.after[0])

    def goes_on_to(self, onward: _Run) -> bool:
        """Whether the noun is still to come, and is another run: *silver double decker bus*."""
        between = self._until(onward)
        return bool(between) and all(self._is_noun(word.key) for word in between)

    def _is_noun(self, word: str) -> bool:
        """Whether a word behind the run seems to be a noun.

        Where a verb is taken for one, the text is left to its vector.
        """
        if word in FUNCTION_WORDS or word in STATES or _is_picture(word) or word.isdigit():
            return False
        if word.endswith(("ing", "ed", "ly")) or verb_of(word) is not None or len(word) < 2:
            return False
        if _is_plural(_last_word(self.members[-1])):
            return False  # "dogs bark"
        singular = bool(self.before) and self.before[-1] in ONE
        return not (singular and word.endswith("s"))  # "a dog barks"

    def _until(self, onward: _Run) -> list[Word]:
        """The words between the run and another one of its phrase."""
        if self.words is not onward.words:
            return []
        start, end = self.members[-1].end, onward.members[0].start
        return [word for word in self.words if start <= word.start and word.end <= end]

    def is_of(self, onward: _Run) -> bool:
        """Whether it says how much, or in what picture, while another run says of what."""
        between = self._until(onward)
        return (
            any(form in MEASURES for form in singulars(_last_word(self.members[-1])))
            and bool(between)
            and between[0].key == "of"
            and not any(word.key in PREPOSITIONS for word in between[1:])
        )

    def _ends_in_a_verb(self, members: Sequence[Named]) -> bool:
        verb = verb_of(members[-1].words.casefold())
        if verb is None:
            return False
        if verb[1] == "s":
            return bool(self.before) and self.before[-1] in ONE
        return verb[1] == "" and _is_plural(_last_word(members[-2]))


def _last_word(named: Named) -> str:
    return named.words.casefold().split()[-1]


def _is_plural(word: str) -> bool:
    return word in IRREGULAR or (word.endswith("s") and not word.endswith("ss"))


def _is_picture(word: str) -> bool:
    return any(form in PICTURES for form in singulars(word))


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
    waiting = deque(named)
    for words in phrases(text):
        members: list[Named] = []
        covered = -1
        for word in words:
            if waiting and waiting[0].start <= word.start:
                one = waiting.popleft()
                members.append(one)
                covered = one.end
            elif word.start >= covered and members:  # a word that names nothing
                runs.append(_Run(words, members))
                members = []
        if members:
            runs.append(_Run(words, members))
    # A name without a word, such as "?!", is found as a whole text alone.
    return runs or [_Run((), [one]) for one in named]


def _hangs_on_unknown(text: str, run: _Run, named: Sequence[Named]) -> bool:
    """Whether a run is tied to a word before it that names no concept."""
    nouns = [word for word in run.words if word.end <= run.members[0].start]
    ties = [
        at
        for at, word in enumerate(nouns)
        if word.key in _TIES and text[max(word.start - 1, 0)] != "-"
    ]
    if not ties:
        return False
    return any(
        word.key not in FUNCTION_WORDS
        and not any(one.start <= word.start < one.end for one in named)
        for word in nouns[: ties[-1]]
    )
