"""`hiersearch eval`: the papers' benchmarks, or with `--photo` the texts retrieved for a photo."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import (
    MODEL_DEFAULT,
    MODEL_HELP,
    JsonFlag,
    choose_model,
    complete_from,
    require_choice,
)
from hiersearch.cli.terminal import json_text, printable, progress_on_stderr
from hiersearch.encoder import MODEL_NAMES
from hiersearch.evaluation.benchmark import BENCHMARKS

if TYPE_CHECKING:
    from hiersearch.evaluation import Embedder, Report, Result
    from hiersearch.evaluation.contact_sheet import PhotoChain
    from hiersearch.progress import Progress

__all__ = ["evaluate_command"]

_ALL = "all"
_SHOWS_TEXTS = "hierarcaps"
"""The benchmark whose texts `--photo` retrieves."""

_SHEET = "hierarcaps-chains.png"
_PIPE_WIDTH = 100


def evaluate_command(
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK",
            help=f"{', '.join(BENCHMARKS)}, or {_ALL}.",
            show_default=False,
            autocompletion=complete_from(lambda: (*BENCHMARKS, _ALL)),
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model to measure: {MODEL_HELP}",
            show_default=MODEL_DEFAULT,
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="MODEL",
            help="Measure a second model too, such as the one before alignment, and show the "
            "difference.",
            show_default=False,
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Folder with a subfolder for each benchmark, with the file names of the official "
            "releases.",
            show_default="$HIERSEARCH_DATA",
        ),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            "--photo",
            metavar="FILE",
            help="With hierarcaps: show the texts retrieved for this photo instead of scores. "
            "Can be repeated.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FOLDER",
            help="Write plots as PNG files; with --photo, a contact sheet.",
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
            help="With breeds: also run the baselines whose prompts name both labels (slow).",
        ),
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME",
            help="With classify: only this data set. cifar10 and cifar100 (160 MB each) are "
            "downloaded if missing. Can be repeated.",
            show_default="all that are there",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Random seed.")] = 0,
    json_: JsonFlag = False,
) -> None:
    """Run the papers' benchmarks on a model.

    Vectors are cached, so a second run is fast. HierarCaps, HyperLex and the labels of BREEDS are
    downloaded if they are not in the data folder. Exits with 1 if any benchmark could not run.
    """
    from hiersearch.evaluation.plots import require_matplotlib

    names = _benchmark_names(benchmarks, has_baseline=baseline is not None)
    options = _benchmark_options(names, single_prompts=single_prompts, sets=sets)
    if photos:
        _require_photos_alone(names, baseline, markdown)
    data = _data_folder(data)
    if plot is not None and not photos:
        require_matplotlib()
    model = choose_model(model)
    if photos:
        with progress_on_stderr() as progress:
            chains = _chains_of(photos, model, data, progress)
        _show_chains(chains, plot, json_)
        return
    with progress_on_stderr() as progress:
        report = _run(names, model, baseline, data, seed, options, progress)
    _show(report, plot, markdown, json_)
    if report.failed:
        raise typer.Exit(1)


def _benchmark_names(words: Sequence[str], *, has_baseline: bool) -> list[str]:
    """The benchmarks to run, each once.

    Raises:
        UsageError: There is no such benchmark, or it needs a baseline.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.benchmark import benchmark_named

    for word in words:
        if word != _ALL:
            require_choice("benchmark", word, BENCHMARKS)
    comparing = [name for name in BENCHMARKS if benchmark_named(name).compares_with_baseline]
    if not has_baseline:
        for name in comparing:
            if name in words:
                raise UsageError(
                    f"{name} compares a model with the one it was made from",
                    hint="Name that one with --baseline MODEL",
                )
            if _ALL in words:
                typer.echo(f"{name} is left out: it needs --baseline MODEL", err=True)
    if _ALL in words:
        return [name for name in BENCHMARKS if has_baseline or name not in comparing]
    return list(dict.fromkeys(words))


