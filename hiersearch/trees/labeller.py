"""Gives vectors their chains, and photos their trees.

A vector gets its chain in one of two ways: by the posterior descent over a vocabulary with parents,
by its radial path over one without. A photo gets a tree as well, where enough is known of the
model: all that it shows, each concept with its membership, and the chain is the tree's main branch.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial, reduce
from typing import Any, Protocol

import numpy as np

from hiersearch.concepts import Vocabulary
from hiersearch.trees.chains import CONCEPT, Chain, Link, Tree, heaviest_path
from hiersearch.trees.descent import BLOCK, FLOOR, Calibration, Places, PosteriorDescent
from hiersearch.trees.membership import SURE, Membership
from hiersearch.trees.statistics import PhotoStatistics
from hiersearch.trees.tally import Tally, shown
from hiersearch.types import Floats

__all__ = ["MAIN_FROM", "Labeller", "RadialPaths"]

FIRST = "person"
"""The root that a photo's main branch begins with where the photo shows it: people who describe a
photo name its people first."""

MOST_THREADS = 8
"""That make trees at once: more would need much memory and gain little."""

FIRST_FROM = 0.88
"""The membership from which on it does."""

MAIN_FROM = 0.5
"""The least mean of membership and mass in a main branch, and the least membership."""


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
        self._statistics = statistics
        roots = {vocabulary[root].name.casefold(): root for root in vocabulary.roots}
        self._first = vocabulary.position(roots[FIRST]) if FIRST in roots else None

    @cached_property
    def descent(self) -> PosteriorDescent | None:
        """The posterior descent; None for the radial path. Made when it is first needed."""
        if self._calibration is None:
            return None
        return PosteriorDescent(
            self.vocabulary.parent_positions,
            self.embeddings,
            self._calibration,
            familiarity=[concept.familiarity for concept in self.vocabulary],
        )

    @cached_property
    def _membership(self) -> Membership | None:
        if self._statistics is None or self._calibration is None:
            return None
        vocabulary, parents = self.vocabulary, self.vocabulary.parent_positions
        return Membership(vocabulary.names, parents, self.embeddings, self._statistics)

    def chains(self, vectors: Floats, *, texts: bool = False, floor: float = FLOOR) -> list[Chain]:
        """The chain of each vector, untrimmed.

        Args:
            vectors: (b, dim), float32 unit rows.
            texts: Whether they are vectors of texts; photos and texts differ in sharpness.
            floor: The least mass in a chain; radial paths have none.

        Returns:
            b chains.
        """
        if self.descent is None or self._calibration is None:
            return [self._radial_chain(vector) for vector in vectors]
        temperature = self._calibration.text_temperature if texts else self._calibration.temperature
        found = self.descent.descend(vectors, floor=floor, temperature=temperature)
        return [self._chain(places, masses) for places, masses in found]

    def trees(self, vectors: Floats, *, floor: float | None = None) -> list[Tree] | None:
        """The tree of each photo; None where nothing is known of the model's vectors of photos.

        Args:
            vectors: (b, dim), float32 unit rows.
            floor: The least membership in a main branch; by default what reads best.
        """
        blocks = self._blocks(vectors, floor)
        return None if blocks is None else [tree for trees, _ in blocks for tree in trees]

    def main_branches(self, vectors: Floats, floors: Sequence[float]) -> list[list[Places]] | None:
        """The main branch of each photo at each of some least memberships; None as for `trees`.

        Args:
            vectors: (b, dim), float32 unit rows.
            floors: Least memberships.

        Returns:
            For each photo and floor the positions of the concepts, general to specific.
        """
        if self.descent is None or self._membership is None:
            return None
        found: list[list[Places]] = []
        for start in range(0, len(vectors), BLOCK):
            pair = self._block_memberships(vectors[start : start + BLOCK])
            found.extend(self._block_branches(*pair, floors))
        return found

    def memberships(self, vectors: Floats) -> Floats | None:
        """(b, n) how probably each photo shows each concept; None as for `trees`."""
        if self.descent is None or self._membership is None:
            return None
        found = np.empty((len(vectors), len(self.vocabulary)), dtype=np.float32)
        for start in range(0, len(vectors), BLOCK):
            part = slice(start, start + BLOCK)
            found[part], _ = self._block_memberships(vectors[part])
        return found

    def labels(self, vectors: Floats) -> tuple[list[dict[str, Any]], Tally | None]:
        """What is stored of photos: of their trees, or else of their chains.

        Args:
            vectors: (b, dim), float32 unit rows.

        Returns:
            The payload fields of each, and the tally of their memberships; None where they have
            none.
        """
        blocks = self._blocks(vectors, None)
        if blocks is None:
            chains = self.chains(vectors)
            return [chain.payload(self.vocabulary) for chain in chains], None
        tally = reduce(operator.add, [tally for _, tally in blocks]) if blocks else None
        trees = (tree for found, _ in blocks for tree in found)
        return [tree.payload(self.vocabulary) for tree in trees], tally

    def _block_memberships(self, vectors: Floats) -> tuple[Floats, Floats]:
        """(b, n) memberships and masses."""
        assert self.descent is not None
        assert self._membership is not None
        masses = self.descent.masses(vectors)
        return self._membership.probabilities(vectors, masses), masses

    def _blocks(
        self, vectors: Floats, floor: float | None
    ) -> list[tuple[list[Tree], Tally]] | None:
        """Trees and tallies of some photos after the other."""
        if self.descent is None or self._membership is None:
            return None
        make = partial(self._block, floor=floor)
        blocks = [vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK)]
        if len(blocks) < 2:
            return list(map(make, blocks))
        with ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1, MOST_THREADS)) as threads:
            return list(threads.map(make, blocks))

    def _block(self, vectors: Floats, floor: float | None) -> tuple[list[Tree], Tally]:
        members, masses = self._block_memberships(vectors)
        concepts, photos, values = shown(members)
        order = np.lexsort((concepts, -values, photos))
        ends = np.searchsorted(photos[order], np.arange(len(vectors) + 1))
        branches = self._block_branches(members, masses, [floor])
        trees = []
        for row, (branch,) in enumerate(branches):
            chain = self._chain(branch, [float(members[row, at]) for at in branch])
            part = order[ends[row] : ends[row + 1]]
            links = [
                Link(self._ids[at], value)
                for at, value in zip(concepts[part].tolist(), values[part].tolist(), strict=True)
            ]
            sure = int(np.count_nonzero(values[part] >= SURE))
            trees.append(Tree(chain, tuple(links[:sure]), tuple(links[sure:])))
        return trees, Tally.of(members)

    def _block_branches(
        self, members: Floats, masses: Floats, floors: Sequence[float | None]
    ) -> list[list[Places]]:
        """For each photo the main branch at each of some least memberships."""
        descent, first = self.descent, self._first
        assert descent is not None
        # What the photo is of, and not only what it shows too, is what the descent is sure of.
        weight = members + masses
        weight /= 2
        leads = np.zeros(len(members), dtype=np.float32) if first is None else members[:, first]
        of_people = weight
        if first is not None and (leads >= FIRST_FROM).any():
            # Of people, what it would be sure of if it knew that they are there.
            of_people = masses / np.maximum(masses[:, first], np.float32(1e-6))[:, None]
            np.minimum(of_people, 1, out=of_people)
            of_people += members
            of_people /= 2
        found: list[list[Places]] = [[] for _ in members]
        for floor in floors:
            if floor is None:  # what is surely shown is never left out at the end
                is_sure = members >= SURE
                allowed = is_sure | (weight >= MAIN_FROM)
                allowed_of_people = is_sure | ((of_people >= MAIN_FROM) & (members >= MAIN_FROM))
            else:
                allowed = allowed_of_people = members >= floor
            led = leads >= max(FIRST_FROM, floor or 0)
            for row, is_led in enumerate(led):
                if is_led:
                    branch = descent.walk(of_people[row], allowed_of_people[row], first=first)
                else:
                    branch = descent.walk(weight[row], allowed[row])
                found[row].append(branch)
        return found

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
        if self._calibration is None:
            scores = self.embeddings[list(places)] @ vector
            return self._radial_chain_to(places[int(scores.argmax())])
        paths = [self._only_path(at) for at in places]
        if len(paths) == 1 and paths[0] is not None:
            path = paths[0]  # nothing to choose
        else:
            temperature = self._calibration.text_temperature
            assert self.descent is not None
            (masses,) = self.descent.masses(vector[None], temperature=temperature)
            heaviest = min(places, key=lambda at: (-masses[at], at))
            path = heaviest_path(self.vocabulary.parent_positions, heaviest, masses)
        return Chain(tuple(Link(self._ids[at], 1.0) for at in path))

    def _only_path(self, place: int) -> tuple[int, ...] | None:
        """The path down to a concept, if there is but one."""
        path = [place]
        while parents := self.vocabulary.parent_positions[path[0]]:
            if len(parents) > 1:
                return None
            path.insert(0, parents[0])
        return tuple(path)

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
