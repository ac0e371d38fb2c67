"""From training data to the rows that the trainer draws its batches from."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from hiersearch.errors import UsageError
from hiersearch.train.data import Hierarchy, Specimen
from hiersearch.train.data.hierarchies import text_key
from hiersearch.train.data.species import rank_texts

__all__ = ["Row", "drawn_rows", "hierarchy_rows", "rows_texts", "with_photos"]

Row: TypeAlias = dict[str, Any]

PHOTO = "photo"
"""Column of a photo's path; empty where there is none."""


def hierarchy_rows(
    hierarchies: Sequence[Hierarchy], *, negatives: bool = True, deepest: int | None = None
) -> list[Row]:
    """One row for each hierarchy, with the columns that `HierarchyCollator` reads.

    Args:
        hierarchies: Shorter ones have empty texts in the tiers that they lack.
        negatives: Whether to take negatives along; those of hierarchies without any are empty.
        deepest: Take the first so many tiers of each; None for all.
    """
    tiers = max((len(h.positive) for h in hierarchies), default=0)
    tiers = tiers if deepest is None else min(tiers, deepest)
    with_negatives = negatives and any(h.negative for h in hierarchies)
    rows = []
    for hierarchy in hierarchies:
        row = _columns("positive", hierarchy.positive, tiers)
        if with_negatives:
            row |= _columns("negative", hierarchy.negative, tiers)
        rows.append(row)
    return rows


def drawn_rows(rows: Sequence[Row], count: int, *, seed: int) -> list[Row]:
    """So many rows at random, each as often as any other; all of them where that is enough.

    Raises:
        UsageError: There are none.
    """
    if not rows:
        raise UsageError("there are no hierarchies to train on", hint="Choose other data")
    if count >= len(rows):
        return list(rows)
    return random.Random(seed).sample(list(rows), count)


def with_photos(rows: Iterable[Row], specimens: Iterable[Specimen]) -> list[Row]:
    """A row for each photo of the kind that a row's most specific text names.

    Args:
        rows: Those whose kind has no photo stay, once and without one.
        specimens: What has the photos; their texts are those of `species_hierarchies`.

    Returns:
        Rows with a column more; none at all where nothing has a photo.
    """
    photos: dict[str, list[str]] = {}
    for specimen in specimens:
        if specimen.photo is not None:
            kind = text_key(rank_texts(specimen)[-1])
            photos.setdefault(kind, []).append(str(specimen.photo))
    found = [
        row | {PHOTO: photo} for row in rows for photo in photos.get(text_key(_deepest(row)), ("",))
    ]
    return found if any(row[PHOTO] for row in found) else []


def rows_texts(rows: Iterable[Row]) -> list[str]:
    """All texts of the rows, with repeats."""
    return [text for row in rows for name, text in row.items() if name != PHOTO]


def _deepest(row: Row) -> str:
    """The most specific text that a row has; its columns stand in order."""
    texts: list[str] = [text for name, text in row.items() if name.startswith("positive_") and text]
    return texts[-1]


def _columns(side: str, texts: tuple[str, ...], tiers: int) -> Row:
    return {f"{side}_{tier + 1}": texts[tier] if tier < len(texts) else "" for tier in range(tiers)}
