"""Benchmarks by name.

What a benchmark found, in a shape that every report can show.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from hiersearch.config import cache_dir
from hiersearch.data.fetching import fetch_part, find_or_fetch
from hiersearch.errors import UsageError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.evaluation.embedder import Embedder

__all__ = [
    "BENCHMARKS",
    "Result",
    "Scores",
    "benchmark_module",
    "evaluate",
    "open_embedder",
]

BENCHMARKS: Mapping[str, str] = {
    name: f"hiersearch.evaluation.benchmarks.{name}"
    for name in (
        "hierarcaps",
        "hyperlex",
        "breeds",
        "retrieval",
        "classify",
        "species",
        "preservation",
    )
}
"""The module of each, whose `evaluate` runs it."""


def evaluate(
    benchmark: str,
    model: str | Path | HierarchicalEncoder | Embedder,
    *,
    data: str | Path | None = None,
    baseline: str | Path | HierarchicalEncoder | Embedder | None = None,
    seed: int = 0,
    progress: Progress = tell_nobody,
    **options: Any,
) -> Result:
    """Run one benchmark.

    Args:
        benchmark: One of `BENCHMARKS`.
        model: A name, a folder, an encoder, or an embedder. Vectors are kept in the cache folder,
            unless an embedder says otherwise.
        data: A folder that holds one for each benchmark, or is this one's. What can be downloaded
            and is not there, is.
        baseline: The model before it was tuned; only `preservation` compares with it.
        seed: Of all that is drawn.
        progress: Told what is being done.
        options: The benchmark's own, as its module's `evaluate` has them.

    Raises:
        UsageError: There is no such benchmark or option, or a file is not what it should be.
        MissingDataError: Data is not on this machine, and cannot be downloaded.
        ModelNotFoundError: The model is neither here nor to be had.
        ModelError: The model cannot be used.
        UnreadablePhotoError: A photo cannot be decoded.
    """
    module = benchmark_module(benchmark)
    known = signature(module.evaluate).parameters
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(f"{benchmark} has no option {unknown[0]}")
    folder = None if data is None else Path(data).expanduser()
    found = find_or_fetch(benchmark, folder, on_progress=progress)
    if "fetch" in known:
        options.setdefault("fetch", partial(fetch_part, on_progress=progress))
    if "base" in known:
        options["base"] = None if baseline is None else open_embedder(baseline)
    result: Result = module.evaluate(
        open_embedder(model), found, seed=seed, progress=progress, **options
    )
    return result


def benchmark_module(benchmark: str) -> Any:
    """The module of a benchmark.

    Raises:
        UsageError: There is no such benchmark.
    """
    if benchmark not in BENCHMARKS:
        raise UsageError(
            f"no benchmark is called {benchmark}", hint=f"Choose of {', '.join(BENCHMARKS)}"
        )
    return import_module(BENCHMARKS[benchmark])


def open_embedder(model: str | Path | HierarchicalEncoder | Embedder) -> Embedder:
    """A model that keeps its vectors in the cache folder; an embedder stays as it is.

    Raises:
        ModelNotFoundError: The model is neither here nor to be had.
        ModelError: It cannot be used.
    """
    if hasattr(model, "texts"):
        return cast("Embedder", model)
    # Imports torch.
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.evaluation.embedder import Embedder

    encoder = model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)
    return Embedder(encoder, cache=cache_dir(os.environ))


Scores: TypeAlias = Mapping[str, "float | int | str | Scores | None"]
"""Named values, nested as deep as need be. A value that is not defined is None, never NaN."""


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Numbers are made plain Python ones, so that any of it can be written as JSON. One that is not
    finite becomes None, and a note says which.

    Attributes:
        benchmark: Its name.
        scores: What was measured.
        chance: What guessing would give, under the same names; a subset of them.
        notes: What a reader of the scores should know: what is undefined and why, what was left
            out, what the model had seen before.
        files: The data's files by name, each with its checksum.
        series: What plots draw; not part of a report in text.
    """

    benchmark: str
    scores: Scores
    chance: Scores = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, Sequence[float] | Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        undefined = [f"{name} is not defined for this data" for name in _undefined(self.scores)]
        object.__setattr__(self, "notes", (*self.notes, *undefined))
        object.__setattr__(self, "scores", _plain(self.scores))
        object.__setattr__(self, "chance", _plain(self.chance))


def _undefined(scores: Scores, above: str = "") -> Iterator[str]:
    """The names of the numbers that are not finite."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _undefined(value, f"{above}{name} ")
        elif isinstance(value, Real) and not math.isfinite(value):
            yield f"{above}{name}"


def _plain(scores: Scores) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            plain[name] = _plain(value)
        elif isinstance(value, Integral):
            plain[name] = int(value)
        elif isinstance(value, Real):
            plain[name] = float(value) if math.isfinite(value) else None
        else:
            plain[name] = value
    return plain
