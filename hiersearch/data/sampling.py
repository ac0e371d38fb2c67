"""Hierarchies out of a vocabulary with parents: ways from root to leaf, and negatives beside them.

The negative of a tier is a sibling or a cousin of the tier's concept. Among several parents,
chance decides. Names are compared as texts, since texts are what a model sees: whatever bears the
name of an ancestor or a descendant is no negative, be it another concept.

Siblings and cousins are drawn by what ways go through them. Were each as likely as any other, a
general tier would mostly meet narrow and rare words, which would hardly ever be positives
themselves; and a loss would learn from that how far out rare words lie, not what contains what.
"""

from __future__ import annotations

import math
import random
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from hiersearch.concepts import Vocabulary
from hiersearch.data.hierarchies import Hierarchy, Taxonomy
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
"""What sums in other orders differ by at most, as a share: all ways go through a single root."""

TRIES = 8
"""How often a negative is drawn at random before all that there are get listed."""

TOP = ""
"""Stands above the roots, so that roots are each other's siblings; no concept has this id."""


def sample_hierarchies(
    source: Vocabulary | Taxonomy,
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

    Each runs from a leaf up to a root; every leaf has its turn before one has its second. Where it
    is known how much words are used, a way begins at any concept instead, and both it and the name
    of each tier are drawn by the square roots of their uses.

    A concept is left out of a way where there is nothing to be its negative (a single root), or
    where its name stands on the way already.

    Args:
        source: The concepts.
        seed: The same seed draws the same hierarchies.
        count: How many ways to draw; None for as many as there are concepts to begin at, times
            `rounds`. Ways of fewer than two tiers yield no hierarchy.
        rounds: How many turns each of them has where `count` is None.
        tiers: At most so many tiers, from two up: both ends of a longer way, and others drawn from
            between; None for all.
        negatives: Whether to draw negatives.
        siblings: How likely a negative is drawn from the siblings rather than the cousins, from 0
            to 1. Where there are neither, from those further off.
        widest: A concept that more than this share of all ways goes through, from 0 to 1, is on
            none of them, and no negative: scaffolding such as *entity* and *physical entity*.

    Raises:
        UsageError: The vocabulary has no parents, or a number is out of its range.
    """
    taxonomy = source if isinstance(source, Taxonomy) else Taxonomy(source)
    vocabulary = taxonomy.vocabulary
    if not vocabulary.has_parents:
        raise UsageError(
            f"the concepts of {vocabulary.name} have no parents",
            hint='Give each a parent, as in "fruit > apple > granny smith"',
        )
    if tiers is not None and tiers < 2:
        raise UsageError(f"{tiers} tiers are no hierarchy", hint="Ask for two or more")
    if not (0 <= siblings <= 1 and 0 <= widest <= 1) or (count is not None and count < 0):
        raise UsageError(
            f"{siblings} or {widest} is no share, or {count} no count",
            hint="Give shares from 0 to 1 and a count from 0",
        )
    drawing = _Drawing(taxonomy, random.Random(seed), siblings, widest)
    drawn = (drawing.hierarchy(start, tiers, negatives) for start in drawing.starts(count, rounds))
    return tuple(hierarchy for hierarchy in drawn if hierarchy is not None)


class _Drawing:
    """A taxonomy, the chance that decides, and what was found out so far."""

    def __init__(
        self, taxonomy: Taxonomy, chance: random.Random, siblings: float, widest: float
    ) -> None:
        self.taxonomy = taxonomy
        self.chance = chance
        self.siblings = siblings
        vocabulary = taxonomy.vocabulary
        self.alone: set[tuple[str, str]] = set()  # concepts and names without any negative
        self.parents = {c.id: c.parents or (TOP,) for c in vocabulary}
        self.family = {concept: frozenset(above) for concept, above in self.parents.items()}
        self.children = {c.id: vocabulary.children(c.id) for c in vocabulary}
        self.children[TOP] = vocabulary.roots
        self.beginnings = _beginnings(taxonomy)
        self.masses = _masses(vocabulary, self.beginnings)
        most = widest * sum(self.beginnings.values()) * (1.0 + ROUNDING)
        self.wide = {concept for concept, mass in self.masses.items() if mass > most}

    def starts(self, count: int | None, rounds: int) -> Iterator[str]:
        """Where ways begin: leaves in rounds, each in an order of its own, or what is in use."""
        concepts = list(self.beginnings)
        left = len(concepts) * rounds if count is None else count
        if self.taxonomy.uses and concepts:
            yield from self.chance.choices(concepts, list(self.beginnings.values()), k=left)
            return
        while left > 0 and concepts:
            self.chance.shuffle(concepts)
            yield from concepts[:left]
            left -= len(concepts)

    def hierarchy(self, start: str, tiers: int | None, negatives: bool) -> Hierarchy | None:
        """A hierarchy that ends in a concept; None where fewer than two tiers are left of it."""
        way = [tier for tier in self._way(start) if tier[0] not in self.wide]
        found: list[Tier] = []
        others: list[str] = []
        while len(others) < len(found) or not found:
            way = [tier for tier in way if not negatives or tier[:2] not in self.alone]
            if len(way) < 2:
                return None
            found = self._trimmed(way, tiers)
            if not negatives:
                break
            others = [other for other in map(self._negative, found) if other is not None]
        return Hierarchy(tuple(name for *_, name in found), tuple(others))

    def _trimmed(self, way: list[Tier], tiers: int | None) -> list[Tier]:
        if tiers is None or len(way) <= tiers:
            return way
        between = sorted(self.chance.sample(range(1, len(way) - 1), tiers - 2))
        return [way[at] for at in (0, *between, len(way) - 1)]

    def _way(self, start: str) -> list[Tier]:
        """From a root to the concept; no name twice."""
        way: list[Tier] = []
        taken: set[str] = set()
        at = start
        while True:
            key, name = self._named(at)
            if key not in taken:
                taken.add(key)
                way.append((at, key, name))
            above = self.taxonomy.kept_parents[at]
            if not above:
                return way[::-1]
            at = self.chance.choice(above)

    def _named(self, concept: str) -> tuple[str, str]:
        """One of a concept's names, and its key."""
        names = self.taxonomy.names(concept)
        weights = _weights(self.taxonomy.uses.get(concept, ())) or [1.0] * len(names)
        drawn = self._drawn(range(len(names)), weights) if len(names) > 1 else 0
        return self.taxonomy.keys[concept][drawn], names[drawn]

    def _negative(self, tier: Tier) -> str | None:
        concept, key, _ = tier
        near = 1 if self.chance.random() < self.siblings else 2
        for generations in (near, 3 - near):
            for _ in range(TRIES):
                found = self._walk(concept, generations)
                if found is not None and found not in self.wide:
                    other, name = self._named(found)
                    if not self.taxonomy.related(key, other):
                        return name
        # Few siblings, or nearly all of them related: look at every one, near ones first.
        for ring in self._rings(concept):
            for found in self._shuffled(ring):
                named = zip(self.taxonomy.keys[found], self.taxonomy.names(found), strict=True)
                for other, name in named:
                    if not self.taxonomy.related(key, other):
                        return name
        self.alone.add((concept, key))
        return None

    def _walk(self, concept: str, generations: int) -> str | None:
        """Some steps up and as many down; None where that leads nowhere, or to someone nearer."""
        at = concept
        for _ in range(generations):
            if at == TOP:
                return None
            at = self.chance.choice(self.parents[at])
        for _ in range(generations):
            below = [child for child in self.children[at] if child != concept]
            weights = [self.masses[child] for child in below]
            if not any(weights):
                return None
            at = self._drawn(below, weights)
        is_sibling = not self.family[concept].isdisjoint(self.parents[at])
        return None if generations > 1 and is_sibling else at

    def _shuffled(self, concepts: Sequence[str]) -> list[str]:
        """In an order in which masses stand ahead, each as likely as it is large; no wide ones."""
        keys = {
            concept: math.log(1.0 - self.chance.random()) / (self.masses[concept] or 1e-9)
            for concept in concepts
            if concept not in self.wide
        }
        return sorted(keys, key=keys.__getitem__, reverse=True)

    def _drawn(self, among: Sequence[T], weights: Sequence[float]) -> T:
        return self.chance.choices(among, cum_weights=list(accumulate(weights)))[0]

    def _rings(self, concept: str) -> Iterator[list[str]]:
        """Who shares a parent, who a grandparent, and so on.

        Of each, the concept's own generation first, then those above it.
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
    """What names are drawn by; empty where none is used."""
    return [use**TOWARDS_EQUAL for use in uses] if any(uses) else []


def _beginnings(taxonomy: Taxonomy) -> dict[str, float]:
    """How likely a way begins at each concept: at leaves, or at what is in use; none at roots."""
    kept = taxonomy.kept_parents
    if taxonomy.uses:
        weights = {concept: sum(_weights(uses)) for concept, uses in taxonomy.uses.items()}
        return {concept: weight for concept, weight in weights.items() if weight and kept[concept]}
    above = {parent for parents in kept.values() for parent in parents}
    return {c: 1.0 for c, parents in kept.items() if parents and c not in above}


def _masses(vocabulary: Vocabulary, beginnings: Mapping[str, float]) -> dict[str, float]:
    """How likely a way goes through each concept: the sum over it and what is below."""
    masses = {concept.id: beginnings.get(concept.id, 0.0) for concept in vocabulary}
    for concept, weight in beginnings.items():
        for above in vocabulary.ancestors(concept):
            masses[above] += weight
    return masses
