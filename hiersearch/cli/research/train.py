"""`hiersearch train`: align an encoder with hierarchies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiersearch.cli.options import (
    MODEL_HELP,
    JsonFlag,
    complete_from,
    require_choice,
)
from hiersearch.cli.terminal import json_text, printable, progress_on_stderr
from hiersearch.encoder import MODEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiersearch.alignment import PairRun, TrainingRun

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
            help="hierarcaps, wordnet, builtin, or a file: hierarchies (CSV with a column "
            "'positive'), specimens (CSV with ranks), captioned photos (CSV with columns file and "
            "caption), or a vocabulary with parents.",
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
        Path | None,
        typer.Option(
            "--photos",
            metavar="FOLDER",
            help="Also train on the photos that the data names, which are in this folder.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Random seed.", show_default="0"),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Teach a model which concepts contain which, or what your own photos show.

    On hierarchies, such as 'animal' and 'goat', the text tower is trained; on captioned photos the
    head of the image tower, and with a recipe the towers themselves. The result opens with
    SentenceTransformer(FOLDER) and 'hiersearch index --model FOLDER'.
    """
    from hiersearch.alignment.settings import TrainingSettings, read_recipe
    from hiersearch.errors import UsageError

    if _is_of_pairs(data, recipe):
        texts_only = {
            "--loss": loss,
            "--option": option,
            "--root": root,
            "--learning-rate": learning_rate,
            "--steps": steps,
        }
        values = {
            "data": data,
            "photos": photos,
            "model": model,
            "text_layers": layers,
            "batch_size": batch_size,
            "epochs": epochs,
            "exclude": exclude,
            "seed": seed,
        }
        _train_pairs(values, texts_only, recipe, output, json_=json_)
        return
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
        "photos": None if photos is None else str(photos),
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
        typer.echo(json_text(_json(run)))
        return
    typer.echo("\n".join(_run_lines(run)))


def _is_of_pairs(data: str | None, recipe: Path | None) -> bool:
    """Whether what is trained on are captioned photos."""
    import tomllib

    from hiersearch.data.captioned_photos import has_captions
    from hiersearch.data.training_data import NAMES, named_path
    from hiersearch.files import read_table

    if data is None and recipe is not None:
        try:
            data = tomllib.loads(recipe.expanduser().read_text(encoding="utf-8")).get("data")
        except (OSError, ValueError):
            return False  # which reading the recipe explains
    if not isinstance(data, str) or data in NAMES:
        return False
    path = named_path(data)
    table = path.is_file() and path.suffix.lower() in (".csv", ".gz")
    return table and has_captions(read_table(path))


def _train_pairs(
    flags: Mapping[str, Any],
    texts_only: Mapping[str, Any],
    recipe: Path | None,
    output: Path,
    *,
    json_: bool,
) -> None:
    from hiersearch.alignment import PairSettings, read_pair_recipe
    from hiersearch.errors import UsageError

    for name, value in texts_only.items():
        if value is not None:
            raise UsageError(
                f"{name} is not for captioned photos", hint="Use a recipe for such settings"
            )
    chosen: dict[str, Any] = {} if recipe is None else read_pair_recipe(recipe.expanduser())
    for name, value in flags.items():
        if value is not None:
            chosen[name] = str(value) if isinstance(value, Path) else value
    if isinstance(chosen.get("exclude"), list):
        chosen["exclude"] = tuple(map(str, chosen["exclude"]))
    if "photos" not in chosen:
        raise UsageError("the folder of the photos is not named", hint="Add --photos FOLDER")
    settings = PairSettings(**chosen)
    # Imports torch: whatever can fail before that fails first.
    from hiersearch.alignment import train_pairs

    with progress_on_stderr() as on_progress:
        run = train_pairs(settings, output, on_progress=on_progress)
    _show_pairs(run, json_=json_)


def _show_pairs(run: PairRun, *, json_: bool) -> None:
    if run.left_out:
        typer.echo(f"{run.left_out} malformed rows of {run.settings.data} were left out", err=True)
    if run.missing:
        typer.echo(
            f"{len(run.missing)} photos are not there, {printable(Path(run.missing[0]))} the first",
            err=True,
        )
    found = {"before": run.before, "after": run.after}
    if json_:
        told = {
            "version": 1,
            "output": str(run.output),
            "photos": run.photos,
            "missing": len(run.missing),
            "left_out": run.left_out,
            "steps": run.steps,
            "seconds": round(run.seconds, 1),
            **{name: None if one is None else vars(one) for name, one in found.items()},
        }
        typer.echo(json_text(told))
        return
    lines = [f"{run.steps} steps on {run.photos} photos in {run.seconds:.0f} s"]
    if run.before is not None and run.after is not None:
        lines += [
            f"of {run.after.photos} other photos, their captions find",
            f"{'':<12}{'before':>8}{'after':>8}",
            f"{'R@1':<12}{run.before.recall_1:>8.3f}{run.after.recall_1:>8.3f}",
            f"{'R@10':<12}{run.before.recall_10:>8.3f}{run.after.recall_10:>8.3f}",
        ]
    typer.echo("\n".join([*lines, str(run.output)]))


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
