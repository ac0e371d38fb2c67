"""`hiersearch demo`: index and query the photos that come with hiersearch."""

from __future__ import annotations

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DEMO_PHOTOS", "copy_demo_photos", "demo"]

DEMO_PHOTOS = (
    "astronaut.jpg",
    "brick-wall.jpg",
    "cat.jpg",
    "coffee.jpg",
    "coins.jpg",
    "flower.jpg",
    "galaxies.jpg",
    "grass.jpg",
    "motorcycle.jpg",
    "photographer.jpg",
    "rocket.jpg",
    "temple.jpg",
)
"""The sample photos: files in `samples`, where LICENSES says whose they are."""


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Where to put the photos and the index.",
            show_default="'demo' in your data folder",
        ),
    ] = None,
) -> None:
    """Index and query a dozen sample photos, offline."""
    from hiersearch.cli.photos.index import index
    from hiersearch.cli.photos.query import query
    from hiersearch.config import data_dir
    from hiersearch.errors import UsageError

    folder = folder.expanduser().absolute() if folder else data_dir(os.environ) / "demo"
    photos, store = folder / "photos", folder / "index"
    try:
        copy_demo_photos(photos)
    except OSError as error:
        raise UsageError(
            f"the sample photos cannot be copied to {photos}: {error.strerror or error}",
            hint="Name another folder: 'hiersearch demo FOLDER'",
        ) from error
    _show("index", photos, "--store", store)
    index([photos], store=str(store))
    _show("query", "--image", photos / "cat.jpg", "--store", store)
    query(image=photos / "cat.jpg", store=str(store))
    _show("query", "a hot drink", "--store", store)
    query("a hot drink", store=str(store))
    typer.echo(
        "\nThe offline model sees people, animals, things and places; colours and counts roughly."
        "\nNow try your own photos: hiersearch index FOLDER"
    )


def copy_demo_photos(folder: Path) -> None:
    """Copies the sample photos to a folder; those that are there already stay as they are.

    Raises:
        OSError: They cannot be written there.
    """
    samples = resources.files("hiersearch.cli.photos") / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    for name in DEMO_PHOTOS:
        if not (folder / name).exists():
            # Under another name first: an interrupted copy must not pass for the photo.
            part = folder / f".{name}.part"
            part.write_bytes(samples.joinpath(name).read_bytes())
            part.replace(folder / name)


def _show(*words: str | Path) -> None:
    typer.echo()
    typer.secho(f"$ {shlex.join(['hiersearch', *map(str, words)])}", bold=True)
