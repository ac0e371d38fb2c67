"""What is known of a model's vectors of photos, and the file that keeps it."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.errors import ModelError, require
from hiersearch.trees.risk import THRESHOLDS, Trials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hiersearch.types import Floats

__all__ = [
    "MEMBERSHIP_FILE",
    "Curve",
    "PhotoStatistics",
    "read_statistics",
    "statistics_id",
    "write_statistics",
]

MEMBERSHIP_FILE = "membership.safetensors"
"""The file in a model's folder that holds its `PhotoStatistics`."""

_LONGEST_HEADER = 2**24


@dataclass(frozen=True)
class Curve:
    """From a standardised likeness z and a rate r to a probability.

    logit P = slope z + use log r + offset

    Attributes:
        slope: Above 0.
        use: How much it counts that people name a concept often.
        offset: Any number.
    """

    slope: float
    use: float
    offset: float


@dataclass(frozen=True, eq=False)
class PhotoStatistics:
    """What is known of a model's vectors of photos, from many photos with captions.

    Attributes:
        id: Changes with the content.
        mean: (dim,) float32, m.
        covariance: (dim, dim) float32, S.
        curve: For concepts that nothing was learned about.
        names: The concepts that captions name often, in lower case.
        weights: (len(names), dim) float32, w of each.
        biases: (len(names),) float32, b of each.
        source: Whose captions, and on what terms.
        trials: Answers to labelled photos; None where there were none.
    """

    id: str
    mean: Floats
    covariance: Floats
    curve: Curve
    names: tuple[str, ...]
    weights: Floats
    biases: Floats
    source: str = ""
    trials: Trials | None = None


def read_statistics(file: Path, *, mend: str = "Install the model again") -> PhotoStatistics | None:
    """Reads the statistics of a model.

    Args:
        file: `MEMBERSHIP_FILE` in the model's folder, or the user's own.
        mend: What to do if it is damaged.

    Returns:
        The statistics; None where there is no such file.

    Raises:
        MissingPackageError: The package that reads them is not installed.
        ModelError: The file is damaged.
    """
    if not file.exists():
        return None
    safetensors: Any = require("safetensors", extra="mini", purpose="the model's statistics")
    try:
        with safetensors.safe_open(file, "numpy") as stored:
            described = stored.metadata() or {}
            # An open file is no mapping: it can only be asked for its keys.
            arrays = {name: _single(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118
        statistics = PhotoStatistics(
            id=described["id"],
            mean=arrays["mean"],
            covariance=arrays["covariance"],
            curve=Curve(*map(float, arrays["curve"])),
            names=tuple(filter(None, described["names"].split("\n"))),
            weights=arrays["weights"],
            biases=arrays["biases"],
            source=described.get("captions", ""),
            trials=_trials(described),
        )
        _check(statistics)
    except (OSError, LookupError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ModelError(f"the statistics {file} cannot be read: {error}", hint=mend) from error
    return statistics


def statistics_id(file: Path) -> str | None:
    """The id of the statistics in a file, which is read in a moment and without any package.

    Args:
        file: As for `read_statistics`.

    Returns:
        None where there is no such file, or it says nothing.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            described = json.loads(stream.read(min(length, _LONGEST_HEADER)))["__metadata__"]
            return str(described["id"])
    except (OSError, struct.error, ValueError, KeyError, TypeError):
        return None  # whoever needs them reads them whole, and says what is wrong


def write_statistics(file: Path, statistics: PhotoStatistics) -> None:
    """Writes the statistics of a model, weights in half precision.

    Args:
        file: To be made, or replaced.
        statistics: What to write.

    Raises:
        OSError: The file cannot be written.
        MissingPackageError: The package that writes them is not installed.
    """
    safetensors: Any = require("safetensors.numpy", extra="mini", purpose="a model's statistics")
    curve = statistics.curve
    arrays = {
        "mean": statistics.mean.astype(np.float32),
        "covariance": statistics.covariance.astype(np.float32),
        "curve": np.array([curve.slope, curve.use, curve.offset], dtype=np.float64),
        "weights": statistics.weights.astype(np.float16),
        "biases": statistics.biases.astype(np.float32),
    }
    described = {
        "captions": statistics.source,
        "id": statistics.id,
        "names": "\n".join(statistics.names),
    }
    if statistics.trials is not None:
        described["trials"] = json.dumps(asdict(statistics.trials))
    # Another process may be reading the file that is replaced.
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        safetensors.save_file(arrays, fresh, described)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _trials(described: Mapping[str, str]) -> Trials | None:
    stored = described.get("trials")
    if stored is None:
        return None
    values = json.loads(stored)
    photos, wrong, vocabulary = values["photos"], values["wrong"], values["vocabulary"]
    counts = [photos, *wrong]
    if not all(type(count) is int and 0 <= count <= photos for count in counts):
        raise ValueError("its trials are no counts")
    # None where other thresholds than these were tried.
    fits = len(wrong) == len(THRESHOLDS)
    return Trials(photos, tuple(wrong), str(vocabulary)) if fits else None


def _single(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _check(statistics: PhotoStatistics) -> None:
    """Raises ValueError if the parts do not fit each other."""
    dim, count = statistics.mean.size, len(statistics.names)
    shapes = {
        "mean": (statistics.mean, (dim,)),
        "covariance": (statistics.covariance, (dim, dim)),
        "weights": (statistics.weights, (count, dim)),
        "biases": (statistics.biases, (count,)),
    }
    curve = statistics.curve
    if not np.isfinite([curve.slope, curve.use, curve.offset]).all() or curve.slope <= 0:
        raise ValueError(f"their curve is {curve}")
    for name, (array, shape) in shapes.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} is of shape {array.shape}, not {shape}, or not finite")
