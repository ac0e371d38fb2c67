"""Draw hierarchies from a vocabulary with parents: paths from root to leaf, with negatives.

The negative of a tier is a sibling or a cousin of the tier's concept. Among several parents one is
drawn at random. Names are compared as texts, since texts are what a model sees: a concept that
shares its name with an ancestor or a descendant is no negative.

Siblings and cousins are drawn in proportion to the paths that go through them. If all were equally
likely, a general tier would mostly meet narrow and rare words, which would hardly ever be positives
themselves; a loss would learn from that how far out rare words lie, not what contains what.
"""

from __future__ import annotations

import math
import random
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from hiersearch.concepts import Vocabulary
from hiersearch.data.hierarchies import ConceptGraph, Hierarchy
from hiersearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["sample_hierarchies"]

T = TypeVar("T")

Tier: TypeAlias = tuple[str, str, str]
"""A concept's id, the key of the name it gets, and the name."""

TOWARDS_EQUAL = 0.5
"""Power of the uses of a word: one that is used a hundred times as often is drawn ten times so."""

ROUNDING = 1e-9
"""The largest relative difference between sums in different orders."""

TRIES = 8
"""How often a negative is drawn at random before all candidates are listed."""

TOP = ""
"""Stands above the roots, so that roots are each other's siblings; no concept has this id."""


def sample_hierarchies(
    source: Vocabulary | ConceptGraph,
    *,
    seed: int,
    count: int | None = None,
    rounds: int = 1,
    tiers: int | None = None,
    negatives: bool = True,
    siblings: float = 0.5,
    widest: float = 1.0,
) -> tuple[Hierarchy, ...]:
    """Draw hierarchies from a vocabulary.

    Each path runs from a leaf up to a root; every leaf has its turn before any has a second one. If
    the graph knows how much words are used, a path starts at any concept instead, and both the
    concept and the name of each tier are drawn in proportion to the square roots of their uses.

    A concept is left out of a path if nothing can be its negative (a single root), or if its name
    is on the path already.

    Args:
        source: The concepts.
        seed: Random seed; the same seed draws the same hierarchies.
        count: How many paths to draw; None for as many as there are concepts to start at, times
            `rounds`. A path of fewer than two tiers yields no hierarchy.
        rounds: How many turns each starting concept has if `count` is None.
        tiers: The most tiers of a hierarchy, at least two: a longer path keeps both ends and a
            random choice of those between. None for all.
        negatives: Whether to draw negatives.
        siblings: The probability that a negative is drawn from the siblings rather than the
            cousins, from 0 to 1. If there are neither, more distant relatives are drawn.
        widest: A concept that is on more than this share of all paths, from 0 to 1, is left out
            everywhere: scaffolding such as *entity* and *physical entity*.

    Raises:
        UsageError: The vocabulary has no parents, or a number is out of range.
    """
    graph = source if isinstance(source, ConceptGraph) else ConceptGraph(source)
    vocabulary = graph.vocabulary
    if not vocabulary.has_parents:
        raise UsageError(
            f"the concepts of {vocabulary.name} have no parents",
            hint='Give each a parent, as in "fruit > apple > granny smith"',
        )
    if tiers is not None and tiers < 2:
        raise UsageError(f"a hierarchy cannot have {tiers} tiers", hint="Ask for two or more")
    if not (0 <= siblings <= 1 and 0 <= widest <= 1) or (count is not None and count < 0):
        raise UsageError(
            f"siblings ({siblings}), widest ({widest}) or count ({count}) is out of range",
            hint="Give shares from 0 to 1 and a count of at least 0",
        )
    drawing = _Drawing(graph, random.Random(seed), siblings, widest)
    drawn = (drawing.hierarchy(start, tiers, negatives) for start in drawing.starts(count, rounds))
    return tuple(hierarchy for hierarchy in drawn if hierarchy is not None)


