"""Hierarchies out of a vocabulary with parents: ways from root to leaf, and negatives beside them.

The negative of a tier is a sibling or a cousin of the tier's concept. Among several parents,
chance decides. Names are compared as texts, since texts are what a model sees: whatever bears the
name of an ancestor or a descendant is no negative, be it another concept.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

from hiersearch.concepts import Vocabulary
from hiersearch.errors import UsageError
from hiersearch.train.data.hierarchies import Hierarchy
from hiersearch.train.data.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["sample_hierarchies"]

Tier: TypeAlias = tuple[str, str, str]
"""A concept's id, the key of the name it gets, and the name."""

TRIES = 8
"""How often a negative is drawn at random before all that there are get listed."""

TOP = ""
"""Stands above the roots, so that roots are each other's siblings; no concept has this id."""


def sample_hierarchies(
    source: Vocabulary | Taxonomy,
    *,
    seed: int,
    count: int | None = None,
    tiers: int | None = None,
    negatives: bool = True,
    siblings: float = 0.5,
) -> tuple[Hierarchy, ...]:
    """Draw hierarchies from a vocabulary.

    Each runs from a leaf up to a root; every leaf has its turn before one has its second. A concept
    is left out of a way where there is nothing to be its negative (a single root), or where its
    name stands on the way already.

    Args:
        source: The concepts.
        seed: The same seed draws the same hierarchies.
        count: How many ways to draw; None for as many as there are leaves. Ways of fewer than two
            tiers yield no hierarchy.
        tiers: At most so many tiers, from two up: both ends of a longer way, and others drawn from
            between; None for all.
        negatives: Whether to draw negatives.
        siblings: How likely a negative is drawn from the siblings rather than the cousins, from 0
            to 1. Where there are neither, from those further off.

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
    if not 0 <= siblings <= 1 or (count is not None and count < 0):
        raise UsageError(
            f"{siblings} is no share of siblings, or {count} no count",
            hint="Give a share from 0 to 1 and a count from 0",
        )
    drawing = _Drawing(taxonomy, random.Random(seed), siblings)
    drawn = (drawing.hierarchy(leaf, tiers, negatives) for leaf in drawing.leaves(count))
    return tuple(hierarchy for hierarchy in drawn if hierarchy is not None)


class _Drawing:
    """A taxonomy, the chance that decides, and what was found out so far."""

    def __init__(self, taxonomy: Taxonomy, chance: random.Random, siblings: float) -> None:
        self.taxonomy = taxonomy
        self.chance = chance
        self.siblings = siblings
        vocabulary = taxonomy.vocabulary
        self.alone: set[tuple[str, str]] = set()  # concepts and names without any negative
        self.parents = {c.id: c.parents or (TOP,) for c in vocabulary}
        self.family = {concept: frozenset(above) for concept, above in self.parents.items()}
        self.children = {c.id: vocabulary.children(c.id) for c in vocabulary}
        self.children[TOP] = vocabulary.roots

    def leaves(self, count: int | None) -> Iterator[str]:
        """Leaves in rounds, each in an order of its own."""
        kept = self.taxonomy.kept_parents
        above = {parent for parents in kept.values() for parent in parents}
        leaves = [concept for concept in kept if concept not in above and kept[concept]]
        left = len(leaves) if count is None else count
        while left > 0 and leaves:
            self.chance.shuffle(leaves)
            yield from leaves[:left]
            left -= len(leaves)

    def hierarchy(self, leaf: str, tiers: int | None, negatives: bool) -> Hierarchy | None:
        """A hierarchy that ends in a leaf; None where fewer than two tiers are left of it."""
        way = self._way(leaf)
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

    def _way(self, leaf: str) -> list[Tier]:
        """From a root to the leaf; no name twice."""
        way: list[Tier] = []
        taken: set[str] = set()
        at = leaf
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
        drawn = self.chance.randrange(len(names)) if len(names) > 1 else 0
        return self.taxonomy.keys[concept][drawn], names[drawn]

    def _negative(self, tier: Tier) -> str | None:
        concept, key, _ = tier
        near = 1 if self.chance.random() < self.siblings else 2
        for generations in (near, 3 - near):
            for _ in range(TRIES):
                found = self._walk(concept, generations)
                if found is not None:
                    other, name = self._named(found)
                    if not self.taxonomy.related(key, other):
                        return name
        # Few siblings, or nearly all of them related: look at every one, near ones first.
        for ring in self._rings(concept):
            for found in self.chance.sample(ring, len(ring)):
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
            if not self.children[at]:
                return None
            at = self.chance.choice(self.children[at])
        is_sibling = not self.family[concept].isdisjoint(self.parents[at])
        return None if generations > 1 and is_sibling else at

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
