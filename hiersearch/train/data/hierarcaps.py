"""Files of hierarchies in HierarCaps' train format.

CSV with a column `positive` and perhaps one `negative`; each cell holds a hierarchy's tiers from
general to specific, joined by " => ". HierarCaps has four; other files may have others, in each
row as many negatives as positives, or none. Other columns are passed over. A test file's column
`captions` is read as `positive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiersearch.datasets.tiers import tier_texts
from hiersearch.errors import UsageError
from hiersearch.train.data.hierarchies import Hierarchy, text_key
from hiersearch.train.data.tables import (
    MAX_BAD_SHARE,
    Problem,
    Table,
    checked_text,
    read_table,
    refuse_many,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HierarchyFile", "has_hierarchies", "parse_hierarchies", "read_hierarchies"]

POSITIVE = ("positive", "captions")
NEGATIVE = "negative"


@dataclass(frozen=True)
class HierarchyFile:
    """What a file holds: hierarchies in its order, and the rows that were left out."""

    hierarchies: tuple[Hierarchy, ...]
    problems: tuple[Problem, ...]


def has_hierarchies(table: Table) -> bool:
    """Whether the columns are those of a file of hierarchies."""
    return any(name in table.columns for name in POSITIVE)


def read_hierarchies(
    path: Path, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read a file of hierarchies.

    Args:
        path: The file, CSV or gzipped CSV.
        tiers: How many tiers each row must have; None for any, from two up.
        max_bad_share: The share of malformed rows above which the file is refused, from 0 to 1.

    Raises:
        UsageError: The file cannot be read, has no column of hierarchies, or holds too many
            malformed rows; names the first of them by line.
    """
    return parse_hierarchies(read_table(path), tiers=tiers, max_bad_share=max_bad_share)


def parse_hierarchies(
    table: Table, *, tiers: int | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> HierarchyFile:
    """Read the hierarchies of a table; see `read_hierarchies`."""
    if not has_hierarchies(table):
        raise UsageError(
            f"{table.path} has no column `positive`",
            hint='Name the columns positive and negative, and join tiers by " => "',
        )
    at = table.columns.index(next(name for name in POSITIVE if name in table.columns))
    below = table.columns.index(NEGATIVE) if NEGATIVE in table.columns else None
    hierarchies: list[Hierarchy] = []
    problems = list(table.problems)
    for line, cells in table.rows:
        try:
            negative = cells[below] if below is not None else ""
            hierarchies.append(_hierarchy(cells[at], negative, tiers))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    problems.sort(key=lambda problem: problem.line)
    refuse_many(table.path, problems, len(hierarchies), max_bad_share)
    return HierarchyFile(tuple(hierarchies), tuple(problems))


def _hierarchy(positive: str, negative: str, tiers: int | None) -> Hierarchy:
    """Raises ValueError, which says why, where the cells are malformed."""
    texts = tuple(map(checked_text, tier_texts(positive)))
    if len(texts) < 2 or (tiers is not None and len(texts) != tiers):
        raise ValueError(f"{len(texts)} tiers")
    if len(set(map(text_key, texts))) < len(texts):
        raise ValueError("a tier is repeated")
    if not negative.strip():
        return Hierarchy(texts)
    others = tuple(map(checked_text, tier_texts(negative)))
    if len(others) != len(texts):
        raise ValueError(f"{len(others)} negatives for {len(texts)} tiers")
    for tier, (text, other) in enumerate(zip(texts, others, strict=True), start=1):
        if text_key(text) == text_key(other):
            raise ValueError(f"the negative of tier {tier} is that tier itself")
    return Hierarchy(texts, others)
