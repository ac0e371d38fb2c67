"""`hiersearch index`: from folders of photos to an index, and up to date again."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import ModelOption, NameOption, StoreOption

if TYPE_CHECKING:
    from hiersearch.index import PhotoIndex
    from hiersearch.index.update.ingest import IngestSummary

__all__ = ["choose_model", "index", "summary_lines"]

_SKIPS_SHOWN = 20


def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            help="Photos and folders of photos, searched to the bottom.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    name: NameOption = None,
    model: ModelOption = None,
    concepts: Annotated[
        Path | None,
        typer.Option(
            "--concepts",
            metavar="FILE",
            help="A vocabulary of your own: one concept per line, CSV with concept,parent, lines "
            "like 'fruit > apple', or JSON; or 'builtin'. Photos that are indexed already are "
            "labelled again.",
            show_default=False,
        ),
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links to files and folders.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Also drop photos whose folder is missing or empty."),
    ] = False,
) -> None:
    """Index photos, or bring an index up to date.

    Files that have not changed are not read again; moved ones are recognised; those that were
    deleted below the PATHs are dropped.
    """
    from hiersearch.cli.terminal import printable, progress_on_stderr
    from hiersearch.errors import UsageError

    if not paths and concepts is None:
        raise UsageError("no photos were named", hint="Name a folder: 'hiersearch index FOLDER'")
    with (
        _open_or_create(store, name, model, concepts, paths or ()) as opened,
        progress_on_stderr() as progress,
    ):
        summary = opened.add(
            *(paths or ()),
            concepts=concepts,
            follow_links=follow_links,
            prune=prune,
            on_progress=progress,
        )
    skipped = summary.skipped
    for skip in skipped[:_SKIPS_SHOWN]:
        sys.stderr.write(f"skipped {printable(skip.path)}: {skip.reason}\n")
    if len(skipped) > _SKIPS_SHOWN:
        sys.stderr.write(f"skipped {len(skipped) - _SKIPS_SHOWN} more\n")
    typer.echo(", ".join(summary_lines(summary)))
    summary.raise_for_lost()


def choose_model(model: str | None) -> str:
    """The model for a new index; says on stderr if a better one is to be had."""
    from hiersearch.config import read_settings

    chosen = model or read_settings(os.environ).model
    if chosen:
        return chosen
    from hiersearch.encoder import default_model

    chosen, note = default_model(os.environ)
    if note:
        sys.stderr.write(f"{note}\n")
    return chosen


def summary_lines(summary: IngestSummary) -> list[str]:
    """What a run did, the parts that are not nothing."""
    parts = [
        (summary.added, "added"),
        (summary.updated, "updated"),
        (summary.moved, "moved"),
        (summary.copies, "copies of others"),
        (summary.removed, "removed"),
        (summary.relabelled, "labelled again"),
        (summary.unchanged, "unchanged"),
        (len(summary.skipped), "skipped"),
    ]
    return [f"{count} {what}" for count, what in parts if count] or ["nothing to do"]


def _open_or_create(
    store: str | None,
    name: str | None,
    model: str | None,
    concepts: Path | None,
    paths: Sequence[Path],
) -> PhotoIndex:
    from hiersearch.concepts import read_vocabulary
    from hiersearch.config import index_place
    from hiersearch.errors import IndexNotFoundError
    from hiersearch.index import PhotoIndex, require_photos

    place = index_place(store, os.environ, name)
    try:
        opened = PhotoIndex.open(place)
    except IndexNotFoundError:
        if not paths:
            raise
    else:
        # One without photos, from a run that was cut off, is made anew: the model may be another.
        if opened.photo_count:
            opened.require_model(model)
            return opened
        opened.close()
    # Loading a model takes seconds: what can be seen to fail before fails before.
    vocabulary = None
    if concepts is not None and str(concepts) != "builtin":
        vocabulary = read_vocabulary(concepts)
    require_photos(paths)
    return PhotoIndex.create(place, model=choose_model(model), concepts=vocabulary)
