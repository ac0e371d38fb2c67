"""`hiersearch export`: make a model faster on machines without a GPU."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hiersearch.cli.options import complete_from
from hiersearch.cli.terminal import printable
from hiersearch.encoder import MODEL_NAMES, MODELS

__all__ = ["export"]

_CHOICES = tuple(name for name in MODEL_NAMES if MODELS[name].graphs is None)


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"{', '.join(_CHOICES)}, a Hugging Face name or a folder.",
            show_default=False,
            autocompletion=complete_from(lambda: _CHOICES),
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where to.", show_default=False),
    ],
) -> None:
    """Write a model as ONNX graphs, which encode faster on a machine without a GPU.

    The folder takes the place of the model: 'hiersearch index PHOTOS --model FOLDER', also for an
    index that was made with the model itself, which then keeps to the folder. Its vectors are
    compared with the model's before it is kept. It loads without PyTorch.
    """
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.encoder.model_export import export_model

    output = output.expanduser()
    least = export_model(HierarchicalEncoder(model, device="cpu"), output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    typer.echo(
        f"{printable(output)}: {size / 1e6:.0f} MB, cosine to the model at least {least:.6f}"
    )
    typer.echo(f"Use it: hiersearch index PHOTOS --model {shlex.quote(printable(output))}")
