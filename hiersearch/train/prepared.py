"""From settings to what a run trains on and validates with."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hiersearch.errors import UsageError
from hiersearch.progress import Progress, tell_nobody
from hiersearch.train.data import (
    Hierarchy,
    TrainingData,
    load_data,
    read_pairs,
    species_hierarchies,
    split_hierarchies,
)
from hiersearch.train.data.sources import named_path
from hiersearch.train.data.species import split_specimens
from hiersearch.train.rows import Row, drawn_rows, hierarchy_rows, with_photos
from hiersearch.train.settings import TrainingSettings

__all__ = ["PreparedData", "prepare_data"]

MOST_VALIDATED = 250
"""Hierarchies: more make a validation take as long as some ten steps of a small tower."""


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on.

    Attributes:
        source: The data as it was loaded.
        rows: To train on, with the columns that `HierarchyCollator` reads.
        validation: Hierarchies to validate with; none where none were to be kept.
        kept_rows: The same with the columns of `rows`, and with their photos where those have any.
        steps: How many batches the run has.
    """

    source: TrainingData
    rows: list[Row]
    validation: tuple[Hierarchy, ...]
    kept_rows: list[Row]
    steps: int

    @property
    def id(self) -> str:
        """16 hexadecimal digits that change whenever rows, validation or their order do."""
        content = json.dumps([self.rows, [h.positive + h.negative for h in self.validation]])
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def prepare_data(
    settings: TrainingSettings,
    *,
    environ: Mapping[str, str],
    progress: Progress = tell_nobody,
) -> PreparedData:
    """Load, part and cut what a run needs, and no more: texts have to be embedded first.

    Args:
        settings: What the run is told.
        environ: The environment; see `load_data`.
        progress: Told of bytes while something is downloaded.

    Raises:
        UsageError: The data is not as it must be, or there is none.
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
        progress=progress,
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
                f"{data.name} has no photos", hint="Leave --photos out to train on texts alone"
            )
    rows = drawn_rows(rows, len(rows) if wanted is None else wanted, seed=settings.seed)
    drawn_anew = bool(data.taxonomy or data.specimens)
    per_epoch = math.ceil(len(rows) / (rounds if drawn_anew else 1) / settings.batch_size)
    steps = math.ceil(settings.epochs * per_epoch) if settings.steps is None else settings.steps
    return PreparedData(data, rows, tuple(kept), kept_rows, steps)


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
