"""`hiersearch calibrate`: make what photos are said to show true for one's own photos, or model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import (
    MODEL_DEFAULT,
    MODEL_HELP,
    JsonFlag,
    choose_model,
    complete_from,
)
from hiersearch.cli.terminal import json_text, printable, progress_on_stderr
from hiersearch.encoder import MODEL_NAMES

if TYPE_CHECKING:
    from hiersearch.calibration import CalibrationReport

__all__ = ["calibrate"]

_PROBLEMS = 5
_RISKS = (0.05, 0.1, 0.2, 0.3)


def calibrate(
    photos: Annotated[
        Path | None,
        typer.Argument(
            metavar="PHOTOS",
            help="Folder of the photos; without --data, with a folder in it for each concept.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="CSV file with the columns file and caption (a row for each caption), or file and "
            "concepts (names, with ; between). Paths are relative to PHOTOS.",
            show_default="the names of the photos' folders",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model to calibrate: {MODEL_HELP}",
            show_default=MODEL_DEFAULT,
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    concepts: Annotated[
        str | None,
        typer.Option(
            "--concepts",
            metavar="FILE",
            help="The vocabulary, with parents; see 'hiersearch index --help'.",
            show_default="builtin",
        ),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Go back to what comes with the model; needs no PHOTOS."),
    ] = False,
    json_: JsonFlag = False,
) -> None:
    """Learn from described photos how probably a photo shows a concept.

    For a model that comes without that knowledge, so that its photos get trees, and for photos
    unlike everyday ones. Kept for this model and this user; an index takes it over when it is
    labelled again. A tenth of the photos is kept from learning, to measure by. With captions of
    five people a photo it also finds out what --risk of 'hiersearch query' needs.
    """
    from hiersearch.calibration import calibrate_model, read_described
    from hiersearch.concepts import BUILTIN, chosen_vocabulary
    from hiersearch.config import statistics_file
    from hiersearch.errors import StoreError, UsageError
    from hiersearch.index.model_check import load_encoder
    from hiersearch.trees import write_statistics

    encoder = load_encoder(choose_model(model))
    place = statistics_file(encoder.id, os.environ)
    if forget:
        there = place.exists()
        place.unlink(missing_ok=True)
        typer.echo(f"Forgotten: {place}" if there else "There is nothing to forget.")
        return
    if photos is None:
        raise UsageError("no photos are named", hint="Name their folder, as in --help")
    vocabulary = chosen_vocabulary(concepts or BUILTIN)
    described = read_described(data, photos, vocabulary)
    with progress_on_stderr() as on_progress:
        report = calibrate_model(
            encoder,
            described,
            vocabulary,
            earlier=encoder.shipped_statistics,
            source=f"of {data or photos}",
            on_progress=on_progress,
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_statistics(place, report.statistics)
    except OSError as error:
        raise StoreError(
            f"cannot write {place}: {error.strerror or error}",
            hint="Make room there, or set HIERSEARCH_HOME to another folder",
        ) from error
    if json_:
        typer.echo(json_text(_plain(report, place)))
        return
    for line in _lines(report, place):
        typer.echo(line)


def _lines(report: CalibrationReport, place: Path) -> list[str]:
    lines = [
        f"Learned about {report.learned} concepts from {report.photos} photos, and measured on "
        f"{report.kept} others.",
        "",
        "    stated    pairs  expected  named",
    ]
    lines += [
        f"{band.low:4.0%} to {band.high:4.0%}  {band.pairs:7}    {band.expected:6.1%} "
        f"{band.named:6.1%}"
        for band in report.bands
    ]
    trials = report.statistics.trials
    lines.append("")
    if trials is None or not trials.photos:
        lines.append("No risks: no photo kept has the captions of five people, or labels.")
    else:
        lines.append(f"Risks, from {trials.photos} photos:")
        for risk in _RISKS:
            threshold = trials.threshold(risk)
            shown = "none can be promised" if threshold is None else f"down to {threshold:.0%}"
            lines.append(f"{risk:6.0%}  {shown}")
    if report.problems:
        lines += ["", f"Left out ({len(report.problems)}):"]
        lines += [f"  {printable(problem)}" for problem in report.problems[:_PROBLEMS]]
        if len(report.problems) > _PROBLEMS:
            lines.append(f"  and {len(report.problems) - _PROBLEMS} more")
    return [
        *lines,
        "",
        f"Kept in {printable(place)}.",
        "'hiersearch index --concepts builtin', or your own vocabulary, labels an index again.",
    ]


def _plain(report: CalibrationReport, place: Path) -> dict[str, Any]:
    trials = report.statistics.trials
    return {
        "version": 1,
        "id": report.statistics.id,
        "file": str(place),
        "photos": report.photos,
        "kept": report.kept,
        "learned": report.learned,
        "bands": [
            {
                "low": band.low,
                "high": band.high,
                "pairs": band.pairs,
                "expected": round(band.expected, 4),
                "named": round(band.named, 4),
            }
            for band in report.bands
        ],
        "risks": {
            "photos": trials.photos if trials else 0,
            "thresholds": {
                f"{risk}": trials.threshold(risk) if trials else None for risk in _RISKS
            },
        },
        "problems": list(report.problems),
    }
