"""The two protocols by which HierarCaps retrieves a chain of texts for a photo, and their scores.

Both go through 50 radii around the root. At each radius they take, of the texts within it, the one
nearest to the photo; of equally near ones, the first in the list. Consecutive repeats are dropped;
what remains is the photo's chain, from general to specific.

* `official` follows the released code: the radii run from the smallest to the largest root distance
  of all texts.
* `paper` follows Alper & Averbuch-Elor (2024), section 6.1 and supplement 0.B: for each photo the
  radii run from the root to the text nearest to the photo, and the prediction nearest to the root
  is left out. If a radius contains no text, nothing is predicted.

With texts ordered by root distance, both ask for the best of the first k rows of each column of a
table of scores, for many k. `prefix_bests` answers that without a loop over photos and radii: only
a row that no earlier row exceeds can be the best of the first k. Such rows are few, and most others
are ruled out by one comparison with the best of all rows before their block. The result is exactly
that of a mask and an argmax for each photo and radius, ties included.
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
"""Number of radii."""


@dataclass(frozen=True)
class Candidates:
    """Texts in the order of their root distances, scored against photos.

    Of texts with identical vectors only the first is a candidate, as the others are never taken.

    Attributes:
        texts: (t,) all texts, as given.
        number_of: The first position of each text in `texts`.
        text_distances: (t,) their root distances.
        listed: (m,) the candidates' positions in `texts`, by ascending root distance.
        scores: (m, n) the candidates' cosines with the photos.
        nearest: For each photo, the nearest of the first k candidates, for any k.
    """

    texts: Sequence[str]
    number_of: Mapping[str, int]
    text_distances: Reals
    listed: Integers
    scores: Reals
    nearest: PrefixBests

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(m,) the candidates' texts."""
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
        photos: (n, dim) rows of length 1, at least one; a photo may occur more than once.
        texts: (m, dim) rows of length 1, of the candidates.
        root: (dim,).
        truth: The true texts of each photo, general to specific; all must be candidates.
        names: The m candidates.

    Raises:
        UsageError: Shapes do not match, or a vector is not finite.
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
    """Retrieve and score as the paper describes it; arguments and errors as for `official`."""
    given = candidates(photos, texts, root, names)
    return _score(_without_first(_chains(given, paper_steps(given))), given, truth)


def candidates(photos: Reals, texts: Reals, root: Reals, names: Sequence[str]) -> Candidates:
    """Score texts against photos.

    Args:
        photos: (n, dim) rows of length 1.
        texts: (m, dim) rows of length 1, at least one.
        root: (dim,).
        names: The m texts; if one is listed twice, the first counts.

    Raises:
        UsageError: Shapes do not match, or a vector is not finite.
    """
    shapes = photos.shape[1:] == texts.shape[1:] == root.shape
    if not (len(photos) and len(texts) == len(names) > 0 and shapes):
        raise UsageError(
            f"photos {photos.shape}, texts {texts.shape}, root {root.shape} and {len(names)} names "
            "do not match",
            hint="Give at least one row of each, of the same length, and a name for each text",
        )
    distances = root_distance(texts, root)
    listed = np.argsort(distances, kind="stable")
    listed = listed[_is_first_of_equals(texts, distances, listed)]
    scores = texts[listed] @ photos.T
    # A photo vector that is not finite makes all of its scores not finite.
    if not (np.isfinite(scores[0]).all() and np.isfinite(distances).all()):
        raise UsageError("vectors contain NaN or infinity")
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
    """The candidates that the released code takes for each photo (a column) as radii grow."""
    radii = np.linspace(given.distances[0], given.distances[-1], RADII)
    counts = np.searchsorted(given.distances, radii, side="right")
    return given.nearest.of_first(np.broadcast_to(counts, (given.scores.shape[1], RADII)))


def paper_steps(given: Candidates) -> Turns:
    """The same by the paper's text, including the prediction nearest to the root."""
    radii = np.linspace(0.0, given.distances[given.nearest.of_all()], RADII, axis=1)
    counts = np.searchsorted(given.distances, radii, side="right")
    return given.nearest.of_first(counts)


def official_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo by the released code."""
    return _chains(given, official_steps(given)).as_names(given.texts)


def paper_chains(given: Candidates) -> list[tuple[str, ...]]:
    """The chain of each photo by the paper's text; may be empty."""
    return _without_first(_chains(given, paper_steps(given))).as_names(given.texts)


