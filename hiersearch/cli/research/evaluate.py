"""`hiersearch eval`: the benchmarks of the papers.

What `hiersearch eval hierarcaps --photo` does: the texts that are retrieved for photos.

What the words after `hiersearch eval` mean; what cannot be meant is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import JsonFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiersearch.evaluation import Embedder, Report, Result
    from hiersearch.evaluation.contact_sheet import PhotoChain
    from hiersearch.progress import Progress

__all__ = [
    "benchmark_names",
    "benchmark_options",
    "chains_of",
    "data_folder",
    "evaluate_command",
    "require_photos_alone",
    "show_chains",
]

_COMPARES = "preservation"
"""Measures the model and its baseline together."""

_PIPE_WIDTH = 100


def evaluate_command(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK...",
            help="hierarcaps, hyperlex, breeds, retrieval, classify, species, preservation; all.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="What to measure: mini, mini-aligned, clip-b, clip-l, hierarcaps-clip-b, "
            "hierarcaps-clip-l, a Hugging Face name or a folder. [default: as for a new index]",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="MODEL",
            help="Measure this one, too, and show the difference, such as the model before it was "
            "aligned.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Holds a folder for each benchmark, with the file names of the official releases. "
            "[default: $HIERSEARCH_DATA]",
            show_default=False,
        ),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            "--photo",
            metavar="FILE",
            help="With hierarcaps: show the texts retrieved for this photo instead of scores. May "
            "be repeated.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FOLDER",
            help="Write plots as PNG files; with --photo a contact sheet.",
            show_default=False,
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown", metavar="FILE", help="Write a report in Markdown.", show_default=False
        ),
    ] = None,
    single_prompts: Annotated[
        bool,
        typer.Option(
            "--single-prompts",
            help="With breeds: also the prompts that hold both labels, which takes long.",
        ),
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME",
            help="With classify: this data set only. cifar10 and cifar100 are downloaded, about "
            "160 MB each, where they are not there. May be repeated.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Of all that is drawn.")
    ] = 0,
    json_: JsonFlag = False,
) -> None:
    """Run the papers' benchmarks on a model.

    Vectors are kept in the cache folder, so that a second run is quick. HierarCaps, HyperLex and
    the labels of BREEDS are downloaded into it where they are not in the data folder.
    """
    from hiersearch.cli.terminal import progress_on_stderr
    from hiersearch.encoder.registry import default_model
    from hiersearch.evaluation.plots import require_matplotlib

    names = benchmark_names(benchmarks, has_baseline=baseline is not None)
    options = benchmark_options(names, single_prompts=single_prompts, sets=sets)
    if photos:
        require_photos_alone(names, baseline, markdown)
    data = data_folder(data)
    if plot is not None and not photos:
        require_matplotlib()
    if model is None:
        model, note = default_model(os.environ)
        if note is not None:
            typer.echo(note, err=True)
    if photos:
        with progress_on_stderr() as progress:
            chains = chains_of(photos, model, data, progress)
        show_chains(chains, plot, json_)
        return
    with progress_on_stderr() as progress:
        report = _run(names, model, baseline, data, seed, options, progress)
    _show(report, plot, markdown, json_)
    if report.failed:
        raise typer.Exit(1)


def _run(
    names: list[str],
    model: str,
    baseline: str | None,
    data: Path | None,
    seed: int,
    options: dict[str, dict[str, Any]],
    progress: Progress,
) -> Report:
    """Run each benchmark; one that cannot be run does not keep others from it.

    Raises:
        HiersearchError: The one benchmark that was asked for cannot be run.
    """
    from hiersearch.data.fetching import find_or_fetch
    from hiersearch.errors import HiersearchError
    from hiersearch.evaluation.benchmark import evaluate, open_embedder
    from hiersearch.evaluation.report import ModelLabel, Report

    if len(names) == 1:  # what is missing is said before a model is loaded
        find_or_fetch(names[0], data, environ=os.environ, on_progress=progress)
    measured = open_embedder(model)
    before = None if baseline is None else open_embedder(baseline)
    results: list[Result] = []
    before_results: dict[str, Result] = {}
    failed: dict[str, str] = {}

    def run(name: str, embedder: Embedder, *, compared: bool) -> Result:
        return evaluate(
            name,
            embedder,
            data=data,
            baseline=before if compared else None,
            seed=seed,
            progress=progress,
            **options.get(name, {}),
        )

    for name in names:
        what = name
        try:
            results.append(run(name, measured, compared=name == _COMPARES))
            if before is not None and name != _COMPARES:
                what = f"{name} of the baseline"
                before_results[name] = run(name, before, compared=False)
        except HiersearchError as error:
            if len(names) == 1 and not results:
                raise
            failed[what] = str(error)
    return Report(
        model=ModelLabel(measured.name, measured.id),
        results=results,
        seed=seed,
        baseline=None if before is None else ModelLabel(before.name, before.id),
        baseline_results=before_results,
        failed=failed,
    )


def _show(report: Report, plot: Path | None, markdown: Path | None, json_: bool) -> None:
    from hiersearch.cli.terminal import printable
    from hiersearch.evaluation.plots import write_plots
    from hiersearch.evaluation.tables import as_lines, as_markdown

    if json_:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=1, allow_nan=False))
    else:
        for line in as_lines(report, _width()):
            typer.echo(printable(line))
    if markdown is not None:
        _write_text(markdown, as_markdown(report))
    written = [] if plot is None else write_plots(report, plot)
    for path in [*written, *([] if markdown is None else [markdown])]:
        typer.echo(f"written: {printable(path)}", err=True)
    for name, reason in report.failed.items():
        typer.echo(printable(f"hiersearch: {name}: {reason}"), err=True)


def _write_text(path: Path, text: str) -> None:
    from hiersearch.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", hint="Choose another file"
        ) from error


def _width() -> int:
    """As wide as the terminal; into a pipe a fixed width."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return _PIPE_WIDTH
    return shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns


