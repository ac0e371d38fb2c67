"""Membership: how probably a photo shows a concept, in the eyes of people who describe it.

The probability is that at least one of five people who describe the photo names the concept, or a
kind of it. For a photo's unit vector v and the unit text vector t of a concept's name:

    z = t·(v - m) / sqrt(t'St)                     how unusual the likeness is
    P = sigmoid(w·v + b)                           of concepts that captions often name
    P = sigmoid(slope z + use log r + offset)      of other roots, by one curve for all
    P(c) = P(parent) · mass(c) / mass(parent)      below them; the greatest over the parents

m and S are the mean and the covariance of the vectors of many photos, r is how often people name a
concept, and the masses are those of the posterior descent. The descent knows kinds that nobody
names, such as species of birds, and the captions know what else a photo shows. So a membership is
the greater of P and the mass; and nothing is less probable than any kind of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.errors import VectorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hiersearch.trees.statistics import PhotoStatistics
    from hiersearch.types import Floats, Positions

__all__ = ["PERHAPS", "SURE", "Membership"]

SURE = 0.8
"""From here on a photo surely shows a concept: of all that is shown so, nine of ten are right."""

PERHAPS = 0.33
"""From here on a photo perhaps shows a concept."""

USUAL_RATE = 0.02
"""The share of photos that a root is taken to be named of where nobody has counted."""

LEAST_MASS = 1e-6
"""Below this, a parent's mass says nothing about its children's shares."""


class Membership:
    """The probabilities of a vocabulary's concepts.

    Args:
        names: Of the concepts.
        parents: For each the positions of its parents; without cycles.
        embeddings: (n, dim), unit text vectors of the names.
        statistics: Of the model's vectors of photos.

    Raises:
        VectorError: The embeddings do not fit the rest.
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[Sequence[int]],
        embeddings: Floats,
        statistics: PhotoStatistics,
    ) -> None:
        if embeddings.shape != (len(names), len(statistics.mean)):
            raise VectorError(
                f"embeddings of shape {embeddings.shape} for {len(names)} concepts and photos of "
                f"dimension {len(statistics.mean)}",
                hint="Embed the vocabulary with the model that the statistics are of",
            )
        learned = {name: at for at, name in enumerate(statistics.names)}
        folded = [name.casefold() for name in names]
        # Captions do not tell which of two concepts of one name they mean.
        once = {name for name, times in Counter(folded).items() if times == 1}
        rows = [learned.get(name) if name in once else None for name in folded]
        judged = [at for at, row in enumerate(rows) if row is not None or not parents[at]]
        self._judged = np.array(judged, dtype=np.intp)
        weights, biases = _by_curve(embeddings[judged], statistics)
        for place, at in enumerate(judged):
            row = rows[at]
            if row is not None:
                weights[place], biases[place] = statistics.weights[row], statistics.biases[row]
        self._weights, self._biases = weights, biases
        levels = _links_down(parents)
        unjudged = set(range(len(names))) - set(judged)
        self._down = [
            _Links.into((child, above) for child, above in links if child in unjudged)
            for links in levels
        ]
        self._up = [_Links.into((above, child) for child, above in links) for links in levels[::-1]]

    def probabilities(self, vectors: Floats, masses: Floats) -> Floats:
        """The membership of every concept for every photo.

        Args:
            vectors: (b, dim), unit vectors of photos.
            masses: (b, n) in [0, 1], of the posterior descent for these vectors.

        Returns:
            (b, n) float32 in [0, 1], its columns contiguous in memory; no concept's is above that
            of any of its parents.
        """
        # A row for each concept: rows of neighbours are gathered much faster than columns.
        mass = np.ascontiguousarray(masses.T, dtype=np.float32)
        found = np.zeros_like(mass)
        logits = self._weights @ vectors.T
        logits += self._biases[:, None]
        np.clip(logits, -30, 30, out=logits)
        found[self._judged] = 1 / (1 + np.exp(-logits))
        for links in self._down:
            share = mass[links.each]
            share /= np.maximum(mass[links.sources], np.float32(LEAST_MASS))
            np.minimum(share, 1, out=share)
            share *= found[links.sources]
            found[links.targets] = links.greatest(share)
        np.maximum(found, mass, out=found)
        for links in self._up:
            below = links.greatest(found[links.sources])
            found[links.targets] = np.maximum(found[links.targets], below)
        return found.T


@dataclass(frozen=True, eq=False)
class _Links:
    """Links between concepts, sorted by the concept that they lead to.

    Attributes:
        sources: Where each link comes from.
        each: Where it leads to.
        targets: The same, each once.
        starts: Where the links of each target begin.
    """

    sources: Positions
    each: Positions
    targets: Positions
    starts: Positions

    @classmethod
    def into(cls, links: Iterable[tuple[int, int]]) -> _Links:
        """From pairs of a target and a source."""
        pairs = np.array(sorted(links), dtype=np.intp).reshape(-1, 2)
        targets, starts = np.unique(pairs[:, 0], return_index=True)
        return cls(pairs[:, 1], pairs[:, 0], targets, starts)

    def greatest(self, rows: Floats) -> Floats:
        """(links, b) to (targets, b)."""
        if len(self.starts) == len(rows):  # each leads to a concept of its own, or there are none
            return rows
        found: Floats = np.maximum.reduceat(rows, self.starts, axis=0)
        return found


def _links_down(parents: Sequence[Sequence[int]]) -> list[list[tuple[int, int]]]:
    """Pairs of a child and a parent by the child's depth, from the roots down."""
    depth: dict[int, int] = {}
    links: dict[int, list[tuple[int, int]]] = {}
    for at in TopologicalSorter(dict(enumerate(parents))).static_order():
        depth[at] = 1 + max((depth[above] for above in parents[at]), default=-1)
        links.setdefault(depth[at], []).extend((at, above) for above in parents[at])
    return [links[level] for level in sorted(links) if links[level]]


def _by_curve(embeddings: Floats, statistics: PhotoStatistics) -> tuple[Floats, Floats]:
    """Weights (k, dim) and biases (k,) of concepts that nothing was learned about."""
    curve = statistics.curve
    variance = np.einsum("kd,de,ke->k", embeddings, statistics.covariance, embeddings)
    deviation = np.sqrt(np.maximum(variance, 1e-12))
    weights = np.asarray(curve.slope * embeddings / deviation[:, None], dtype=np.float32)
    fixed = curve.use * np.log(USUAL_RATE) + curve.offset
    return weights, np.asarray(fixed - weights @ statistics.mean, dtype=np.float32)
