"""What is understood of a text query: the concept that it names, and what has to be said about it.

A model makes a vector of anything, and every vector has nearest photos. Where the words of a query
mean nothing to the model, the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiersearch.concepts import Concept, ConceptNames, Vocabulary, head_of
from hiersearch.concepts.function_words import FUNCTION_WORDS
from hiersearch.encoder.words import Knowledge, ReadWord
from hiersearch.errors import FilterError

__all__ = ["Understanding", "concept_called", "understand"]

_SHOWN = 40
"""Characters of a word that a note shows."""


@dataclass(frozen=True)
class Understanding:
    """What is understood of a text query.

    Attributes:
        concepts: Positions in the vocabulary of the concept that the query names; several where
            one name means several, none where it names none.
        readable: Whether the model knows any of its words.
        notes: What a user has to be told: what is not understood, and what to do.
    """

    concepts: tuple[int, ...] = ()
    readable: bool = True
    notes: tuple[str, ...] = ()


def understand(
    text: str,
    names: ConceptNames,
    vocabulary: Vocabulary,
    read: Callable[[str], Sequence[ReadWord]],
) -> Understanding:
    """What is understood of a text query.

    Args:
        text: The query.
        names: The vocabulary's names.
        vocabulary: The concepts.
        read: What the model makes of a text, as `HierarchicalEncoder.read_words` tells.
    """
    head = head_of(text, names.find(text), vocabulary)
    words = read(text)
    unknown = [word for word in words if word.knowledge is Knowledge.UNKNOWN]
    letters = [word for word in words if word.knowledge is Knowledge.LETTERS]
    if any(map(_means, words)):
        note = (_left_out(unknown),) if unknown else ()
        return Understanding(head.concepts if head else (), notes=note)
    if head is not None:
        # What the vocabulary says for it the model may know: a synonym in another language.
        known = tuple(at for at in head.concepts if any(map(_means, read(vocabulary.names[at]))))
        if known and unknown:  # of several, no vector of the text could choose
            read_as = _read_as(unknown, vocabulary.names[known[0]])
            return Understanding(known[:1], readable=False, notes=(read_as,))
        if known:
            return Understanding(known)
        if not unknown:
            return Understanding(head.concepts)
    if not unknown and not letters:
        return Understanding()
    return Understanding(readable=False, notes=(_nothing_known(unknown, letters),))


def _means(word: ReadWord) -> bool:
    """Whether a word carries meaning for the model."""
    known = word.knowledge in (Knowledge.WORD, Knowledge.PARTS)
    return known and len(word.text) > 1 and word.text.casefold() not in FUNCTION_WORDS


def _left_out(unknown: Sequence[ReadWord]) -> str:
    return (
        f"The model does not know {_listed(unknown)}, which say{_s(unknown)} nothing to it here. "
        "Write it in English words."
    )


def _read_as(unknown: Sequence[ReadWord], name: str) -> str:
    return (
        f"The model does not know {_listed(unknown)}; the vocabulary does: the photos are those "
        f"nearest to {name!r}."
    )


def _nothing_known(unknown: Sequence[ReadWord], letters: Sequence[ReadWord]) -> str:
    if unknown:
        return (
            f"The model does not know {_listed([*unknown, *letters])}: there are no levels, and "
            "the order of the photos means nothing. Write the query in English words."
        )
    foreign = any(not word.text.isascii() for word in letters)
    todo = "Write it in English" if foreign else "Check the spelling, or try another word"
    return (
        f"{_listed(letters)} {_is(letters)} neither in the vocabulary nor known to the model: "
        "there are no levels, and the photos are a guess from the letters. "
        f"{todo}."
    )


def _listed(words: Sequence[ReadWord]) -> str:
    shown = list(dict.fromkeys(_short(word.text) for word in words))
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _short(word: str) -> str:
    return f"'{word}'" if len(word) <= _SHOWN else f"'{word[:_SHOWN]}...'"


def _s(words: Sequence[ReadWord]) -> str:
    return "" if len({word.text for word in words}) > 1 else "s"


def _is(words: Sequence[ReadWord]) -> str:
    return "are" if len({word.text for word in words}) > 1 else "is"


def concept_called(name: str, names: ConceptNames, vocabulary: Vocabulary) -> str:
    """The id of the concept that a condition on concepts means.

    Args:
        name: Its id, its name or a synonym, in the singular or the plural.
        names: The vocabulary's names.
        vocabulary: The concepts.

    Raises:
        FilterError: No concept is called so, or several are; the hint says how to go on.
    """
    if name in vocabulary:
        return name
    found = [vocabulary.concepts[at] for at in names.whole(name)]
    if len(found) == 1:
        return found[0].id
    if found:
        listed = ", ".join(f"{one.id!r} ({_placed(one, vocabulary)})" for one in found)
        raise FilterError(
            f"{len(found)} concepts are called {name!r}: {listed}",
            hint=f"Say which by its id: concept={found[0].id}",
        )
    nearest = " or ".join(map(repr, names.nearest(name)))
    meant = f"Did you mean {nearest}? " if nearest else ""
    raise FilterError(
        f"the vocabulary has no concept {name!r}", hint=f"{meant}See 'hiersearch concepts'"
    )


def _placed(concept: Concept, vocabulary: Vocabulary) -> str:
    """A concept and what is directly above it, which tells it from others of its name."""
    if not concept.parents:
        return f"{concept.name}, under nothing"
    return f"{concept.name}, under {vocabulary[concept.parents[0]].name}"
