"""The best of the first k columns of a row of scores, for many rows and many k at once.

What a loop over rows and k would do with a mask and an argmax, to the last tie: of equal scores
the column that was listed first is the best. Each score is read about twice, whatever the number
of k: once for the maximum of the stretch of columns that it is in, and once more where that
stretch may hold the best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Positions: TypeAlias = NDArray[np.int64]

__all__ = ["NOTHING", "best_of_all", "best_of_first"]

NOTHING = -1
"""The column that stands for none."""


def best_of_all(scores: Floats, listed: Positions) -> Positions:
    """The best column of each row.

    Args:
        scores: (n, m) finite numbers, at least one in a row.
        listed: (m,) distinct numbers from 0 up; of equal scores the lowest is best.

    Returns:
        (n,) columns.
    """
    cells = np.flatnonzero(scores == scores.max(axis=1, keepdims=True))
    rows, columns = np.divmod(cells, scores.shape[1])
    return _column_of(listed)[_least_of_each(listed[columns], rows)]


def best_of_first(scores: Floats, counts: Positions, listed: Positions) -> Positions:
    """The best of the first so many columns of each row.

    Args:
        scores: (n, m) finite numbers, row after row in memory.
        counts: (n, k) from 0 to m, ascending in each row.
        listed: (m,) distinct numbers from 0 up; of equal scores the lowest is best.

    Returns:
        (n, k) columns, −1 for a count of 0.
    """
    rows, width = scores.shape
    # Each row falls into stretches: between one count and the next, and a tail.
    offsets = np.arange(rows)[:, None] * width
    starts = offsets + np.pad(counts, ((0, 0), (1, 0)))
    lengths = np.diff(starts, axis=1, append=offsets + width)
    maxima = np.full(starts.shape, -np.inf, dtype=scores.dtype)
    maxima[lengths > 0] = np.maximum.reduceat(scores.ravel(), starts[lengths > 0])
    starts, lengths, maxima = starts[:, :-1], lengths[:, :-1], maxima[:, :-1]

    highest = np.maximum.accumulate(maxima, axis=1)
    holds_best = (lengths > 0) & (maxima == highest)
    if not holds_best.any():
        return np.full(counts.shape, NOTHING, dtype=np.int64)
    risen = holds_best.copy()
    risen[:, 1:] &= highest[:, 1:] > highest[:, :-1]

    # Among equal maxima of a row, the least of those so far: each rise starts a group that lies
    # below all earlier ones, so that one running minimum starts anew with it.
    span = int(listed.max()) + 1
    group = np.cumsum(risen).reshape(counts.shape) * span
    least = np.full(counts.shape, span, dtype=np.int64)
    least[holds_best] = _least_of_stretches(
        scores, starts[holds_best], lengths[holds_best], maxima[holds_best], listed
    )
    least = np.minimum.accumulate((least - group).ravel()).reshape(counts.shape) + group
    return np.where(counts > 0, _column_of(listed)[np.minimum(least, span - 1)], NOTHING)


def _least_of_stretches(
    scores: Floats, starts: Positions, lengths: Positions, values: Floats, listed: Positions
) -> Positions:
    """The lowest number among the columns of a stretch that have its value, for each stretch."""
    ends = np.cumsum(lengths)
    cells = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
    hits = np.flatnonzero(scores.ravel()[cells] == np.repeat(values, lengths))
    stretches = np.searchsorted(ends, hits, side="right")
    return _least_of_each(listed[cells[hits] % scores.shape[1]], stretches)


def _least_of_each(numbers: Positions, groups: Positions) -> Positions:
    """The least number of each group; the groups ascend."""
    firsts = np.flatnonzero(np.diff(groups, prepend=-1))
    least: Positions = np.minimum.reduceat(numbers, firsts)
    return least


def _column_of(listed: Positions) -> Positions:
    """From numbers back to columns."""
    columns = np.zeros(int(listed.max()) + 1, dtype=np.int64)
    columns[listed] = np.arange(len(listed))
    return columns
