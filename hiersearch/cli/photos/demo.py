"""`hiersearch demo`: index and query photographs that come with installed packages."""

from __future__ import annotations

import os
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DEMO_PHOTOS", "copy_demo_photos", "demo"]

DEMO_PHOTOS = {
    "astronaut.png": ("skimage", "data/astronaut.png"),
    "brick-wall.png": ("skimage", "data/brick.png"),
    "cat.png": ("skimage", "data/chelsea.png"),
    "coffee.png": ("skimage", "data/coffee.png"),
    "coins.png": ("skimage", "data/coins.png"),
    "flower.jpg": ("sklearn", "datasets/images/flower.jpg"),
    "grass.png": ("skimage", "data/grass.png"),
    "moon.png": ("skimage", "data/moon.png"),
    "motorcycle.png": ("skimage", "data/motorcycle_left.png"),
    "photographer.png": ("skimage", "data/camera.png"),
    "rocket.jpg": ("skimage", "data/rocket.jpg"),
    "temple.jpg": ("sklearn", "datasets/images/china.jpg"),
}
"""Module and path of each photograph, by the name that it gets."""

DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
"""The packages of these modules, as pip knows them."""


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
    _show("query", "--image", photos / "cat.png", "--store", store)
    query(image=photos / "cat.png", store=str(store))
    _show("query", "a hot drink", "--store", store)
    query("a hot drink", store=str(store))
    typer.echo(
        "\nThe offline model sees people, animals, things and places; colours and counts roughly."
        "\nNow try your own photos: hiersearch index FOLDER"
    )


def copy_demo_photos(folder: Path) -> None:
    """Copies the sample photos out of the packages that ship them.

    Raises:
        MissingPackageError: The packages are not installed.
    """
    from hiersearch.errors import MissingPackageError

    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, path) in DEMO_PHOTOS.items():
        # Found, not imported: importing them would take longer than copying.
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise MissingPackageError(DISTRIBUTIONS[package], extra="mini", purpose="the demo")
        if not (folder / name).exists():
            # Under another name first: an interrupted copy must not pass for the photo.
            part = folder / f".{name}.part"
            shutil.copyfile(Path(spec.origin).parent / path, part)
            part.replace(folder / name)


def _show(*words: str | Path) -> None:
    typer.echo()
    typer.secho(f"$ {shlex.join(['hiersearch', *map(str, words)])}", bold=True)
