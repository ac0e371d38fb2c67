"""Hierarchies of texts, and the graphs of concepts that they are drawn from.

Both can be cleared of what would give away the answers of a test (`without_pairs`); hierarchies are
split into what trains and what validates.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from hiersearch.concepts import Vocabulary
from hiersearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "ConceptGraph",
    "Hierarchy",
    "Split",
    "checked_text",
    "clean_text",
    "split",
    "split_hierarchies",
    "text_key",
    "without_pairs",
]

MAX_TEXT = 2000
"""The longest text that `checked_text` lets pass, in characters."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Texts from general to specific, and for each a text that contradicts it.

    Attributes:
        positive: At least two texts; each is true of whatever the next one is true of.
        negative: As many texts, `negative[i]` neither more general nor more specific than
            `positive[i]`; or none.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.positive) < 2:
            raise ValueError("a hierarchy has at least two tiers")
        if self.negative and len(self.negative) != len(self.positive):
            raise ValueError("a hierarchy has one negative for each tier, or none")

    @property
    def triples(self) -> tuple[tuple[str, str, str], ...]:
        """Parent, child, and negative of the parent's tier; none where there are no negatives."""
        if not self.negative:
            return ()
        return tuple(zip(self.positive, self.positive[1:], self.negative, strict=False))


