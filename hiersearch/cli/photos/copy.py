"""`hiersearch copy`: an index from a folder to a server, back, or to another place."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["copy"]


def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="The index: its folder, or its place on a Qdrant server like "
            "http://localhost:6333/NAME.",
            show_default=False,
        ),
    ],
    destination: Annotated[
        str,
        typer.Argument(metavar="DST", help="Where to copy it, likewise.", show_default=False),
    ],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace another index at DST by the one at SRC."),
    ] = False,
) -> None:
    """Copy an index between folders and servers.

    Vectors and concepts are copied as they are stored; the photos themselves stay where they are.
    A copy that was cut off goes on when it is run again. Servers get the key in QDRANT_API_KEY.
    """
    from hiersearch.cli.terminal import progress_on_stderr
    from hiersearch.index import copy_index

    with progress_on_stderr() as progress:
        done = copy_index(source, destination, overwrite=overwrite, on_progress=progress)
    parts = [
        (done.copied, "copied"),
        (done.removed, "removed"),
        (done.unchanged, "unchanged"),
    ]
    typer.echo(", ".join(f"{count} {what}" for count, what in parts if count) or "no photos")
