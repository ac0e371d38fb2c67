"""The two ways in which HierarCaps' photos are given texts, from general to specific.

Both look at 50 radii around the root. At each, of the texts that are no further from the root, the
one nearest to the photo is taken; of equally near ones, the first in the list. Repeats that follow
one another are dropped; what remains is the photo's chain.

* `official`, as the released code does it: the radii run from the smallest to the largest root
  distance of all texts.
* `paper`, as Alper & Averbuch-Elor (2024) write it in section 6.1 and the supplement, 0.B: for each
  photo the radii run from the root to the text that is nearest to the photo, and the prediction
  nearest to the root is left out. Where the radius holds no text yet, nothing is predicted.

The best of the first k rows of a column of scores, for many columns and many k at once.

What a loop over columns and k would do with a mask and an argmax, to the last tie: of equal scores
the row that was listed first is the best. Only a row that none before it exceeds can be the best of
the first k. Such rows are few; most others are left out by one comparison, with the best of the
rows before their stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hiersearch.errors import UsageError
from hiersearch.evaluation.metrics import ProtocolScores, TextLists, score_lists, text_lists
from hiersearch.geometry import root_distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hiersearch.types import Integers, Reals


__all__ = [
    "RADII",
    "Candidates",
    "PrefixBests",
    "Turns",
    "candidates",
    "official",
    "official_chains",
    "official_steps",
    "paper",
    "paper_chains",
    "paper_steps",
    "prefix_bests",
]

RADII = 50
"""Radii at which texts are looked for."""


@dataclass(frozen=True)
class Candidates:
    """Texts by their distance from the root, and how near each is to each photo.

    Of texts with the very same vector only the first is a candidate: no other is ever taken.

    Attributes:
        texts: (t,) all texts, as they were given.
        number_of: Where each text stands in `texts`, for the first time.
        text_distances: (t,) their root distances.
        listed: (m,) where in `texts` the candidates stand, from the nearest to the root on. Of
            equally near ones that which stands there first is taken.
        scores: (m, n) the candidates' cosines with the photos.
        nearest: For each photo, which is the nearest of the first so many candidates.
    """

    texts: Sequence[str]
    number_of: Mapping[str, int]
    text_distances: Reals
    listed: Integers
    scores: Reals
    nearest: PrefixBests

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(m,) the candidates."""
        return tuple(self.texts[at] for at in self.listed.tolist())

    @cached_property
    def distances(self) -> Reals:
        """(m,) their root distances, ascending."""
        return self.text_distances[self.listed]


