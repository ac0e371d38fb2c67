"""Leaving out what would give away the answers of a test."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, overload

from hiersearch.concepts import Vocabulary
from hiersearch.errors import UsageError
from hiersearch.train.data.hierarchies import Hierarchy, text_key
from hiersearch.train.data.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["read_pairs", "without_pairs"]

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
