"""What `hiersearch eval hierarcaps --photo` does: the texts that are retrieved for photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiersearch.evaluation.contact_sheet import PhotoChain
    from hiersearch.progress import Progress

__all__ = ["chains_of", "require_photos_alone", "show_chains"]

_BENCHMARK = "hierarcaps"
"""Whose texts are retrieved."""

_SHEET = "hierarcaps-chains.png"


def require_photos_alone(names: Sequence[str], baseline: str | None, markdown: Path | None) -> None:
    """Refuse what does not go with `--photo`.

    Raises:
        UsageError: Another benchmark is named, or an option of scores.
    """
    from hiersearch.errors import UsageError

    if list(names) != [_BENCHMARK]:
        raise UsageError("--photo goes with hierarcaps alone", hint="Name hierarcaps only")
    for option, value in (("--baseline", baseline), ("--markdown", markdown)):
        if value is not None:
            raise UsageError(
                f"--photo shows texts instead of scores, so {option} does not go with it",
                hint=f"Leave out {option} or --photo",
            )


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
    found = find_or_fetch(_BENCHMARK, data, environ=os.environ, progress=progress)
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
