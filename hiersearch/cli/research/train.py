"""`hiersearch train`: aligns an encoder with hierarchies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import JsonFlag

if TYPE_CHECKING:
    from hiersearch.alignment import TrainingRun

__all__ = ["run_lines", "train"]

_OPTION = "NAME=VALUE"


def train(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where the trained model goes. After an interruption, the same command goes on "
            "with what it finds there.",
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
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="What to start from, as for 'hiersearch index'. [default: mini]",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="A file that says all this; options given here take precedence.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="LOSS",
            help="radial-embedding, entailment-cone, rcme or contrastive. "
            "[default: radial-embedding]",
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar=_OPTION,
            help="An option of the loss, such as regulariser=10. May be repeated.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            "--root",
            metavar="ROOT",
            help="What distances are measured from: learned, first, mean, origin or parameter. "
            "[default: learned]",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(
            "--layers",
            metavar="N",
            min=0,
            help="Train the text tower's last N layers. [default: all]",
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="RATE",
            help="[default: one that suits the tower's size]",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            min=1,
            help="Hierarchies in a batch. [default: 32]",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="How many batches. [default: once through the data]",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            "--epochs",
            metavar="N",
            help="How often to go through the data. [default: 1]",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude",
            metavar="FILE",
            help="Pairs of words that must not be learned, nor what implies them: two words in "
            "each line, as in HyperLex' files. May be repeated.",
            show_default=False,
        ),
    ] = None,
    photos: Annotated[
        bool | None,
        typer.Option("--photos", help="Use the data's photos, too.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="[default: 0]", show_default=False),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Align an encoder with hierarchies: let it know that *animal* contains *goat*.

    The folder that it writes opens with SentenceTransformer, and 'hiersearch index --model FOLDER'
    takes it.
    """
    from hiersearch.alignment.settings import TrainingSettings, read_recipe
    from hiersearch.cli.terminal import progress_on_stderr
    from hiersearch.errors import UsageError

    told: dict[str, Any] = {} if recipe is None else read_recipe(recipe.expanduser())
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
    told |= {name: value for name, value in flags.items() if value is not None}
    if epochs is not None and steps is None:
        told.pop("steps", None)
    told["options"] = {**told.get("options", {}), **dict(map(_option, option or ()))}
    if "data" not in told:
        raise UsageError("no data is named", hint="Use --data hierarcaps, or --recipe FILE")
    settings = TrainingSettings(**told)
    # Imports torch: what can be seen to fail before fails before.
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
    typer.echo("\n".join(run_lines(run)))


def run_lines(run: TrainingRun) -> list[str]:
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
        raise UsageError(f"{text!r} is no option of a loss", hint=f"Write it as {_OPTION}")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value
