"""Gives vectors their chains, and photos their trees.

A vector gets its chain in one of two ways: by the posterior descent over a vocabulary with parents,
by its radial path over one without. A photo gets a tree as well, where enough is known of the
model: all that it shows, each concept with its membership, and the chain is the tree's main branch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.trees.chains import CONCEPT, Chain, Link, Tree, heaviest_path
from hiersearch.trees.descent import BLOCK, Calibration, PosteriorDescent
from hiersearch.trees.membership import PERHAPS, SURE, Membership
from hiersearch.trees.statistics import PhotoStatistics
from hiersearch.types import Floats

__all__ = ["MAIN_FROM", "Labeller", "RadialPaths"]

FIRST = "person"
"""The root that a photo's main branch begins with wherever the photo surely shows it: people who
describe a photo name its people first."""

MOST_THREADS = 8
"""That make trees at once: more would need much memory and gain little."""

MAIN_FROM = 0.6
"""The least membership in a main branch: of what a photo is of, less is enough."""


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