@dataclass(frozen=True)
class ConceptGraph:
    """A vocabulary to draw hierarchies from: concepts may have several names, and steps may be cut.

    Attributes:
        vocabulary: The concepts and their parents, including the cut steps: whether two concepts
            are related is decided by it.
        synonyms: Further names of concepts, by id.
        cut: Steps, (child's id, parent's id), that no hierarchy takes.
        apart: Pairs of text keys that never meet as a tier and its negative.
        uses: How often each name of a concept stands for it in real texts, by id and in the order
            of `names`; a missing concept is not used. Empty if nothing is known.
    """

    vocabulary: Vocabulary
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cut: frozenset[tuple[str, str]] = frozenset()
    apart: frozenset[frozenset[str]] = frozenset()
    uses: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def names(self, concept: str) -> tuple[str, ...]:
        """All names of a concept, given its id; the vocabulary's name first."""
        return (self.vocabulary[concept].name, *self.synonyms.get(concept, ()))

    @cached_property
    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each concept's names, in the names' order, by its id."""
        return {c.id: tuple(map(text_key, self.names(c.id))) for c in self.vocabulary}

    @cached_property
    def concepts_by_key(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the concepts that bear a name, by the name's key."""
        found: dict[str, dict[str, None]] = {}
        for concept, keys in self.keys.items():
            for key in keys:
                found.setdefault(key, {})[concept] = None
        return {key: tuple(ids) for key, ids in found.items()}

    @cached_property
    def kept_parents(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of each concept's parents, without the cut steps."""
        return {
            concept.id: tuple(p for p in concept.parents if (concept.id, p) not in self.cut)
            for concept in self.vocabulary
        }

    def related(self, one: str, other: str) -> bool:
        """Whether one text can mean the same as another, or something above or below it.

        A text stands for every concept that bears it: *bat* is below *animal* and below *club*.

        Args:
            one: The key of a concept's name.
            other: That of another.
        """
        return (
            not self._up(one).isdisjoint(self.concepts_by_key[other])
            or not self._up(other).isdisjoint(self.concepts_by_key[one])
            or (bool(self.apart) and frozenset((one, other)) in self.apart)
        )

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        return {}

    def _up(self, key: str) -> frozenset[str]:
        """The ids of the concepts that bear a name and of everything above them."""
        found = self._known.get(key)
        if found is None:
            bearers = self.concepts_by_key[key]
            found = frozenset(bearers).union(*map(self.vocabulary.ancestors, bearers))
            self._known[key] = found
        return found


@dataclass(frozen=True, slots=True)
class Split(Generic[Item]):
    """Items to train on and items to validate with, each in their original order."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]


def text_key(text: str) -> str:
    """A key that texts share which differ only in case, spacing or Unicode form."""
    if text.isascii():  # much faster, and what most texts are
        return clean_text(text.lower())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return clean_text(folded)


def clean_text(text: str) -> str:
    """The text with single spaces, and none at its ends."""
    return " ".join(text.split())


def checked_text(text: str) -> str:
    """A text with single spaces.

    Raises:
        ValueError: It is empty, too long, not UTF-8, or holds control characters; says which.
    """
    text = clean_text(text)
    if not text:
        raise ValueError("an empty text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"a text of {len(text)} characters")
    if text.isprintable():  # much faster, and what most texts are
        return text
    kinds = set(map(unicodedata.category, text))
    if "Cs" in kinds:  # a lone surrogate stands for a byte that is not UTF-8
        raise ValueError("not UTF-8")
    if "Cc" in kinds:
        raise ValueError("a control character")
    return text


def split(
    items: Iterable[Item], *, key: Callable[[Item], str], share: float, seed: int
) -> Split[Item]:
    """Split items so that those with the same key stay together.

    Which side a key falls on depends on the seed and the set of keys, not on their order.

    Args:
        items: What to split.
        key: The key of an item; no key is on both sides.
        share: The share of keys that goes to validation, from 0 to below 1; at least one key if it
            is above 0 and there are two keys.
        seed: Random seed.

    Raises:
        UsageError: The share is out of range.
    """
    if not 0 <= share < 1:
        raise UsageError(
            f"a validation share of {share} leaves nothing to train on",
            hint="Give a share from 0 to below 1",
        )
    keyed = [(key(item), item) for item in items]
    keys = sorted({k for k, _ in keyed}, key=lambda k: _draw(k, seed))
    count = min(len(keys) - 1, max(1, round(share * len(keys)))) if share and keys else 0
    chosen = set(keys[:count])
    return Split(
        train=tuple(item for k, item in keyed if k not in chosen),
        validation=tuple(item for k, item in keyed if k in chosen),
    )


def split_hierarchies(
    hierarchies: Sequence[Hierarchy], *, share: float = 0.05, seed: int
) -> Split[Hierarchy]:
    """Split hierarchies so that all with the same most specific text stay together.

    Args:
        hierarchies: What to split.
        share: As for `split`.
        seed: As for `split`.

    Raises:
        UsageError: The share is out of range.
    """
    return split(hierarchies, key=lambda h: text_key(h.positive[-1]), share=share, seed=seed)


def _draw(key: str, seed: int) -> tuple[bytes, str]:
    content = f"{seed}\n{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest(), key


@overload
def without_pairs(
    source: Vocabulary | ConceptGraph, pairs: Iterable[tuple[str, str]]
) -> ConceptGraph: ...
@overload
def without_pairs(
    source: Sequence[Hierarchy], pairs: Iterable[tuple[str, str]]
) -> tuple[Hierarchy, ...]: ...
def without_pairs(
    source: Vocabulary | ConceptGraph | Sequence[Hierarchy], pairs: Iterable[tuple[str, str]]
) -> ConceptGraph | tuple[Hierarchy, ...]:
    """Remove from training every given pair of texts, in either direction, and what implies it.

    The steps from a text (or a concept) to the one directly above it make a graph; hierarchies make
    one graph together. A pair (a, b) is implied if the graph leads from a up to b or from b up to
    a. For each pair, every step is cut that leads from a to b itself or to anything below b, and
    likewise from b towards a. So the more specific of the two loses steps, and afterwards no chain
    of steps, however long and across however many hierarchies, leads from one to the other. Nor do
    the two meet as a tier and its negative. Everything else stays. Texts are compared without
    regard to case and spacing; a concept stands for all of its names.

    A concept graph keeps its vocabulary whole, so that cut steps still count when negatives are
    checked: a food whose step to *food* is cut is still no negative of *food*.

    Hierarchies are cut in two at a cut step, and lose a tier that makes a pair with its own
    negative; parts of fewer than two tiers are dropped.

    Args:
        source: A vocabulary, a concept graph, or hierarchies.
        pairs: Pairs of texts, in either order. A pair of equal texts, or with a text that the
            source does not have, has no effect.

    Returns:
        A concept graph for a vocabulary or concept graph, hierarchies for hierarchies.
    """
    keys = {
        frozenset((text_key(one), text_key(other)))
        for one, other in pairs
        if text_key(one) != text_key(other)
    }
    if isinstance(source, Vocabulary):
        source = ConceptGraph(source)
    if not keys:
        return source if isinstance(source, ConceptGraph) else tuple(source)
    return (
        _cut_graph(source, keys)
        if isinstance(source, ConceptGraph)
        else _cut_hierarchies(source, keys)
    )


def _cut_graph(graph: ConceptGraph, pairs: set[frozenset[str]]) -> ConceptGraph:
    vocabulary = graph.vocabulary

    @functools.cache
    def up(concept: str) -> frozenset[str]:
        return vocabulary.ancestors(concept) | {concept}

    by_key = graph.concepts_by_key
    cut = {
        (low, parent)
        for pair in pairs
        for one, other in itertools.permutations(sorted(pair))
        for low in by_key.get(one, ())
        for parent in vocabulary[low].parents
        if not up(parent).isdisjoint(by_key.get(other, ()))
    }
    return dataclasses.replace(graph, cut=graph.cut | cut, apart=graph.apart | frozenset(pairs))


def _cut_hierarchies(
    hierarchies: Sequence[Hierarchy], pairs: set[frozenset[str]]
) -> tuple[Hierarchy, ...]:
    above: dict[str, set[str]] = {}
    for hierarchy in hierarchies:
        # Tiers that are taken out later join their neighbours, so every distance is a step.
        for high, low in itertools.combinations(map(text_key, hierarchy.positive), 2):
            above.setdefault(low, set()).add(high)

    @functools.cache
    def up(key: str) -> frozenset[str]:
        return _up(key, above)

    cut = {
        (low, parent)
        for pair in pairs
        for low, high in itertools.permutations(sorted(pair))
        for parent in above.get(low, ())
        if high in up(parent)
    }
    return tuple(part for hierarchy in hierarchies for part in _cut(hierarchy, cut, pairs))


def _up(start: str, above: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """A text and everything above it. The graph may have cycles: captions are not a dictionary."""
    found = {start}
    waiting = [start]
    while waiting:
        for parent in above.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return frozenset(found)


def _cut(
    hierarchy: Hierarchy, cut: set[tuple[str, str]], pairs: set[frozenset[str]]
) -> Iterator[Hierarchy]:
    negative = hierarchy.negative or ("",) * len(hierarchy.positive)
    tiers = [
        (text, other)
        for text, other in zip(hierarchy.positive, negative, strict=True)
        if frozenset((text_key(text), text_key(other))) not in pairs
    ]
    start = 0
    for end in range(1, len(tiers) + 1):
        if end < len(tiers) and (text_key(tiers[end][0]), text_key(tiers[end - 1][0])) not in cut:
            continue
        part = tiers[start:end]
        if len(part) > 1:
            texts, others = zip(*part, strict=True)
            yield Hierarchy(texts, others if hierarchy.negative else ())
        start = end
