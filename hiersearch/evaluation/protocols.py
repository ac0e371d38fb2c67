"""The two ways in which HierarCaps' photos are given texts, from general to specific.

Both look at 50 radii around the root. At each, of the texts that are no further from the root, the
one nearest to the photo is taken; of equally near ones, the first in the list. Repeats that follow
one another are dropped; what remains is the photo's chain.

* `official`, as the released code does it: the radii run from the smallest to the largest root
  distance of all texts.
* `paper`, as Alper & Averbuch-Elor (2024) write it in section 6.1 and the supplement, 0.B: for each
  photo the radii run from the root to the text that is nearest to the photo, and the prediction
  nearest to the root is left out. Where the radius holds no text yet, nothing is predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hiersearch.errors import UsageError
from hiersearch.evaluation.chain_scores import ProtocolScores, score_chains
from hiersearch.evaluation.prefix_best import NOTHING, best_of_all, best_of_first
from hiersearch.geometry import root_distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Positions: TypeAlias = NDArray[np.int64]

__all__ = [
    "RADII",
    "Candidates",
    "candidates",
    "chains_of",
    "official",
    "official_chains",
    "official_steps",
    "paper",
    "paper_chains",
    "paper_steps",
]

RADII = 50
"""Radii at which texts are looked for."""


@dataclass(frozen=True)
class Candidates:
    """Texts by their distance from the root, and how near each is to each photo.

    Of texts with the very same vector only the first is here: no other is ever taken.

    Attributes:
        names: (m,) the texts, from the nearest to the root on.
        distances: (m,) their root distances, ascending.
        listed: (m,) where each stood in the list that was given: of equally near texts the one
            that was listed first is taken.
        scores: (n, m) cosines with the photos.
        distance_of: The root distance of every text that was given.
    """

    names: tuple[str, ...]
    distances: Floats
    listed: Positions
    scores: Floats
    distance_of: Mapping[str, float]


def official(
    photos: Floats,
    texts: Floats,
    root: Floats,
    truth: Sequence[Sequence[str]],
    names: Sequence[str],
) -> ProtocolScores:
    """Retrieve and score as the released code does.

    Args:
        photos: (n, dim) rows of length 1, at least one; a photo may stand there more than once.
        texts: (m, dim) rows of length 1, of the candidates.
        root: (dim,).
        truth: For each photo its true texts, general to specific; all of them candidates.
        names: The m candidates.

    Raises:
        UsageError: If these do not fit together, or hold something that is no number.
    """
    given = candidates(photos, texts, root, names)
    return score_chains(official_chains(given), truth, given.distance_of)


def paper(
    photos: Floats,
    texts: Floats,
    root: Floats,
    truth: Sequence[Sequence[str]],
    names: Sequence[str],
) -> ProtocolScores:
    """Retrieve and score as the paper writes it; arguments and errors as for `official`."""
    given = candidates(photos, texts, root, names)
    return score_chains(paper_chains(given), truth, given.distance_of)


def candidates(photos: Floats, texts: Floats, root: Floats, names: Sequence[str]) -> Candidates:
    """Score texts against photos.

    Args:
        photos: (n, dim) rows of length 1.
        texts: (m, dim) rows of length 1, at least one.
        root: (dim,).
        names: The m texts; of one that is listed twice the first counts.

    Raises:
        UsageError: If these do not fit together, or hold something that is no number.
    """
    shapes = photos.shape[1:] == texts.shape[1:] == root.shape
    if not (len(photos) and len(texts) == len(names) > 0 and shapes):
        raise UsageError(
            f"photos {photos.shape}, texts {texts.shape} and root {root.shape} do not fit, or not "
            f"{len(names)} names",
            hint="Give one row or more of each, of one length, and a name for each text",
        )
    distances = root_distance(texts, root)
    listed = np.argsort(distances, kind="stable")
    listed = listed[_is_first_of_equals(texts, distances, listed)]
    scores = photos @ texts[listed].T
    if not (np.isfinite(photos.sum()) and np.isfinite(distances.sum())):
        raise UsageError("vectors hold something that is not a finite number")
    return Candidates(
        names=tuple(names[at] for at in listed.tolist()),
        distances=distances[listed],
        listed=listed,
        scores=scores,
        # Backwards: the first of a name wins.
        distance_of=dict(zip(reversed(names), distances[::-1].tolist(), strict=True)),
    )


def official_steps(given: Candidates) -> Positions:
    """What the released code takes at each radius.

    Returns:
        (n, RADII) columns of the candidates.
    """
    radii = np.linspace(given.distances[0], given.distances[-1], RADII)
    counts = np.searchsorted(given.distances, radii, side="right")
    shape = (len(given.scores), RADII)
    return best_of_first(given.scores, np.broadcast_to(counts, shape), given.listed)


def paper_steps(given: Candidates) -> Positions:
    """What the paper's text takes at each radius, the prediction nearest to the root among them.

    Returns:
        (n, RADII) columns of the candidates, −1 where the radius holds none yet.
    """
    nearest = best_of_all(given.scores, given.listed)
    radii = np.linspace(0.0, given.distances[nearest], RADII, axis=1)
    counts = np.searchsorted(given.distances, radii, side="right")
    return best_of_first(given.scores, counts, given.listed)


def official_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo, as the released code gives it."""
    return chains_of(given.names, official_steps(given))


def paper_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo, as the paper's text has it; it may be empty."""
    return [chain[1:] for chain in chains_of(given.names, paper_steps(given))]


def chains_of(names: Sequence[str], steps: Positions) -> list[tuple[str, ...]]:
    """The texts of each row of steps, repeats that follow one another dropped.

    Args:
        names: (m,) the candidates' texts; the same text may stand there more than once.
        steps: (n, radii) columns, −1 for none.
    """
    columns = steps
    if len(set(names)) < len(names):
        first: dict[str, int] = {}
        same = np.array([first.setdefault(name, column) for column, name in enumerate(names)])
        columns = np.where(steps == NOTHING, NOTHING, same[steps])
    new = columns != NOTHING
    new[:, 1:] &= columns[:, 1:] != columns[:, :-1]
    texts = [names[column] for column in columns[new].tolist()]
    ends = np.cumsum(np.count_nonzero(new, axis=1)).tolist()
    return [tuple(texts[start:end]) for start, end in pairwise([0, *ends])]


def _is_first_of_equals(texts: Floats, distances: Floats, order: Positions) -> NDArray[np.bool_]:
    """Whether each text, in an order by distance, is the first of those with its very vector.

    A matrix product may differ in the last bit between equal rows, and so break their tie.
    """
    is_first = np.ones(len(order), dtype=np.bool_)
    ranked = distances[order]
    seen: set[bytes] = set()
    for at in np.flatnonzero(ranked[1:] == ranked[:-1]).tolist():
        seen.add(texts[order[at]].tobytes())
        vector = texts[order[at + 1]].tobytes()
        is_first[at + 1] = vector not in seen
        seen.add(vector)
    return is_first