class _Drawing:
    """A graph, the random generator, and what has been worked out about the graph so far."""

    def __init__(
        self, graph: ConceptGraph, chance: random.Random, siblings: float, widest: float
    ) -> None:
        self.graph = graph
        self.random = chance
        self.siblings = siblings
        vocabulary = graph.vocabulary
        self.alone: set[tuple[str, str]] = set()  # concepts and names without any negative
        self.parents = {c.id: c.parents or (TOP,) for c in vocabulary}
        self.family = {concept: frozenset(above) for concept, above in self.parents.items()}
        self.children = {c.id: vocabulary.children(c.id) for c in vocabulary}
        self.children[TOP] = vocabulary.roots
        self.beginnings = _beginnings(graph)
        self.masses = _masses(vocabulary, self.beginnings)
        most = widest * sum(self.beginnings.values()) * (1.0 + ROUNDING)
        self.wide = {concept for concept, mass in self.masses.items() if mass > most}

    def starts(self, count: int | None, rounds: int) -> Iterator[str]:
        """Where paths start: leaves in rounds, each shuffled anew, or concepts that are in use."""
        concepts = list(self.beginnings)
        left = len(concepts) * rounds if count is None else count
        if self.graph.uses and concepts:
            yield from self.random.choices(concepts, list(self.beginnings.values()), k=left)
            return
        while left > 0 and concepts:
            self.random.shuffle(concepts)
            yield from concepts[:left]
            left -= len(concepts)

    def hierarchy(self, start: str, tiers: int | None, negatives: bool) -> Hierarchy | None:
        """A hierarchy that ends in a concept; None if fewer than two tiers are left."""
        path = [tier for tier in self._path(start) if tier[0] not in self.wide]
        found: list[Tier] = []
        others: list[str] = []
        while len(others) < len(found) or not found:
            path = [tier for tier in path if not negatives or tier[:2] not in self.alone]
            if len(path) < 2:
                return None
            found = self._trimmed(path, tiers)
            if not negatives:
                break
            others = [other for other in map(self._negative, found) if other is not None]
        return Hierarchy(tuple(name for *_, name in found), tuple(others))

    def _trimmed(self, path: list[Tier], tiers: int | None) -> list[Tier]:
        if tiers is None or len(path) <= tiers:
            return path
        between = sorted(self.random.sample(range(1, len(path) - 1), tiers - 2))
        return [path[at] for at in (0, *between, len(path) - 1)]

    def _path(self, start: str) -> list[Tier]:
        """The path from a root to the concept; no name twice."""
        path: list[Tier] = []
        taken: set[str] = set()
        at = start
        while True:
            key, name = self._named(at)
            if key not in taken:
                taken.add(key)
                path.append((at, key, name))
            above = self.graph.kept_parents[at]
            if not above:
                return path[::-1]
            at = self.random.choice(above)

    def _named(self, concept: str) -> tuple[str, str]:
        """One of a concept's names, and its key."""
        names = self.graph.names(concept)
        weights = _weights(self.graph.uses.get(concept, ())) or [1.0] * len(names)
        drawn = self._drawn(range(len(names)), weights) if len(names) > 1 else 0
        return self.graph.keys[concept][drawn], names[drawn]

    def _negative(self, tier: Tier) -> str | None:
        concept, key, _ = tier
        near = 1 if self.random.random() < self.siblings else 2
        for generations in (near, 3 - near):
            for _ in range(TRIES):
                found = self._walk(concept, generations)
                if found is not None and found not in self.wide:
                    other, name = self._named(found)
                    if not self.graph.related(key, other):
                        return name
        # Few siblings, or nearly all of them related: look at every one, near ones first.
        for ring in self._rings(concept):
            for found in self._shuffled(ring):
                named = zip(self.graph.keys[found], self.graph.names(found), strict=True)
                for other, name in named:
                    if not self.graph.related(key, other):
                        return name
        self.alone.add((concept, key))
        return None

    def _walk(self, concept: str, generations: int) -> str | None:
        """Some steps up and as many down; None if that leads nowhere, or to a closer relative."""
        at = concept
        for _ in range(generations):
            if at == TOP:
                return None
            at = self.random.choice(self.parents[at])
        for _ in range(generations):
            below = [child for child in self.children[at] if child != concept]
            weights = [self.masses[child] for child in below]
            if not any(weights):
                return None
            at = self._drawn(below, weights)
        is_sibling = not self.family[concept].isdisjoint(self.parents[at])
        return None if generations > 1 and is_sibling else at

    def _shuffled(self, concepts: Sequence[str]) -> list[str]:
        """A random order in which heavy concepts tend to come first; wide ones are left out."""
        keys = {
            concept: math.log(1.0 - self.random.random()) / (self.masses[concept] or 1e-9)
            for concept in concepts
            if concept not in self.wide
        }
        return sorted(keys, key=keys.__getitem__, reverse=True)

    def _drawn(self, among: Sequence[T], weights: Sequence[float]) -> T:
        return self.random.choices(among, cum_weights=list(accumulate(weights)))[0]

    def _rings(self, concept: str) -> Iterator[list[str]]:
        """Concepts that share a parent, then a grandparent, and so on.

        Of each ring the concept's own generation comes first, then those above it.
        """
        above = {concept}
        generations = 0
        while above := {p for at in above if at != TOP for p in self.parents[at]}:
            generations += 1
            below = above
            rings: list[list[str]] = []
            for _ in range(generations):
                below = {child for at in below for child in self.children[at]}
                rings.append(sorted(below))
            yield from reversed(rings)


def _weights(uses: Sequence[int]) -> list[float]:
    """The weights that names are drawn with; empty if none is used."""
    return [use**TOWARDS_EQUAL for use in uses] if any(uses) else []


def _beginnings(graph: ConceptGraph) -> dict[str, float]:
    """The weight of starting at each concept: a leaf, or one that is in use; never a root."""
    kept = graph.kept_parents
    if graph.uses:
        weights = {concept: sum(_weights(uses)) for concept, uses in graph.uses.items()}
        return {concept: weight for concept, weight in weights.items() if weight and kept[concept]}
    above = {parent for parents in kept.values() for parent in parents}
    return {c: 1.0 for c, parents in kept.items() if parents and c not in above}


def _masses(vocabulary: Vocabulary, beginnings: Mapping[str, float]) -> dict[str, float]:
    """The weight of paths through each concept: the sum over it and its descendants."""
    masses = {concept.id: beginnings.get(concept.id, 0.0) for concept in vocabulary}
    for concept, weight in beginnings.items():
        for above in vocabulary.ancestors(concept):
            masses[above] += weight
    return masses
