"""A model's statistics of photos, found by its id alone: nothing of the model is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hiersearch.config import statistics_file
from hiersearch.encoder.registry import known_statistics
from hiersearch.trees import read_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiersearch.trees import PhotoStatistics

__all__ = ["own_statistics", "recorded_statistics"]


def own_statistics(
    model_id: str, environ: Mapping[str, str] = os.environ
) -> PhotoStatistics | None:
    """What this user found out about a model, with `hiersearch calibrate`.

    Args:
        model_id: The model.
        environ: The environment, for the user's data folder.

    Raises:
        ModelError: The file that holds it is damaged.
        MissingPackageError: The package that reads it is not installed.
    """
    return read_statistics(
        statistics_file(model_id, environ),
        mend="Calibrate again, or go back with 'hiersearch calibrate --forget'",
    )


def recorded_statistics(
    model_id: str, environ: Mapping[str, str] = os.environ
) -> PhotoStatistics | None:
    """What is known of a model's vectors of photos: found out by this user, or shipped.

    What a model's own folder says is not asked for: whether that is about its weights can be told
    only when they are loaded (`HierarchicalEncoder.statistics`).

    Args:
        model_id: The model.
        environ: The environment, for the user's data folder.

    Returns:
        None where nothing is recorded.

    Raises:
        ModelError: The file that holds it is damaged.
        MissingPackageError: The package that reads it is not installed.
    """
    return own_statistics(model_id, environ) or known_statistics(model_id)
