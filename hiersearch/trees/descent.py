"""The posterior descent: from the heaviest root of a vocabulary down its heaviest children.

Every concept is scored together with its ancestors, a softmax over the whole vocabulary makes
shares of the scores, and the mass of a concept is the share of itself and everything below it.
The descent stops where too little mass is left, so that it ends where the model stops being sure.

For a unit vector v, concept vectors t_c, and the centre m of the model's text vectors:

    t~_c = N(t_c - m)                      what sets the concept apart from any text
    s_c  = t~_c . v
    q_c  = s_c / 2 + (mean of s over c and its ancestors) / 2
    p    = softmax of q / T + f over the concepts and "nothing"
    mass(a) = sum of p over a and its descendants

f is FAMILIAR times the standardised familiarity of the concept, 0 where that is unknown; "nothing"
has the score of NOTHING typical deviations.

The centre and the temperature T belong to the model, not to a vocabulary: a deviation measured
within two concepts makes noise look certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hiersearch.errors import VectorError
from hiersearch.types import Floats, Positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["BLOCK", "FLOOR", "Calibration", "Masses", "Places", "PosteriorDescent", "calibrate"]


FLOOR = 0.3
"""The least mass of a concept in a chain."""

SHARPNESS = 0.375
"""The temperature, in typical standard deviations of the scores of one vector."""

OWN_SHARE = 0.5
"""How much of a concept's score is its own; the rest is the mean over it and its ancestors."""

FAMILIAR = 0.7
"""How much likelier, as a logarithm, a concept is for each standard deviation of familiarity:
between two names that fit as well, people mean the word they know."""

NOTHING = 2.5
"""The score of "nothing fits", in typical standard deviations. Beside 10,000 concepts it is
negligible; beside two it outweighs what noise earns."""

BLOCK = 256
"""Vectors worked on at once: bounds the memory of a thread to about 100 MB for 10,000 concepts."""


_SHORT = 8
"""Concepts of a run that is summed together with others of its length."""

Places: TypeAlias = tuple[int, ...]
"""Positions in a vocabulary."""

Masses: TypeAlias = tuple[float, ...]
"""Shares of the posterior, each of a concept and everything below it, in [0, 1]."""


@dataclass(frozen=True)
class Calibration:
    """What the descent needs to know about a model.

    Args:
        centre: (dim,) float32, the mean text vector over the built-in vocabulary.
        temperature: T for the vectors of photos.
        text_temperature: T for the vectors of texts, which lie much closer to the concepts.
    """

    centre: Floats
    temperature: float
    text_temperature: float


