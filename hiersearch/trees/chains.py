"""Chains and trees of concepts, and the payloads that they are stored as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import StoreError
from hiersearch.types import Floats

__all__ = [
    "CHAIN",
    "CONCEPT",
    "CONCEPTS",
    "LIKELY",
    "MASSES",
    "Chain",
    "Link",
    "Tree",
    "concept_payload",
    "heaviest_path",
    "trim",
]

CHAIN = "chain"
"""Payload field of a labelled point: the ids of its chain, general to specific."""

MASSES = "masses"
"""Payload field of a labelled point: the masses of its chain; empty for a radial path."""

CONCEPTS = "concepts"
"""Payload field of a labelled point: what it surely shows, to count and filter by; without a tree,
its chain and all ancestors."""

LIKELY = "likely"
"""Payload field of a photo with a tree: what else it perhaps shows."""

CONCEPT = "concept"
"""Payload field of a stored concept: its id."""


@dataclass(frozen=True, slots=True)
class Link:
    """One concept of a chain or a tree.

    Attributes:
        concept: The concept's id.
        mass: In a tree, its membership; else its share of the posterior. In [0, 1]; 1 if a query
            names it; None on a radial path.
    """

    concept: str
    mass: float | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """The concepts of one vector, general to specific; empty where nothing in the vocabulary fits.

    Attributes:
        links: The concepts with their masses.
    """

    links: tuple[Link, ...] = ()

    def __len__(self) -> int:
        return len(self.links)

    def __iter__(self) -> Iterator[Link]:
        return iter(self.links)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The ids of the concepts."""
        return tuple(link.concept for link in self.links)

    def trimmed(self, levels: int, familiarity: Sequence[float | None] | None = None) -> Self:
        """The chain with at most some number of links; `trim` says which.

        Args:
            levels: The most links to keep, at least 1.
            familiarity: How familiar each concept of the chain is; ignored unless all are known.
        """
        known = [value for value in familiarity or () if value is not None]
        kept = trim(len(self), levels, known if len(known) == len(self) else None)
        return type(self)(tuple(self.links[place] for place in kept))

    def payload(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The payload fields of a point with this chain.

        Args:
            vocabulary: What the chain's concepts are from.

        Returns:
            `CHAIN`, `MASSES` (to 4 decimals) and `CONCEPTS` (sorted).
        """
        ids = self.concepts
        return {
            CHAIN: list(ids),
            MASSES: [round(link.mass, 4) for link in self.links if link.mass is not None],
            CONCEPTS: sorted(set(ids).union(*map(vocabulary.ancestors, ids))),
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """The chain of a point.

        Args:
            payload: The point's payload; may have been fetched without `MASSES`.

        Raises:
            StoreError: The point has no chain, or not as many masses as concepts.
        """
        ids = payload.get(CHAIN)
        masses = payload.get(MASSES) or ()
        if ids is None or len(masses) not in (0, len(ids)):
            raise StoreError(
                "a point has no chain of concepts"
                if ids is None
                else f"a point has {len(ids)} concepts and {len(masses)} masses",
                hint="Label it again",
            )
        return cls(tuple(map(Link, ids, masses or [None] * len(ids))))


@dataclass(frozen=True, slots=True)
class Tree:
    """What a photo shows.

    Attributes:
        chain: The main branch; empty where nothing in the vocabulary fits.
        sure: Every concept of membership `SURE` or more, most probable first.
        likely: The others of `PERHAPS` or more, most probable first.
    """

    chain: Chain
    sure: tuple[Link, ...]
    likely: tuple[Link, ...]

    def payload(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The payload fields of a photo with this tree: those of the chain, and `LIKELY`."""
        shown = {link.concept for link in self.sure}
        return {
            **self.chain.payload(vocabulary),
            CONCEPTS: sorted(shown),
            LIKELY: sorted(link.concept for link in self.likely),
        }

    def branches(self, vocabulary: Vocabulary) -> tuple[Chain, ...]:
        """What the photo surely shows, each line from a root to the most specific.

        The main branch comes first and then the most probable ones. A concept with several parents
        hangs below one of the main branch, or else the most probable of them.
        """
        links = {link.concept: link for link in self.sure}
        above = {parent for one in links for parent in vocabulary[one].parents}
        ends = [link.concept for link in self.sure if link.concept not in above]
        main = self.chain.concepts
        found = [self.chain] if main else []
        for end in ends:
            line = [end]
            while parents := [one for one in vocabulary[line[0]].parents if one in links]:
                line.insert(0, max(parents, key=lambda one: (one in main, links[one].mass or 0)))
            if line[-1] not in main:
                found.append(Chain(tuple(links[one] for one in line)))
        return tuple(found)


def trim(length: int, levels: int, familiarity: Sequence[float] | None = None) -> tuple[int, ...]:
    """Which places of a chain to show when it has more of them than levels are asked for.

    Args:
        length: Places in the chain.
        levels: The most to keep, at least 1.
        familiarity: For each place how familiar its concept is, or None where that is unknown.

    Returns:
        The places kept, ascending: both ends (the specific one where `levels` is 1) and the most
        familiar between, or evenly spaced ones. All of them where there are few enough.

    Raises:
        ValueError: `levels` is less than 1.
    """
    if levels < 1:
        raise ValueError(f"levels is {levels}, not at least 1")
    if length <= levels:
        return tuple(range(length))
    if levels == 1:
        return (length - 1,)
    if familiarity is None:
        return tuple(round(at * (length - 1) / (levels - 1)) for at in range(levels))
    between = sorted(range(1, length - 1), key=lambda at: -familiarity[at])
    return (0, *sorted(between[: levels - 2]), length - 1)


def heaviest_path(
    parents: Sequence[Sequence[int]], place: int, masses: Sequence[float] | Floats
) -> tuple[int, ...]:
    """The path from a root down to a concept, where it has several parents by the heavier one.

    Args:
        parents: For each concept the positions of its parents; without cycles.
        place: The concept's position.
        masses: The mass of each concept; of equal parents the first in the vocabulary is taken.

    Returns:
        Positions, general to specific; the last is the concept's.
    """
    path = [place]
    while parents[path[-1]]:
        path.append(min(parents[path[-1]], key=lambda at: (-masses[at], at)))
    return tuple(reversed(path))


def concept_payload(concept: Concept) -> dict[str, Any]:
    """The payload of a concept that is stored as a point, for radial paths."""
    return {CONCEPT: concept.id, "name": concept.name, "parents": list(concept.parents)}
