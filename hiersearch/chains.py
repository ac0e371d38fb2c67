"""Chains and trees of concepts: from a vector to them, from them to a payload.

A vector gets its chain in one of two ways: by the posterior descent over a vocabulary with parents,
by its radial path over one without. `Labeller` chooses. A photo gets a tree as well, where enough
is known of the model: all that it shows, each concept with its membership, and the chain is the
tree's main branch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.descent import BLOCK, Calibration, PosteriorDescent
from hiersearch.errors import StoreError
from hiersearch.membership import PERHAPS, SURE, Membership, PhotoStatistics
from hiersearch.types import Floats

__all__ = [
    "CHAIN",
    "CONCEPT",
    "CONCEPTS",
    "LIKELY",
    "MAIN_FROM",
    "MASSES",
    "Chain",
    "Labeller",
    "Link",
    "RadialPaths",
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


FIRST = "person"
"""The root that a photo's main branch begins with wherever the photo surely shows it: people who
describe a photo name its people first."""

MOST_THREADS = 8
"""That make trees at once: more would need much memory and gain little."""

MAIN_FROM = 0.6
"""The least membership in a main branch: of what a photo is of, less is enough."""


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


class RadialPaths(Protocol):
    """Stored concepts that can be searched for the radial path of a vector."""

    def radial_path(self, vector: Floats) -> Sequence[Any]:
        """Hits, general to specific, each with a `payload` that has `CONCEPT`."""


class Labeller:
    """Gives vectors their chains, and photos their trees.

    Args:
        vocabulary: The concepts.
        embeddings: (n, dim), float32 unit rows, a row per concept.
        calibration: The model's calibration, for the posterior descent; None for the radial path,
            which suits vocabularies without parents.
        concepts: The stored concepts, for the radial path; not needed with a calibration.
        statistics: Of the model's vectors of photos; None where photos get a chain alone.

    Attributes:
        descent: The posterior descent; None for the radial path.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embeddings: Floats,
        calibration: Calibration | None,
        concepts: RadialPaths | None = None,
        statistics: PhotoStatistics | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.embeddings = embeddings
        self._calibration = calibration
        self._concepts = concepts
        self._ids = [concept.id for concept in vocabulary]
        parents = vocabulary.parent_positions
        self.descent = (
            PosteriorDescent(
                parents,
                embeddings,
                calibration,
                familiarity=[concept.familiarity for concept in vocabulary],
            )
            if calibration is not None
            else None
        )
        self._membership = (
            Membership(vocabulary.names, parents, embeddings, statistics)
            if statistics is not None and calibration is not None
            else None
        )
        roots = {vocabulary[root].name.casefold(): root for root in vocabulary.roots}
        self._first = vocabulary.position(roots[FIRST]) if FIRST in roots else None

    def chains(self, vectors: Floats, *, texts: bool = False) -> list[Chain]:
        """The chain of each vector, untrimmed.

        Args:
            vectors: (b, dim), float32 unit rows.
            texts: Whether they are vectors of texts; photos and texts differ in sharpness.

        Returns:
            b chains.
        """
        if self.descent is None or self._calibration is None:
            return [self._radial_chain(vector) for vector in vectors]
        temperature = self._calibration.text_temperature if texts else self._calibration.temperature
        found = self.descent.descend(vectors, temperature=temperature)
        return [self._chain(places, masses) for places, masses in found]

    def trees(self, vectors: Floats) -> list[Tree] | None:
        """The tree of each photo; None where nothing is known of the model's vectors of photos.

        Args:
            vectors: (b, dim), float32 unit rows.
        """
        if self.descent is None or self._membership is None:
            return None
        blocks = [vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK)]
        if len(blocks) < 2:
            return [tree for block in blocks for tree in self._block_trees(block)]
        with ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1, MOST_THREADS)) as threads:
            return [tree for found in threads.map(self._block_trees, blocks) for tree in found]

    def memberships(self, vectors: Floats) -> Floats | None:
        """(b, n) how probably each photo shows each concept; None as for `trees`."""
        if self.descent is None or self._membership is None:
            return None
        found = np.empty((len(vectors), len(self.vocabulary)), dtype=np.float32)
        for start in range(0, len(vectors), BLOCK):
            part = slice(start, start + BLOCK)
            masses = self.descent.masses(vectors[part])
            found[part] = self._membership.probabilities(vectors[part], masses)
        return found

    def payloads(self, vectors: Floats) -> list[dict[str, Any]]:
        """The payload fields of photos: of their trees, or else of their chains."""
        labels: Sequence[Tree | Chain] | None = self.trees(vectors)
        if labels is None:
            labels = self.chains(vectors)
        return [label.payload(self.vocabulary) for label in labels]

    def _block_trees(self, vectors: Floats) -> list[Tree]:
        assert self.descent is not None
        assert self._membership is not None
        masses = self.descent.masses(vectors)
        members = self._membership.probabilities(vectors, masses)
        return [self._tree(*each) for each in zip(members, masses, strict=True)]

    def _tree(self, members: Floats, masses: Floats) -> Tree:
        assert self.descent is not None
        # What the photo is of, and not only what it shows too, is what the descent is sure of.
        weight = np.asarray((members + masses) / 2, dtype=np.float32)
        first = self._first
        if first is not None and members[first] < SURE:
            first = None
        chain = self._chain(*self.descent.walk(weight, members, floor=MAIN_FROM, first=first))
        order = np.flatnonzero(members >= PERHAPS)
        order = order[np.argsort(-members[order], kind="stable")]
        links = [Link(self._ids[at], float(members[at])) for at in order]
        sure = int(np.count_nonzero(members >= SURE))
        return Tree(chain, tuple(links[:sure]), tuple(links[sure:]))

    def _chain(self, places: Sequence[int], masses: Sequence[float]) -> Chain:
        pairs = zip(places, masses, strict=True)
        return Chain(tuple(Link(self._ids[at], mass) for at, mass in pairs))

    def named_chain(self, vector: Floats, places: Sequence[int]) -> Chain:
        """The chain of a text that names a concept, which is the chain's last.

        Args:
            vector: (dim,), float32, unit length: the text's, to choose between several concepts
                of one name, and between several paths to a concept.
            places: Positions in the vocabulary of the concepts that the text names, at least one.
        """
        if self.descent is None or self._calibration is None:
            scores = self.embeddings[list(places)] @ vector
            return self._radial_chain_to(places[int(scores.argmax())])
        temperature = self._calibration.text_temperature
        (masses,) = self.descent.masses(vector[None], temperature=temperature)
        heaviest = min(places, key=lambda at: (-masses[at], at))
        path = heaviest_path(self.vocabulary.parent_positions, heaviest, masses)
        return Chain(tuple(Link(self.vocabulary.concepts[at].id, 1.0) for at in path))

    def _radial_chain_to(self, place: int) -> Chain:
        """The radial path of a concept's own vector, which ends with the concept."""
        last = self.vocabulary.concepts[place].id
        above = self._radial_chain(self.embeddings[place])
        # Of concepts of one name, which are one point to the model, the path may end with another.
        name = self.vocabulary[last].name
        links = [link for link in above if self.vocabulary[link.concept].name != name]
        return Chain((*links, Link(last)))

    def _radial_chain(self, vector: Floats) -> Chain:
        assert self._concepts is not None
        path = self._concepts.radial_path(vector)
        return Chain(tuple(Link(str(hit.payload[CONCEPT])) for hit in path))
