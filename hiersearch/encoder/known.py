"""What is known of a model's vectors, found by its id alone: nothing of the model is loaded.

Statistics of photos come with the offline model, or are made by `hiersearch calibrate`; the vectors
of the built-in vocabulary come with it, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hiersearch.config import statistics_file
from hiersearch.encoder.mini.second_generation import concept_vectors_file, packed_folder
from hiersearch.encoder.registry import MINI, MODELS
from hiersearch.trees import MEMBERSHIP_FILE, read_statistics, statistics_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hiersearch.trees import PhotoStatistics

__all__ = [
    "better_labels",
    "known_statistics",
    "known_vectors",
    "own_statistics",
    "recorded_statistics",
]


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


def known_statistics(model_id: str) -> PhotoStatistics | None:
    """The statistics of photos that come with hiersearch, if they are of a model.

    Args:
        model_id: Its id.

    Raises:
        MissingPackageError: The package that reads them is not installed.
        ModelError: They are damaged.
    """
    if model_id != MODELS[MINI].id:
        return None
    return read_statistics(packed_folder() / MEMBERSHIP_FILE)


def known_vectors(model_id: str, vocabulary_id: str) -> Path | None:
    """The file of a vocabulary's vectors by a model, if it comes with hiersearch.

    Args:
        model_id: The model's id.
        vocabulary_id: The vocabulary's.

    Returns:
        A NumPy file of (n, dim) float16, a row per concept.
    """
    if model_id != MODELS[MINI].id:
        return None
    file = concept_vectors_file(vocabulary_id)
    return file if file.is_file() else None


def better_labels(
    name: str, model_id: str, trees: str | None, environ: Mapping[str, str] = os.environ
) -> str | None:
    """One line for the user of an index whose photos' labels can be made better.

    Args:
        name: The index's model.
        model_id: Its id.
        trees: The id of the statistics that its photos' trees were made with; None if they have
            chains alone.
        environ: The environment, for the user's own statistics.
    """
    own = statistics_id(statistics_file(model_id, environ))
    shipped = statistics_id(packed_folder() / MEMBERSHIP_FILE) if name == MINI else None
    if (own or shipped) in (None, trees):
        return None
    before = "before its model was calibrated" if own else "by an earlier version"
    gain = "all that a photo shows" if trees is None else "more exactly what a photo shows"
    return (
        f"This index was labelled {before}; labelled again, it says {gain}. "
        "'hiersearch index --concepts builtin', or with your own vocabulary, and with the same "
        "--name or --store, does so; photos are not read again"
    )
