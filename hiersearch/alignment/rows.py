"""From settings to the rows that a run trains on and validates with."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hiersearch.alignment.settings import TrainingSettings
from hiersearch.data.hierarchies import Hierarchy, split_hierarchies, text_key
from hiersearch.data.hyperlex_pairs import read_pairs
from hiersearch.data.taxonomies import (
    Specimen,
    species_hierarchies,
    specimen_texts,
    split_specimens,
)
from hiersearch.data.training_data import TrainingData, load_data, named_path
from hiersearch.errors import UsageError
from hiersearch.progress import Progress, tell_nobody

__all__ = [
    "PreparedData",
    "TrainingRow",
    "drawn_rows",
    "hierarchy_rows",
    "prepare_data",
    "rows_texts",
    "with_photos",
]

TrainingRow: TypeAlias = dict[str, Any]

PHOTO = "photo"
"""Column of a photo's path; empty if there is none."""

MOST_VALIDATED = 250
"""Hierarchies: more make a validation take as long as some ten steps of a small tower."""


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on.

    Attributes:
        source: The data as it was loaded.
        rows: To train on, with the columns that `HierarchyCollator` reads.
        validation: Hierarchies to validate with; empty if none were to be kept.
        kept_rows: The same as rows, with the columns of `rows`, and with photos if those have any.
        steps: The number of batches.
    """

    source: TrainingData
    rows: list[TrainingRow]
    validation: tuple[Hierarchy, ...]
    kept_rows: list[TrainingRow]
    steps: int

    @property
    def id(self) -> str:
        """16 hexadecimal digits that change with the rows, the validation data or their order."""
        content = json.dumps([self.rows, [h.positive + h.negative for h in self.validation]])
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def prepare_data(
    settings: TrainingSettings,
    *,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> PreparedData:
    """Load the data of a run, split it, and keep only the rows that its steps will use.

    Args:
        settings: The settings of the run.
        on_progress: Called with the number of bytes while something is downloaded.
        environ: The environment; see `load_data`.

    Raises:
        UsageError: The data is malformed, or there is none.
        HiersearchError: It cannot be downloaded.
    """
    wanted = None if settings.steps is None else settings.steps * settings.batch_size
    rounds = math.ceil(settings.epochs)
    data = load_data(
        settings.data,
        environ=environ,
        seed=settings.seed,
        count=None if wanted is None else math.ceil(wanted / (1 - settings.validation)),
        rounds=rounds,
        tiers=settings.tiers,
        widest=settings.widest,
        exclude=[
            pair for path in settings.exclude for pair in read_pairs(named_path(path, environ))
        ],
        photos=named_path(settings.photos, environ) if isinstance(settings.photos, str) else None,
        on_progress=on_progress,
    )
    train, kept = _parted(data, settings, wanted, rounds)
    if len(kept) > MOST_VALIDATED:
        kept = random.Random(settings.seed).sample(kept, MOST_VALIDATED)
    # Together, so that both have the same columns.
    both = hierarchy_rows([*train, *kept], negatives=settings.negatives, deepest=settings.deepest)
    rows, kept_rows = both[: len(train)], both[len(train) :]
    if settings.photos:
        rows = with_photos(rows, data.specimens)
        kept_rows = with_photos(kept_rows, data.specimens) or kept_rows
        if not rows:
            raise UsageError(
                f"{data.name} has no photos", hint="Leave out --photos to train on texts only"
            )
    rows = drawn_rows(rows, len(rows) if wanted is None else wanted, seed=settings.seed)
    drawn_anew = bool(data.graph or data.specimens)
    per_epoch = math.ceil(len(rows) / (rounds if drawn_anew else 1) / settings.batch_size)
    steps = math.ceil(settings.epochs * per_epoch) if settings.steps is None else settings.steps
    return PreparedData(data, rows, tuple(kept), kept_rows, steps)


def hierarchy_rows(
    hierarchies: Sequence[Hierarchy], *, negatives: bool = True, deepest: int | None = None
) -> list[TrainingRow]:
    """One row for each hierarchy, with the columns that `HierarchyCollator` reads.

    Args:
        hierarchies: Shorter ones get empty texts in the tiers that they lack.
        negatives: Whether to include negatives; hierarchies without any get empty ones.
        deepest: Keep only so many tiers of each, from the first; None for all.
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


def drawn_rows(rows: Sequence[TrainingRow], count: int, *, seed: int) -> list[TrainingRow]:
    """`count` rows at random, without repeats; all of them if there are no more.

    Raises:
        UsageError: There are none.
    """
    if not rows:
        raise UsageError("there are no hierarchies to train on", hint="Choose other data")
    if count >= len(rows):
        return list(rows)
    return random.Random(seed).sample(list(rows), count)


def with_photos(rows: Iterable[TrainingRow], specimens: Iterable[Specimen]) -> list[TrainingRow]:
    """A row for each photo of the kind that a row's most specific text names.

    Args:
        rows: Those whose kind has no photo stay, once and without one.
        specimens: What has the photos; their texts are those of `species_hierarchies`.

    Returns:
        Rows with one more column; empty if nothing has a photo.
    """
    photos: dict[str, list[str]] = {}
    for specimen in specimens:
        if specimen.photo is not None:
            kind = text_key(specimen_texts(specimen)[-1])
            photos.setdefault(kind, []).append(str(specimen.photo))
    found = [
        row | {PHOTO: photo} for row in rows for photo in photos.get(text_key(_deepest(row)), ("",))
    ]
    return found if any(row[PHOTO] for row in found) else []


def rows_texts(rows: Iterable[TrainingRow]) -> list[str]:
    """All texts of the rows, with repeats."""
    return [text for row in rows for name, text in row.items() if name != PHOTO]


def _parted(
    data: TrainingData, settings: TrainingSettings, wanted: int | None, rounds: int
) -> tuple[Sequence[Hierarchy], Sequence[Hierarchy]]:
    if not data.hierarchies:
        raise UsageError(f"{data.name} holds no hierarchies", hint="Choose other data")
    if data.specimens:
        # By kind, and drawn anew: a negative must not be of a kind that is kept for validation.
        specimens = split_specimens(data.specimens, share=settings.validation, seed=settings.seed)
        validation = species_hierarchies(specimens.validation, seed=settings.seed)
        train = species_hierarchies(specimens.train, seed=settings.seed)
        # Kinds are few: each time that one comes again, it is with other negatives.
        again = rounds if wanted is None else math.ceil(wanted / max(len(train), 1))
        for turn in range(1, again):
            train += species_hierarchies(specimens.train, seed=settings.seed + turn)
        return train, validation
    parts = split_hierarchies(data.hierarchies, share=settings.validation, seed=settings.seed)
    return parts.train, parts.validation


def _deepest(row: TrainingRow) -> str:
    """The most specific text of a row, whose columns are in order."""
    texts: list[str] = [text for name, text in row.items() if name.startswith("positive_") and text]
    return texts[-1]


def _columns(side: str, texts: tuple[str, ...], tiers: int) -> TrainingRow:
    return {f"{side}_{tier + 1}": texts[tier] if tier < len(texts) else "" for tier in range(tiers)}