def official(
    photos: Reals,
    texts: Reals,
    root: Reals,
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
    return _score(_chains(given, official_steps(given)), given, truth)


def paper(
    photos: Reals,
    texts: Reals,
    root: Reals,
    truth: Sequence[Sequence[str]],
    names: Sequence[str],
) -> ProtocolScores:
    """Retrieve and score as the paper writes it; arguments and errors as for `official`."""
    given = candidates(photos, texts, root, names)
    return _score(_without_first(_chains(given, paper_steps(given))), given, truth)


def candidates(photos: Reals, texts: Reals, root: Reals, names: Sequence[str]) -> Candidates:
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
    scores = texts[listed] @ photos.T
    # What is no finite number in a photo's vector leaves none in any of its scores.
    if not (np.isfinite(scores[0]).all() and np.isfinite(distances).all()):
        raise UsageError("vectors hold something that is not a finite number")
    return Candidates(
        texts=names,
        # Backwards: the first of a name wins.
        number_of=dict(zip(reversed(names), reversed(range(len(names))), strict=True)),
        text_distances=distances,
        listed=listed,
        scores=scores,
        nearest=prefix_bests(scores, listed),
    )


def official_steps(given: Candidates) -> Turns:
    """Which candidates the released code takes in turn, for each photo (a column) as radii grow."""
    radii = np.linspace(given.distances[0], given.distances[-1], RADII)
    counts = np.searchsorted(given.distances, radii, side="right")
    return given.nearest.of_first(np.broadcast_to(counts, (given.scores.shape[1], RADII)))


def paper_steps(given: Candidates) -> Turns:
    """Which the paper's text takes in turn, the prediction nearest to the root among them."""
    radii = np.linspace(0.0, given.distances[given.nearest.of_all()], RADII, axis=1)
    counts = np.searchsorted(given.distances, radii, side="right")
    return given.nearest.of_first(counts)


def official_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo, as the released code gives it."""
    return _chains(given, official_steps(given)).as_names(given.texts)


def paper_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo, as the paper's text has it; it may be empty."""
    return _without_first(_chains(given, paper_steps(given))).as_names(given.texts)


def _score(chains: TextLists, given: Candidates, truth: Sequence[Sequence[str]]) -> ProtocolScores:
    true = text_lists(truth, given.number_of)
    return score_lists(chains, true, given.texts, given.text_distances)


def _chains(given: Candidates, steps: Turns) -> TextLists:
    """The texts that are taken in turn, repeats that follow one another dropped."""
    texts = given.listed[steps.rows]
    if len(given.number_of) < len(given.texts):
        texts = np.array([given.number_of[given.texts[text]] for text in texts.tolist()])
    new = (np.diff(steps.columns, prepend=-1) != 0) | (np.diff(texts, prepend=-1) != 0)
    return TextLists(steps.columns[new], texts[new], given.scores.shape[1])


def _without_first(chains: TextLists) -> TextLists:
    later = chains.places > 0
    return TextLists(chains.photos[later], chains.texts[later], chains.n)


def _is_first_of_equals(texts: Reals, distances: Reals, order: Integers) -> NDArray[np.bool_]:
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


class Turns(NamedTuple):
    """Which rows are the best in turn, as more and more are looked at; column after column.

    Attributes:
        columns: (c,) ascending.
        steps: (c,) from which count on, ascending in each column.
        rows: (c,) which row is the best until the next turn.
    """

    columns: Integers
    steps: Integers
    rows: Integers


@dataclass(frozen=True)
class PrefixBests:
    """Where the best so far changes, going down each of n columns of m scores.

    Attributes:
        height: m.
        changes: (c,) the cells where it does, column after column: column · m + row.
        rows: (c,) which row is the best from there on.
    """

    height: int
    changes: Integers
    rows: Integers

    def of_first(self, counts: Integers) -> Turns:
        """The best of the first so many rows.

        Args:
            counts: (n, k) from 0 to m, ascending for each column; at 0 there is no best.
        """
        starts = np.arange(len(counts))[:, None] * self.height
        # A change shows from the first count on that is above its row; of those that show at once
        # the last does. After the last count, that is in the next column, nothing shows.
        shown = np.searchsorted((starts + counts).ravel(), self.changes, side="right")
        columns, steps = np.divmod(shown, counts.shape[1])
        shows = (np.diff(shown, append=-1) != 0) & (columns == self.changes // self.height)
        return Turns(columns[shows], steps[shows], self.rows[shows])

    def of_all(self) -> Integers:
        """(n,) the best row of each column."""
        return self.rows[np.flatnonzero(np.diff(self.changes // self.height, append=-1))]


def prefix_bests(scores: Reals, listed: Integers) -> PrefixBests:
    """Find the best rows.

    Args:
        scores: (m, n) finite numbers, at least one.
        listed: (m,) distinct numbers from 0 up; of equal scores the lowest is best.
    """
    height, end = len(scores), int(listed.max()) + 1
    cells = _not_below_earlier_stretches(scores)
    columns, rows = np.divmod(cells, height)
    values = scores[rows, columns]
    highest = _running_maximum(values, columns)
    risen = np.diff(columns, prepend=-1) > 0
    risen[1:] |= highest[1:] > highest[:-1]
    # Among equals the first listed so far: each rise starts a group that lies below all earlier
    # ones, so that one running minimum starts anew with it.
    group = np.cumsum(risen) * end
    first = np.minimum.accumulate(np.where(values == highest, listed[rows], end) - group) + group
    row_of = np.zeros(end, dtype=np.int64)
    row_of[listed] = np.arange(height)
    best = row_of[first]
    changed = risen | (np.diff(best, prepend=-1) != 0)
    return PrefixBests(height, cells[changed], best[changed])


def _not_below_earlier_stretches(scores: Reals) -> Integers:
    """The cells that reach the maximum of the earlier stretches of their column, ascending.

    As column · m + row. Stretches double in length: shorter ones cost time, and longer ones would
    leave more cells that are below another one of their own stretch.
    """
    height, width = scores.shape
    above = np.full(width, -np.inf, dtype=scores.dtype)
    found = [np.arange(width)]
    start = 1
    while start < height:
        np.maximum(above, scores[start // 2 : start].max(axis=0), out=above)
        found.append(np.flatnonzero(scores[start : 2 * start] >= above) + start * width)
        start *= 2
    rows, columns = np.divmod(np.concatenate(found), width)
    return np.sort(columns * height + rows)


def _running_maximum(values: Reals, groups: Integers) -> Reals:
    """The highest value of its group up to each one; the groups ascend from 0, none left out."""
    sizes = np.bincount(groups)
    places = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.full((len(sizes), int(sizes.max())), -np.inf, dtype=values.dtype)
    table[groups, places] = values
    highest: Reals = np.maximum.accumulate(table, axis=1)[groups, places]
    return highest