def _benchmark_options(
    names: Sequence[str], *, single_prompts: bool, sets: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """Options of single benchmarks, by benchmark.

    Raises:
        UsageError: An option belongs to a benchmark that does not run.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.benchmark import benchmarks_with_option
    from hiersearch.evaluation.embedder import PAIR_PROMPTS

    given: list[tuple[str, str, Any]] = []
    if single_prompts:
        given.append(("--single-prompts", "baselines", PAIR_PROMPTS))
    if sets:
        given.append(("--set", "sets", list(dict.fromkeys(sets))))
    found: dict[str, dict[str, Any]] = {}
    for flag, option, value in given:
        takers = benchmarks_with_option(option)
        if not set(takers) & set(names):
            fitting = " or ".join(takers)
            raise UsageError(f"{flag} goes with {fitting}", hint=f"Name {fitting}, or leave it out")
        for name in set(takers) & set(names):
            found.setdefault(name, {})[option] = value
    return found


def _require_photos_alone(
    names: Sequence[str], baseline: str | None, markdown: Path | None
) -> None:
    """Refuses what does not go with `--photo`.

    Raises:
        UsageError: Another benchmark is named, or an option about scores.
    """
    from hiersearch.errors import UsageError

    if list(names) != [_SHOWS_TEXTS]:
        raise UsageError("--photo goes with hierarcaps alone", hint="Name hierarcaps only")
    for option, value in (("--baseline", baseline), ("--markdown", markdown)):
        if value is not None:
            raise UsageError(
                f"--photo shows texts instead of scores, so {option} does not go with it",
                hint=f"Leave out {option} or --photo",
            )


def _data_folder(given: Path | None) -> Path | None:
    """The data folder, from the option or else the environment.

    Raises:
        UsageError: It does not exist.
    """
    from hiersearch.config import absolute, datasets_dir
    from hiersearch.errors import UsageError

    folder = absolute(given) if given else datasets_dir()
    if folder is not None and not folder.exists():
        raise UsageError(f"there is no folder {folder}", hint="Give the folder that holds the data")
    return folder


def _run(
    names: list[str],
    model: str,
    baseline: str | None,
    data: Path | None,
    seed: int,
    options: dict[str, dict[str, Any]],
    progress: Progress,
) -> Report:
    """Runs the benchmarks; one that fails does not stop the others.

    Raises:
        HiersearchError: The only benchmark failed.
    """
    from hiersearch.data.fetching import find_or_fetch
    from hiersearch.errors import HiersearchError
    from hiersearch.evaluation.benchmark import benchmark_named, evaluate, open_embedder
    from hiersearch.evaluation.report import ModelLabel, Report

    if len(names) == 1:  # missing data is reported before a model is loaded
        find_or_fetch(names[0], data, environ=os.environ, on_progress=progress)
    measured = open_embedder(model)
    before = None if baseline is None else open_embedder(baseline)
    results: list[Result] = []
    before_results: dict[str, Result] = {}
    failed: dict[str, str] = {}

    def run(name: str, embedder: Embedder) -> Result:
        return evaluate(
            name,
            embedder,
            data=data,
            baseline=before,
            seed=seed,
            on_progress=progress,
            **options.get(name, {}),
        )

    for name in names:
        what = name
        try:
            results.append(run(name, measured))
            if before is not None and not benchmark_named(name).compares_with_baseline:
                what = f"{name} of the baseline"
                before_results[name] = run(name, before)
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
    from hiersearch.evaluation.plots import write_plots
    from hiersearch.evaluation.report import as_lines, as_markdown

    if json_:
        typer.echo(json_text(report.to_json(), allow_nan=False))
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
            f"{path} cannot be written: {error.strerror or error}", hint="Name another file"
        ) from error


def _width() -> int:
    """The terminal's width; a fixed one in a pipe."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return _PIPE_WIDTH
    return shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns


def _chains_of(
    photos: list[Path], model: str, data: Path | None, progress: Progress
) -> tuple[PhotoChain, ...]:
    """Retrieves texts for photos from the benchmark's candidates and what they imply.

    Raises:
        PhotosNotFoundError: A photo does not exist.
        HiersearchError: The data or the model is missing, or cannot be used.
    """
    from hiersearch.data.fetching import find_or_fetch
    from hiersearch.errors import PhotosNotFoundError
    from hiersearch.evaluation.benchmark import open_embedder
    from hiersearch.evaluation.contact_sheet import expanded_candidates, retrieve_chains

    for photo in photos:
        if not photo.is_file():
            raise PhotosNotFoundError(f"there is no photo {photo}", hint="Name image files")
    found = find_or_fetch(_SHOWS_TEXTS, data, environ=os.environ, on_progress=progress)
    texts = expanded_candidates(found)
    return retrieve_chains(open_embedder(model), photos, texts, on_progress=progress)


def _show_chains(chains: tuple[PhotoChain, ...], plot: Path | None, json_: bool) -> None:
    """Prints chains; writes a contact sheet if a folder is given."""
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