class Turns(NamedTuple):
    """The changes of the best row as counts grow, column by column.

    Attributes:
        columns: (c,) the column, ascending.
        steps: (c,) the index of the count from which on it holds, ascending in each column.
        rows: (c,) the best row from there until the next change.
    """

    columns: Integers
    steps: Integers
    rows: Integers


@dataclass(frozen=True)
class PrefixBests:
    """Where the best row so far changes, going down each of n columns of m scores.

    Attributes:
        height: m.
        changes: (c,) the cells where it changes, column by column, as column · m + row.
        rows: (c,) the best row from there on.
    """

    height: int
    changes: Integers
    rows: Integers

    def of_first(self, counts: Integers) -> Turns:
        """The best of the first `counts` rows of each column.

        Args:
            counts: (n, k) from 0 to m, ascending for each column; of 0 rows there is no best.
        """
        starts = np.arange(len(counts))[:, None] * self.height
        # A change takes effect at the first count above its row; if several do at the same count,
        # the last one holds. A change after the last count has no effect.
        shown = np.searchsorted((starts + counts).ravel(), self.changes, side="right")
        columns, steps = np.divmod(shown, counts.shape[1])
        shows = (np.diff(shown, append=-1) != 0) & (columns == self.changes // self.height)
        return Turns(columns[shows], steps[shows], self.rows[shows])

    def of_all(self) -> Integers:
        """(n,) the best row of each column."""
        return self.rows[np.flatnonzero(np.diff(self.changes // self.height, append=-1))]


def prefix_bests(scores: Reals, listed: Integers) -> PrefixBests:
    """Find the best of the first k rows of each column, for all k.

    Args:
        scores: (m, n) finite numbers, at least one.
        listed: (m,) distinct numbers from 0; of equal scores, the lowest number is best.
    """
    height, end = len(scores), int(listed.max()) + 1
    cells = _not_below_earlier_blocks(scores)
    columns, rows = np.divmod(cells, height)
    values = scores[rows, columns]
    highest = _running_maximum(values, columns)
    risen = np.diff(columns, prepend=-1) > 0
    risen[1:] |= highest[1:] > highest[:-1]
    # Among equal scores take the first listed so far. Each rise starts a group whose numbers are
    # shifted below all earlier ones, so that a single running minimum restarts there.
    group = np.cumsum(risen) * end
    first = np.minimum.accumulate(np.where(values == highest, listed[rows], end) - group) + group
    row_of = np.zeros(end, dtype=np.int64)
    row_of[listed] = np.arange(height)
    best = row_of[first]
    changed = risen | (np.diff(best, prepend=-1) != 0)
    return PrefixBests(height, cells[changed], best[changed])


def _not_below_earlier_blocks(scores: Reals) -> Integers:
    """The cells that reach the maximum of the earlier blocks of their column, ascending.

    As column · m + row. Blocks double in length: shorter ones would cost time, and longer ones
    would keep more cells that are below another cell of their own block.
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
    """The running maximum of each group; groups are numbered from 0, ascending, without gaps."""
    sizes = np.bincount(groups)
    places = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.full((len(sizes), int(sizes.max())), -np.inf, dtype=values.dtype)
    table[groups, places] = values
    highest: Reals = np.maximum.accumulate(table, axis=1)[groups, places]
    return highest


def _score(chains: TextLists, given: Candidates, truth: Sequence[Sequence[str]]) -> ProtocolScores:
    true = text_lists(truth, given.number_of)
    return score_lists(chains, true, given.texts, given.text_distances)


def _chains(given: Candidates, steps: Turns) -> TextLists:
    """The texts that are taken, without consecutive repeats."""
    texts = given.listed[steps.rows]
    if len(given.number_of) < len(given.texts):
        texts = np.array([given.number_of[given.texts[text]] for text in texts.tolist()])
    new = (np.diff(steps.columns, prepend=-1) != 0) | (np.diff(texts, prepend=-1) != 0)
    return TextLists(steps.columns[new], texts[new], given.scores.shape[1])


def _without_first(chains: TextLists) -> TextLists:
    later = chains.places > 0
    return TextLists(chains.photos[later], chains.texts[later], chains.n)


def _is_first_of_equals(texts: Reals, distances: Reals, order: Integers) -> NDArray[np.bool_]:
    """Whether each text, in an order by distance, is the first with its vector.

    A matrix product may differ in the last bit between equal rows, which would break their tie.
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
