"""What a benchmark is, which there are, and how to run one.

To add a benchmark called `mine`:

1. Write `hiersearch/evaluation/benchmarks/mine.py`. It defines a class with the attributes of
   `Benchmark` and its `run`, which returns a `Result`, and ends with an instance of it called
   `BENCHMARK`. `benchmarks/hyperlex.py` is a short example. Reading files belongs in
   `hiersearch/data`, measures that others could use in `metrics.py`.
2. Add its name to `BENCHMARKS` below.

`evaluate`, `hiersearch eval`, reports, tables and `benchmarks/evaluation.py` then know it. If its
data can be downloaded, register that in `hiersearch.data.fetching.DOWNLOADS`; if a paper has
figures for it, add them to `reference.json`; if it fills `Result.series`, `plots.DRAWN` says how to
draw them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from hiersearch.config import cache_dir
from hiersearch.errors import UsageError
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.evaluation.embedder import Embedder

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Inputs",
    "Result",
    "Scores",
    "benchmark_named",
    "benchmarks_with_option",
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
"""The module of each benchmark by its name; imported when the benchmark is first used."""

Scores: TypeAlias = Mapping[str, "float | int | str | Scores | None"]
"""Named values, nested to any depth. A value that is not defined is None, never NaN."""


@dataclass(frozen=True)
class Inputs:
    """What every benchmark is given beside the model.

    Attributes:
        data: A folder with a folder for each benchmark, or this benchmark's own folder or file;
            None if there is none.
        baseline: The model to compare with, for benchmarks that compare.
        seed: Random seed.
        on_progress: Called with the current step.
        fetch: Downloads a part of the data that is missing in `data`, and returns where it is; see
            `hiersearch.data.fetching.fetch_part`. None if nothing may be downloaded.
    """

    data: Path | None
    baseline: Embedder | None = None
    seed: int = 0
    on_progress: Progress = tell_nobody
    fetch: Callable[[str], Path] | None = None


class Benchmark(Protocol):
    """A test that a model can be put to."""

    @property
    def name(self) -> str:
        """Its name in `BENCHMARKS` and in reports, and that of its data folder."""
        ...

    @property
    def measures(self) -> str:
        """What it measures, in one sentence."""
        ...

    @property
    def needs(self) -> str:
        """The data that it reads, and what of that is downloaded."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """The extra options that `run` takes, each with a short description."""
        ...

    @property
    def compares_with_baseline(self) -> bool:
        """Whether it compares a model with the baseline.

        If so it is run once, with both models; other benchmarks are run once for each of the two.
        """
        ...

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """Run it.

        Args:
            embedder: The model.
            inputs: The data and settings.
            options: Values for some of `options`.

        Raises:
            MissingDataError: Data is missing.
            UsageError: A file or an option is invalid.
            UnreadablePhotoError: A photo cannot be decoded.
            ModelError: The model cannot do what the benchmark asks for, such as encode photos.
        """
        ...


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Numbers are converted to plain Python ones, so that everything can be written as JSON. A number
    that is not finite becomes None, with a note that names it.

    Attributes:
        benchmark: The benchmark's name.
        scores: What was measured.
        chance: What guessing would score, under the same names; may cover only some of them.
        notes: What a reader of the scores should know: what is undefined and why, what was left
            out, what the model had seen before.
        files: The checksum of each data file that was read, by file name.
        series: The data of plots; not part of reports.
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


def evaluate(
    benchmark: str,
    model: str | Path | HierarchicalEncoder | Embedder,
    *,
    data: str | Path | None = None,
    baseline: str | Path | HierarchicalEncoder | Embedder | None = None,
    seed: int = 0,
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
    **options: Any,
) -> Result:
    """Run one benchmark.

    Args:
        benchmark: One of `BENCHMARKS`.
        model: A model's name or folder, an encoder, or an embedder. Vectors are kept in the cache
            folder, unless an embedder keeps them elsewhere.
        data: A folder with a folder for each benchmark, or this benchmark's own. Data that can be
            downloaded and is not there is downloaded into the cache folder.
        baseline: The model before it was tuned; used by benchmarks that compare with it.
        seed: Random seed.
        on_progress: Called with the current step.
        environ: The environment; names the cache folder.
        options: The benchmark's own options; see `Benchmark.options`.

    Raises:
        UsageError: There is no such benchmark or option, or a file is invalid.
        MissingDataError: Data was not found on this machine and could not be downloaded.
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: The model cannot be used.
        UnreadablePhotoError: A photo cannot be decoded.
    """
    from hiersearch.data.fetching import fetch_part, find_or_fetch

    chosen = benchmark_named(benchmark)
    unknown = [name for name in options if name not in chosen.options]
    if unknown:
        known = ", ".join(chosen.options)
        raise UsageError(
            f"{benchmark} has no option {unknown[0]}",
            hint=f"Its options are {known}" if known else "It takes none",
        )
    folder = None if data is None else Path(data).expanduser()
    inputs = Inputs(
        data=find_or_fetch(benchmark, folder, environ=environ, on_progress=on_progress),
        baseline=(
            open_embedder(baseline, environ=environ)
            if baseline is not None and chosen.compares_with_baseline
            else None
        ),
        seed=seed,
        on_progress=on_progress,
        fetch=partial(fetch_part, environ=environ, on_progress=on_progress),
    )
    return chosen.run(open_embedder(model, environ=environ), inputs, **options)


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of this name.

    Raises:
        UsageError: There is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise UsageError(
            f"no benchmark is called {name}", hint=f"Choose one of {', '.join(BENCHMARKS)}"
        )
    return cast("Benchmark", import_module(BENCHMARKS[name]).BENCHMARK)


def benchmarks_with_option(option: str) -> list[str]:
    """The names of the benchmarks that take an option."""
    return [name for name in BENCHMARKS if option in benchmark_named(name).options]


def open_embedder(
    model: str | Path | HierarchicalEncoder | Embedder,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Embedder:
    """Open a model with a cache of its vectors in the cache folder; an embedder is returned as is.

    Raises:
        ModelNotFoundError: The model was not found on this machine and could not be downloaded.
        ModelError: The model cannot be used.
    """
    if hasattr(model, "texts"):
        return cast("Embedder", model)
    # Imports torch.
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.evaluation.embedder import Embedder

    encoder = model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)
    return Embedder(encoder, cache=cache_dir(environ))


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
