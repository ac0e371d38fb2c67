"""`hiersearch train`: align an encoder with hierarchies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import (
    MODEL_HELP,
    JsonFlag,
    complete_from,
    require_choice,
)
from hiersearch.cli.terminal import progress_on_stderr
from hiersearch.encoder import MODEL_NAMES

if TYPE_CHECKING:
    from hiersearch.alignment import TrainingRun

__all__ = ["LOSSES", "ROOTS", "train"]

LOSSES = ("radial-embedding", "entailment-cone", "rcme", "contrastive")
ROOTS = ("learned", "first", "mean", "origin", "parameter")

_OPTION = "NAME=VALUE"


def _data_names() -> tuple[str, ...]:
    from hiersearch.data.training_data import NAMES

    return NAMES


def train(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to write the trained model. The same command resumes an interrupted run.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="hierarcaps, wordnet, built-in, or a file: hierarchies (CSV with a column "
            "'positive'), specimens (CSV with ranks), or a vocabulary with parents.",
            show_default=False,
            autocompletion=complete_from(_data_names),
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model to start from: {MODEL_HELP}",
            show_default="mini",
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="TOML file with any of these settings; options on the command line win.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="LOSS",
            help=f"The loss: {', '.join(LOSSES)}.",
            show_default=LOSSES[0],
            autocompletion=complete_from(lambda: LOSSES),
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar=_OPTION,
            help="An argument of the loss, such as regulariser=10. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            "--root",
            metavar="ROOT",
            help=f"The point that distances are measured from: {', '.join(ROOTS)}.",
            show_default=ROOTS[0],
            autocompletion=complete_from(lambda: ROOTS),
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(
            "--layers",
            metavar="N",
            min=0,
            help="Train only the last N layers of the text tower.",
            show_default="all",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="RATE",
            help="Learning rate of AdamW.",
            show_default="chosen by the size of the text tower",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            min=1,
            help="Hierarchies per batch.",
            show_default="32",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Number of batches, instead of --epochs.",
            show_default="one epoch",
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            "--epochs",
            metavar="N",
            help="Passes over the data.",
            show_default="1",
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude",
            metavar="FILE",
            help="File of word pairs, two words per line as in HyperLex, to keep out of the "
            "training data together with whatever implies them. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    photos: Annotated[
        bool | None,
        typer.Option("--photos", help="Also train on the photos in the data.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Random seed.", show_default="0"),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Teach a model which concepts contain which, such as 'animal' and 'goat'.

    Fine-tunes the text tower of an encoder on hierarchies. The result opens with
    SentenceTransformer(FOLDER) and 'hiersearch index --model FOLDER'.
    """
    from hiersearch.alignment.settings import TrainingSettings, read_recipe
    from hiersearch.errors import UsageError

    chosen: dict[str, Any] = {} if recipe is None else read_recipe(recipe.expanduser())
    flags: dict[str, Any] = {
        "data": data,
        "model": model,
        "loss": loss,
        "root": root,
        "layers": layers,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "steps": steps,
        "epochs": epochs,
        "exclude": tuple(map(str, exclude)) if exclude else None,
        "photos": photos,
        "seed": seed,
    }
    chosen |= {name: value for name, value in flags.items() if value is not None}
    if epochs is not None and steps is None:
        chosen.pop("steps", None)
    chosen["options"] = {**chosen.get("options", {}), **dict(map(_option, option or ()))}
    if "data" not in chosen:
        raise UsageError("no data is named", hint="Use --data hierarcaps or --recipe FILE")
    if loss is not None:
        require_choice("loss", loss, LOSSES)
    if root is not None:
        require_choice("root", root, ROOTS)
    settings = TrainingSettings(**chosen)
    # Imports torch: whatever can fail before that fails first.
    from hiersearch.alignment import train as run_training

    with progress_on_stderr() as on_progress:
        run = run_training(settings, output, on_progress=on_progress)
    for note in run.notes:
        typer.echo(note, err=True)
    if run.left_out:
        typer.echo(f"{run.left_out} malformed rows of {run.data} were left out", err=True)
    if json_:
        typer.echo(json.dumps(_json(run), indent=1))
        return
    typer.echo("\n".join(_run_lines(run)))


def _run_lines(run: TrainingRun) -> list[str]:
    """What a run did, for people."""
    lines = [
        f"{run.steps} steps in {run.seconds:.0f} s, {run.trained.layers} of {run.trained.of} "
        f"layers, learning rate {run.learning_rate:.2g}"
    ]
    if run.before is not None and run.after is not None:
        lines.append(f"{'validation':<12}{'before':>8}{'after':>8}")
        lines += [
            f"{name:<12}{getattr(run.before, name):>8.3f}{value:>8.3f}"
            for name, value in vars(run.after).items()
        ]
    return [*lines, str(run.output)]


def _json(run: TrainingRun) -> dict[str, Any]:
    return {
        "version": 1,
        "output": str(run.output),
        "data": run.data,
        "left_out": run.left_out,
        "steps": run.steps,
        "seconds": round(run.seconds, 1),
        "learning_rate": run.learning_rate,
        "before": None if run.before is None else vars(run.before),
        "after": None if run.after is None else vars(run.after),
    }


def _option(text: str) -> tuple[str, float | bool | str]:
    """One option of a loss.

    Raises:
        UsageError: It is not of the form NAME=VALUE.
    """
    from hiersearch.errors import UsageError

    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise UsageError(f"{text!r} is not an option of a loss", hint=f"Write it as {_OPTION}")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value
