"""What `hiersearch eval hierarcaps --photo` does: the texts that are retrieved for photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hiersearch.evaluation.contact_sheet import PhotoChain
    from hiersearch.progress import Progress

__all__ = ["PHOTOS_ARE_OF", "chains_of", "show_chains"]

PHOTOS_ARE_OF = "hierarcaps"
"""The benchmark whose texts are retrieved."""

_SHEET = "hierarcaps-chains.png"


def chains_of(
    photos: list[Path], model: str, data: Path | None, progress: Progress
) -> tuple[PhotoChain, ...]:
    """Retrieve texts for photos from the expanded set of candidates.

    Raises:
        PhotosNotFoundError: A photo is not there.
        HiersearchError: The data or the model is not there, or cannot be used.
    """
    from hiersearch.errors import PhotosNotFoundError
    from hiersearch.evaluation.contact_sheet import expanded_candidates, retrieve_chains
    from hiersearch.evaluation.fetching import find_or_fetch
    from hiersearch.evaluation.running import open_embedder

    for photo in photos:
        if not photo.is_file():
            raise PhotosNotFoundError(f"there is no photo {photo}", hint="Name image files")
    found = find_or_fetch(PHOTOS_ARE_OF, data, environ=os.environ, progress=progress)
    texts = expanded_candidates(found)
    return retrieve_chains(open_embedder(model), photos, texts, progress=progress)


def show_chains(chains: tuple[PhotoChain, ...], plot: Path | None, json_: bool) -> None:
    """Print chains, and write a contact sheet where a folder is given."""
    from hiersearch.cli.printing import printable
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
