"""A hierarchy of texts, and its parting into what trains and what validates.

A vocabulary as something to train on: other names for its concepts, and steps left out.

Leaving out what would give away the answers of a test.
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
from hiersearch.files import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hiersearch.concepts import Vocabulary

__all__ = [
    "Hierarchy",
    "Split",
    "Taxonomy",
    "read_pairs",
    "split",
    "split_hierarchies",
    "text_key",
    "without_pairs",
]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Texts from general to specific, and for each a text that it does not hold true of.

    Attributes:
        positive: At least two texts; each is true of whatever the next is true of.
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


@dataclass(frozen=True, slots=True)
class Split(Generic[Item]):
    """Items to train on and items to validate with, each in the order they came in."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]


def text_key(text: str) -> str:
    """What two texts have in common that differ in case, spacing or Unicode's form at most."""
    if text.isascii():  # much faster, and what most texts are
        return clean_text(text.lower())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return clean_text(folded)


def split(
    items: Iterable[Item], *, key: Callable[[Item], str], share: float, seed: int
) -> Split[Item]:
    """Part items so that those with one key stay together.

    A key's side hangs on the seed and on which keys there are, not on their order.

    Args:
        items: What to part.
        key: What must not stand on both sides.
        share: The part of the keys that goes to validation, from 0 to below 1; where it is above 0
            and there are two keys, at least one.
        seed: Other seeds choose other keys.

    Raises:
        UsageError: The share is out of its range.
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
    """Part hierarchies so that equal ones stay together, as do all of one most specific text.

    Args:
        hierarchies: What to part.
        share: As for `split`.
        seed: As for `split`.

    Raises:
        UsageError: The share is out of its range.
    """
    return split(hierarchies, key=lambda h: text_key(h.positive[-1]), share=share, seed=seed)


def _draw(key: str, seed: int) -> tuple[bytes, str]:
    content = f"{seed}\n{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest(), key


@dataclass(frozen=True)
class Taxonomy:
    """A directed graph without cycles, of concepts that may have several names.

    Attributes:
        vocabulary: The concepts and what is above them, whole: what is a kind of what is asked
            here, also where a step is cut.
        synonyms: Further names of concepts, by id.
        cut: Steps, (child's id, parent's id), that no hierarchy takes.
        apart: Pairs of text keys that are no tier and negative of each other.
        uses: How often each name of a concept stands for it in real texts, by id and in the order
            of `names`; a concept that is missing is not used. Empty where nothing is known.
    """

    vocabulary: Vocabulary
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cut: frozenset[tuple[str, str]] = frozenset()
    apart: frozenset[frozenset[str]] = frozenset()
    uses: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def names(self, concept: str) -> tuple[str, ...]:
        """All names of a concept, by its id; the vocabulary's first."""
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
        """The ids of each concept's parents but for the cut steps."""
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


Pair = tuple[str, str]

HEADER = "WORD1"
"""What the first line of HyperLex' files begins with."""


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read pairs of words: the first two of each line, as in HyperLex' files.

    Args:
        path: Words are parted by spaces, tabs or commas; what follows the second is passed over,
            and so are empty lines and HyperLex' header.

    Raises:
        UsageError: The file cannot be read, or a line has but one word; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the pairs in {path} cannot be read: {error}") from error
    pairs: list[Pair] = []
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        if not words or words[0] == HEADER:
            continue
        if len(words) < 2:
            raise UsageError(
                f"{path}, line {number}: {line.strip()!r} is no pair",
                hint="Give two words in each line",
            )
        pairs.append((words[0], words[1]))
    return tuple(pairs)


@overload
def without_pairs(source: Vocabulary | Taxonomy, pairs: Iterable[Pair]) -> Taxonomy: ...
@overload
def without_pairs(source: Sequence[Hierarchy], pairs: Iterable[Pair]) -> tuple[Hierarchy, ...]: ...
def without_pairs(
    source: Vocabulary | Taxonomy | Sequence[Hierarchy], pairs: Iterable[Pair]
) -> Taxonomy | tuple[Hierarchy, ...]:
    """Take out of training every given pair of texts, in either direction, and what implies it.

    The steps from a text (or a concept) to the one directly above it make a graph; those of
    hierarchies, the one graph of all of them. A pair (a, b) is implied where the graph leads from a
    up to b or from b up to a. For each pair, every step is cut that leads from a to b itself or to
    anything below b, and likewise from b towards a. So it is the more specific of the two that
    loses steps, and afterwards no chain of steps, however long and out of however many hierarchies,
    leads from one to the other. Nor do the two meet as a tier and the negative of that tier. All
    else stays. Texts are compared without regard to case and spacing; a concept stands for all of
    its names.

    A taxonomy keeps its vocabulary whole, so that what is cut still counts when negatives are
    checked: a food whose step to *food* is cut is no negative of *food*.

    Hierarchies are cut in two where a step is cut, and lose a tier that makes a pair with its own
    negative; parts of fewer than two tiers fall away.

    Args:
        source: A vocabulary, a taxonomy, or hierarchies.
        pairs: Pairs of texts; the order within a pair does not matter. A pair of equal texts, or
            with a text that is nowhere in the source, has no effect.

    Returns:
        A taxonomy for a vocabulary or taxonomy, hierarchies for hierarchies.
    """
    keys = {
        frozenset((text_key(one), text_key(other)))
        for one, other in pairs
        if text_key(one) != text_key(other)
    }
    if isinstance(source, Vocabulary):
        source = Taxonomy(source)
    if not keys:
        return source if isinstance(source, Taxonomy) else tuple(source)
    return _taxonomy(source, keys) if isinstance(source, Taxonomy) else _parts(source, keys)


def _taxonomy(taxonomy: Taxonomy, pairs: set[frozenset[str]]) -> Taxonomy:
    vocabulary = taxonomy.vocabulary

    @functools.cache
    def up(concept: str) -> frozenset[str]:
        return vocabulary.ancestors(concept) | {concept}

    by_key = taxonomy.concepts_by_key
    cut = {
        (low, parent)
        for pair in pairs
        for one, other in itertools.permutations(sorted(pair))
        for low in by_key.get(one, ())
        for parent in vocabulary[low].parents
        if not up(parent).isdisjoint(by_key.get(other, ()))
    }
    return dataclasses.replace(
        taxonomy, cut=taxonomy.cut | cut, apart=taxonomy.apart | frozenset(pairs)
    )


def _parts(hierarchies: Sequence[Hierarchy], pairs: set[frozenset[str]]) -> tuple[Hierarchy, ...]:
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
    """A text and everything above it. The graph may have circles: captions are no dictionary."""
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