_BENCHMARK = "hierarcaps"
"""Whose texts are retrieved."""

_SHEET = "hierarcaps-chains.png"


def require_photos_alone(names: Sequence[str], baseline: str | None, markdown: Path | None) -> None:
    """Refuse what does not go with `--photo`.

    Raises:
        UsageError: Another benchmark is named, or an option of scores.
    """
    from hiersearch.errors import UsageError

    if list(names) != [_BENCHMARK]:
        raise UsageError("--photo goes with hierarcaps alone", hint="Name hierarcaps only")
    for option, value in (("--baseline", baseline), ("--markdown", markdown)):
        if value is not None:
            raise UsageError(
                f"--photo shows texts instead of scores, so {option} does not go with it",
                hint=f"Leave out {option} or --photo",
            )


def chains_of(
    photos: list[Path], model: str, data: Path | None, progress: Progress
) -> tuple[PhotoChain, ...]:
    """Retrieve texts for photos from the expanded set of candidates.

    Raises:
        PhotosNotFoundError: A photo is not there.
        HiersearchError: The data or the model is not there, or cannot be used.
    """
    from hiersearch.data.fetching import find_or_fetch
    from hiersearch.errors import PhotosNotFoundError
    from hiersearch.evaluation.benchmark import open_embedder
    from hiersearch.evaluation.contact_sheet import expanded_candidates, retrieve_chains

    for photo in photos:
        if not photo.is_file():
            raise PhotosNotFoundError(f"there is no photo {photo}", hint="Name image files")
    found = find_or_fetch(_BENCHMARK, data, environ=os.environ, on_progress=progress)
    texts = expanded_candidates(found)
    return retrieve_chains(open_embedder(model), photos, texts, progress=progress)


def show_chains(chains: tuple[PhotoChain, ...], plot: Path | None, json_: bool) -> None:
    """Print chains, and write a contact sheet where a folder is given."""
    from hiersearch.cli.terminal import printable
    from hiersearch.evaluation.contact_sheet import (
        chains_as_json,
        chains_as_text,
        write_contact_sheet,
    )

    if json_:
        typer.echo(chains_as_json(chains))
    else:
        for line in chains_as_text(chains).splitlines():
            typer.echo(printable(line))
    if plot is not None:
        write_contact_sheet(chains, plot / _SHEET)
        typer.echo(f"written: {printable(plot / _SHEET)}", err=True)


_ALL = "all"
_NEEDS_BASELINE = "preservation"


def benchmark_names(words: Sequence[str], *, has_baseline: bool) -> list[str]:
    """The benchmarks that are meant, each once.

    Raises:
        UsageError: There is no such benchmark, or it needs what was not given.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.benchmark import BENCHMARKS, benchmark_module

    for word in words:
        if word != _ALL:
            benchmark_module(word)
    if _NEEDS_BASELINE in words and not has_baseline:
        raise UsageError(
            "preservation compares a model with the one it was made of, which was not given",
            hint="Give it, too: --baseline MODEL",
        )
    if _ALL in words:
        if not has_baseline:
            typer.echo(f"{_NEEDS_BASELINE} is left out: it needs --baseline MODEL", err=True)
        return [name for name in BENCHMARKS if has_baseline or name != _NEEDS_BASELINE]
    return list(dict.fromkeys(words))


def benchmark_options(
    names: Sequence[str], *, single_prompts: bool, sets: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """What benchmarks are told beside the usual, by their names.

    Raises:
        UsageError: An option goes with a benchmark that is not run.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.embedder import PAIR_PROMPTS

    found: dict[str, dict[str, Any]] = {}
    if single_prompts:
        found["breeds"] = {"baselines": PAIR_PROMPTS}
    if sets:
        found["classify"] = {"sets": list(dict.fromkeys(sets))}
    for name, option in (("breeds", "--single-prompts"), ("classify", "--set")):
        if name in found and name not in names:
            raise UsageError(f"{option} goes with {name}", hint=f"Name {name}, or leave it out")
    return found


def data_folder(given: Path | None) -> Path | None:
    """The folder of data, from the option or else the environment.

    Raises:
        UsageError: It is not there.
    """
    from hiersearch.config import absolute
    from hiersearch.errors import UsageError

    named = given or os.environ.get("HIERSEARCH_DATA")
    folder = absolute(named) if named else None
    if folder is not None and not folder.exists():
        raise UsageError(f"there is no folder {folder}", hint="Give the folder that holds the data")
    return folder
