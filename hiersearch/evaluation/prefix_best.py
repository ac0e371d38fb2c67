"""The best of the first k rows of a column of scores, for many columns and many k at once.

What a loop over columns and k would do with a mask and an argmax, to the last tie: of equal scores
the row that was listed first is the best. Only a row that none before it exceeds can be the best of
the first k. Such rows are few; most others are left out by one comparison, with the best of the
rows before their stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Positions: TypeAlias = NDArray[np.int64]

__all__ = ["PrefixBests", "Turns", "prefix_bests"]


class Turns(NamedTuple):
    """Which rows are the best in turn, as more and more are looked at; column after column.

    Attributes:
        columns: (c,) ascending.
        steps: (c,) from which count on, ascending in each column.
        rows: (c,) which row is the best until the next turn.
    """

    columns: Positions
    steps: Positions
    rows: Positions


@dataclass(frozen=True)
class PrefixBests:
    """Where the best so far changes, going down each of n columns of m scores.

    Attributes:
        height: m.
        changes: (c,) the cells where it does, column after column: column · m + row.
        rows: (c,) which row is the best from there on.
    """

    height: int
    changes: Positions
    rows: Positions

    def of_first(self, counts: Positions) -> Turns:
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

    def of_all(self) -> Positions:
        """(n,) the best row of each column."""
        return self.rows[np.flatnonzero(np.diff(self.changes // self.height, append=-1))]


def prefix_bests(scores: Floats, listed: Positions) -> PrefixBests:
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


def _not_below_earlier_stretches(scores: Floats) -> Positions:
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


def _running_maximum(values: Floats, groups: Positions) -> Floats:
    """The highest value of its group up to each one; the groups ascend from 0, none left out."""
    sizes = np.bincount(groups)
    places = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = np.full((len(sizes), int(sizes.max())), -np.inf, dtype=values.dtype)
    table[groups, places] = values
    highest: Floats = np.maximum.accumulate(table, axis=1)[groups, places]
    return highest