def calibrate(
    embeddings: Floats, vectors: Floats | None = None, *, temperature: float | None = None
) -> Calibration:
    """Measure a model once.

    Args:
        embeddings: (n, dim) text vectors of the built-in vocabulary.
        vectors: (k, dim) vectors of some photos; not needed where `temperature` is given.
        temperature: T for photos where the model states it.

    Raises:
        VectorError: Vectors are not finite, have no length, or no right shape.
        ValueError: Neither `vectors` nor `temperature` is given.
    """
    concepts = _unit_rows(embeddings)
    centre = np.asarray(np.mean(concepts, axis=0, dtype=np.float64), dtype=np.float32)
    centred = _centred(concepts, centre)
    if temperature is None:
        if vectors is None or not len(vectors):
            raise ValueError("calibrate needs photo vectors or a temperature")
        temperature = SHARPNESS * _typical_deviation(centred, _unit_rows(vectors))
    # Spread evenly over the vocabulary; a few hundred texts pin a median down well enough.
    texts = concepts[:: max(1, len(concepts) // 500)]
    return Calibration(centre, temperature, SHARPNESS * _typical_deviation(centred, texts))


class PosteriorDescent:
    """Chains of concepts for vectors, over one vocabulary.

    Args:
        parents: For each concept the positions of its parents; without cycles.
        embeddings: (n, dim) text vectors of the concepts.
        calibration: What is known about the model.
        familiarity: How familiar each concept is, on any scale; all count as equal without it.

    Raises:
        VectorError: The embeddings are not finite, have no length, or do not fit the rest.
    """

    def __init__(
        self,
        parents: Sequence[Sequence[int]],
        embeddings: Floats,
        calibration: Calibration,
        *,
        familiarity: Sequence[float | None] | None = None,
    ) -> None:
        concepts = _unit_rows(embeddings)
        if len(concepts) != len(parents) or concepts.shape[1:] != calibration.centre.shape:
            raise VectorError(
                f"{len(parents)} concepts, embeddings of shape {concepts.shape} and a centre of "
                f"shape {calibration.centre.shape} do not fit together",
                hint="Embed the vocabulary with the model that was calibrated",
            )
        self._calibration = calibration
        self._roots = np.array([at for at, above in enumerate(parents) if not above])
        self._children = _children(parents)
        order = _general_first(self._roots, self._children)
        lineages = _lineages(parents)
        self._runs = _Runs(lineages, order)
        # In the order of the walk, so that the scores come out in it too.
        self._directions = _with_ancestors(_centred(concepts, calibration.centre), lineages)[order]
        self._prior = _prior(familiarity, len(parents))[order]

    def masses(self, vectors: Floats, *, temperature: float | None = None) -> Floats:
        """The mass of every concept for every vector.

        Args:
            vectors: (b, dim); normalised here.
            temperature: T; by default the calibration's for photos.

        Returns:
            (b, n) float32 in [0, 1]; its columns are contiguous in memory.

        Raises:
            VectorError: Vectors are not finite, have no length, or another dimension.
        """
        rows = self._checked(vectors)
        blocks = [
            self._block_masses(rows[start : start + BLOCK], temperature)
            for start in range(0, max(len(rows), 1), BLOCK)
        ]
        return blocks[0].T if len(blocks) == 1 else np.concatenate(blocks, axis=1).T

    def descend(
        self, vectors: Floats, *, floor: float = FLOOR, temperature: float | None = None
    ) -> list[tuple[Places, Masses]]:
        """The concepts of every vector, from the heaviest root down.

        Args:
            vectors: (b, dim); normalised here.
            floor: The least mass of a concept in the answer, in [0, 1].
            temperature: T; by default the calibration's for photos.

        Returns:
            For each vector the positions of its concepts in the vocabulary, general to specific,
            and their masses; both empty where nothing fits.

        Raises:
            VectorError: Vectors are not finite, have no length, or another dimension.
        """
        rows = self._checked(vectors)
        found: list[tuple[Places, Masses]] = []
        for start in range(0, len(rows), BLOCK):
            block = self._block_masses(rows[start : start + BLOCK], temperature)
            for mass, allowed in zip(block.T, (block >= floor).T, strict=True):
                places = self.walk(mass, allowed)
                found.append((places, tuple(float(mass[at]) for at in places)))
        return found

    def walk(
        self, weight: Floats, allowed: NDArray[np.bool_], *, first: int | None = None
    ) -> Places:
        """From a root down, always to the heaviest of those that are allowed.

        Args:
            weight: (n,), by which a concept is chosen among the roots, or below another.
            allowed: (n,), which concepts the answer may hold.
            first: The root to begin with; by default the heaviest.

        Returns:
            The positions of the concepts, general to specific.
        """
        places: list[int] = []
        choices = self._roots if first is None else np.array([first])
        while len(choices := choices[allowed[choices]]):
            best = int(choices[np.argmax(weight[choices])])
            places.append(best)
            choices = self._children[best]
        return tuple(places)

    def _checked(self, vectors: Floats) -> Floats:
        rows = _unit_rows(vectors)
        if rows.shape[1] != self._directions.shape[1]:
            raise VectorError(
                f"vectors of dimension {rows.shape[1]} for concepts of dimension "
                f"{self._directions.shape[1]}",
                hint="Use the model that embedded the vocabulary",
            )
        return rows

    def _block_masses(self, rows: Floats, temperature: float | None) -> Floats:
        """(n, b): a row for each concept, which is faster to gather than a column."""
        if temperature is None:
            temperature = self._calibration.temperature
        # In place from here on: fresh memory costs more than the arithmetic.
        shares: Floats = self._directions @ (rows / np.float32(temperature)).T
        shares += self._prior[:, None]
        nothing = np.float32(NOTHING / SHARPNESS)
        peak = np.maximum(shares.max(axis=0), nothing)
        shares -= peak
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=0) + np.exp(nothing - peak)
        return self._runs.sums(shares)


def _unit_rows(vectors: Floats) -> Floats:
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.ndim != 2:
        raise VectorError(f"an array of shape {rows.shape} where rows of vectors are needed")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise VectorError("a vector is not finite, or has no length", hint="Encode it again")
    unit: Floats = rows / lengths
    return unit


def _centred(concepts: Floats, centre: Floats) -> Floats:
    """N(t - m); a concept that lies at the centre says nothing and scores 0."""
    apart = concepts - centre
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    return np.asarray(apart / np.where(lengths > 1e-6, lengths, np.inf), dtype=np.float32)


def _prior(familiarity: Sequence[float | None] | None, count: int) -> Floats:
    """What familiarity adds to the logits: nothing where it is unknown for any concept."""
    if familiarity is None or any(value is None for value in familiarity):
        return np.zeros(count, dtype=np.float32)
    values = np.array(familiarity, dtype=np.float64)
    deviation = float(np.std(values))
    if deviation == 0:
        return np.zeros(count, dtype=np.float32)
    # The few words that everybody knows would swallow the rest without the bound.
    scaled = np.clip((values - np.mean(values)) / deviation, -5, 5)
    return np.asarray(FAMILIAR * scaled, dtype=np.float32)


def _typical_deviation(centred: Floats, rows: Floats) -> float:
    """The median over vectors of the standard deviation of their scores."""
    deviation = float(np.median(np.std(rows @ centred.T, axis=1)))
    if deviation <= 0:
        raise VectorError("the model gives all concepts the same score", hint="Use another model")
    return deviation


def _children(parents: Sequence[Sequence[int]]) -> list[Positions]:
    below: list[list[int]] = [[] for _ in parents]
    for at, above in enumerate(parents):
        for parent in above:
            below[parent].append(at)
    return [np.array(children, dtype=np.intp) for children in below]


def _lineages(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each concept itself and all its ancestors."""
    lineages: list[list[int]] = []
    for at in range(len(parents)):
        found = {at}
        waiting = [at]
        while waiting:
            for parent in parents[waiting.pop()]:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        lineages.append(sorted(found))
    return lineages


def _general_first(roots: Positions, children: Sequence[Positions]) -> Positions:
    """All positions in the order of a walk that finishes what is below one before the next."""
    order: dict[int, None] = {}
    waiting = [int(at) for at in reversed(roots)]
    while waiting:
        at = waiting.pop()
        if at not in order:
            order[at] = None
            waiting.extend(int(child) for child in reversed(children[at]))
    return np.fromiter(order, dtype=np.intp, count=len(order))


class _Runs:
    """Sums over each concept and its descendants.

    In the order of a walk down the tree these are one run of neighbours; only below a concept
    with several parents there are more. Short runs, which are most, are summed together, length by
    length.
    """

    def __init__(self, lineages: Sequence[Sequence[int]], order: Positions) -> None:
        below: list[list[int]] = [[] for _ in lineages]
        for rank, at in enumerate(order):
            for above in lineages[at]:
                below[above].append(rank)
        self._rank = np.empty(len(order), dtype=np.intp)
        self._rank[order] = np.arange(len(order))
        short: dict[int, list[tuple[int, int]]] = {}
        self._long: list[tuple[int, int, int]] = []
        for at, ranks in enumerate(below):
            if len(ranks) == 1:
                continue  # nothing below it: its sum is its share
            runs = _runs(ranks)
            if len(runs) == 1 and len(ranks) <= _SHORT:
                short.setdefault(len(ranks), []).append((at, ranks[0]))
            else:
                self._long.extend((at, start, end) for start, end in runs)
        self._short = {
            length: tuple(np.array(pairs, dtype=np.intp).T) for length, pairs in short.items()
        }

    def sums(self, shares: Floats) -> Floats:
        """(n, b) shares in the order of the walk to (n, b) sums in the vocabulary's order."""
        found: Floats = np.take(shares, self._rank, axis=0)
        for length, (places, starts) in self._short.items():
            total = shares[starts]
            for step in range(1, length):
                total += shares[starts + step]
            found[places] = total
        begun: set[int] = set()
        for at, start, end in self._long:
            total = shares[start:end].sum(axis=0)
            found[at] = found[at] + total if at in begun else total
            begun.add(at)
        # Rounding may carry a sum of shares a hair beyond the whole.
        return np.minimum(found, 1, out=found)


def _runs(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as half-open runs of neighbours."""
    cuts = [at for at in range(1, len(ranks)) if ranks[at] != ranks[at - 1] + 1]
    edges = [0, *cuts, len(ranks)]
    return [(ranks[start], ranks[end - 1] + 1) for start, end in pairwise(edges)]


def _with_ancestors(centred: Floats, lineages: Sequence[Sequence[int]]) -> Floats:
    """Mix ancestors into each direction: scores are linear, so that their mean is one product."""
    mixed = OWN_SHARE * centred
    by_length: dict[int, list[int]] = {}
    for at, lineage in enumerate(lineages):
        by_length.setdefault(len(lineage), []).append(at)
    for every in by_length.values():
        for start in range(0, len(every), BLOCK):
            part = every[start : start + BLOCK]
            means = centred[[lineages[at] for at in part]].mean(axis=1)
            mixed[part] += (1 - OWN_SHARE) * means
    return mixed
