"""The measure of BREEDS: ranks of pairs of labels, coarse then fine, for each photo.

Alper & Averbuch-Elor 2024, section 6.1 and supplement, 0.B.6. Of two distinct labels the one
closer to the root is the coarse one. A pair (x, y) scores sim(x) + sim(y) − c·Ξ(x, y) for a
photo. The constant c is chosen on one half of the photos and used on the other, and the two halves'
recalls are averaged. For comparison (0.C.7, table 7):
both labels in one prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.geometry import exterior_angle, root_distance
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.types import Floats, Integers


__all__ = [
    "CONSTANTS",
    "Chosen",
    "cross_validated",
    "ordered_pairs",
    "pair_ranks",
    "prompt_ranks",
]

CONSTANTS: tuple[float, ...] = tuple(float(c) for c in np.linspace(0.0, 1.0, 20))
"""The values of c to try. The paper says 20 at equal steps; its copy at hand lacks their range."""

PAIR_SCORES_AT_ONCE = 2**21
"""The most scores in memory: few enough for the processor's cache."""

TEXTS_AT_ONCE = 4096


@dataclass(frozen=True)
class Chosen:
    """A cross-validated recall.

    Attributes:
        recall: Mean of the two halves' recalls, from 0 to 1.
        constants: The constant of each half, chosen on the other one.
    """

    recall: float
    constants: tuple[float, float]


def ordered_pairs(labels: Floats, root: Floats) -> tuple[Integers, Integers]:
    """All pairs of labels whose first is closer to the root than the second.

    Args:
        labels: (n, dim) rows of length 1.
        root: (dim,).

    Returns:
        The positions of the first labels, and of the second; labels at equal distance form no pair.
    """
    distances = np.asarray(root_distance(labels, root))
    first, second = np.nonzero(distances[:, None] < distances[None, :])
    return first, second


def pair_ranks(
    photos: Floats,
    labels: Floats,
    root: Floats,
    truth: Sequence[tuple[int, int]],
    constants: Sequence[float] = CONSTANTS,
) -> Integers:
    """The rank of each photo's true pair among all pairs, for each constant.

    Args:
        photos: (n, dim) rows of length 1.
        labels: (m, dim) rows of length 1.
        root: (dim,).
        truth: The positions of each photo's coarse and fine label.
        constants: c of them.

    Returns:
        (c, n) from 1, ties counting against the photo; the number of pairs plus one if the
        true pair is not among them, as its coarse label is not the closer one to the root.
    """
    first, second = ordered_pairs(labels, root)
    angles = np.empty(len(first), dtype=np.float32)
    for label in np.unique(first):
        mine = first == label
        angles[mine] = exterior_angle(labels[label], labels[second[mine]], root)
    column = {pair: at for at, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    own = np.array([column.get(pair, -1) for pair in truth], dtype=np.int64)
    similar = photos @ labels.T
    ranks = np.full((len(constants), len(photos)), len(first) + 1, dtype=np.int64)
    rows_at_once = max(1, PAIR_SCORES_AT_ONCE // max(1, len(first)))
    paired = np.flatnonzero(own >= 0)
    for start in range(0, len(paired), rows_at_once):
        rows = paired[start : start + rows_at_once]
        both = similar[rows][:, first] + similar[rows][:, second]
        for at, constant in enumerate(constants):
            scores = both - np.float32(constant) * angles
            true = scores[np.arange(len(rows)), own[rows]]
            # The true pair is itself among those that are no worse.
            ranks[at, rows] = np.count_nonzero(scores >= true[:, None], axis=1)
    return ranks


def cross_validated(
    ranks: Integers, k: int, *, seed: int = 0, constants: Sequence[float] = CONSTANTS
) -> Chosen | None:
    """Recall among the first k pairs, the constant chosen on the half that is not measured.

    Args:
        ranks: (c, n) as `pair_ranks` gives them.
        k: At least 1.
        seed: Random seed of the halves, which differ in size by at most one photo.
        constants: The c constants; of equally good ones, the first is chosen.

    Returns:
        None if there are fewer than two photos.
    """
    order = np.random.default_rng(seed).permutation(ranks.shape[1])
    halves = (order[: len(order) // 2], order[len(order) // 2 :])
    if not len(halves[0]):
        return None
    hits = ranks <= k
    recalls = [hits[:, half].mean(axis=1) for half in halves]
    best = [int(np.argmax(recall)) for recall in recalls]
    return Chosen(
        recall=float((recalls[0][best[1]] + recalls[1][best[0]]) / 2),
        constants=(float(constants[best[1]]), float(constants[best[0]])),
    )


def prompt_ranks(
    photos: Floats,
    texts: Callable[[Sequence[str]], Floats],
    labels: Sequence[str],
    truth: Sequence[tuple[int, int]],
    prompt: str,
    on_progress: Progress = tell_nobody,
) -> Integers:
    """The rank of each photo's true pair if a pair is scored by one text with both labels.

    All ordered pairs of distinct labels become texts: 7,140 for living17, 73,712 for entity13.

    Args:
        photos: (n, dim) rows of length 1.
        texts: Maps k texts to (k, dim) rows of length 1.
        labels: m of them.
        truth: The positions of each photo's coarse and fine label.
        prompt: With "{coarse}" and "{fine}".
        on_progress: Called while texts are encoded.

    Returns:
        (n,) from 1, ties counting against the photo.
    """
    pairs = [(x, y) for x in range(len(labels)) for y in range(len(labels)) if x != y]

    def vectors(some: Sequence[tuple[int, int]]) -> Floats:
        coarse = [prompt.replace("{coarse}", labels[x]) for x, _ in some]
        return texts(
            [text.replace("{fine}", labels[y]) for text, (_, y) in zip(coarse, some, strict=True)]
        )

    true = np.sum(photos * vectors(truth), axis=1, keepdims=True)
    ranks = np.ones(len(photos), dtype=np.int64)
    for start in range(0, len(pairs), TEXTS_AT_ONCE):
        on_progress(prompt, start, len(pairs))
        some = pairs[start : start + TEXTS_AT_ONCE]
        column = {pair: at for at, pair in enumerate(some)}
        ahead = photos @ vectors(some).T >= true
        for row, pair in enumerate(truth):
            if pair in column:
                ahead[row, column[pair]] = False
        ranks += np.count_nonzero(ahead, axis=1)
    on_progress(prompt, len(pairs), len(pairs))
    return ranks
