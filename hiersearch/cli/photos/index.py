"""`hiersearch index` and `hiersearch copy`: an index from photos, or from another index."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import (
    STORE_HELP,
    VOCABULARY_HELP,
    ModelOption,
    NameOption,
    StoreOption,
    choose_model,
    read_concepts,
    suggest_better,
)
from hiersearch.cli.terminal import printable, progress_on_stderr

if TYPE_CHECKING:
    from hiersearch.index import PhotoIndex

__all__ = ["copy", "index"]

_SKIPS_SHOWN = 20


def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Photos, and folders to search for photos.",
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
            help=f"The vocabulary. {VOCABULARY_HELP} A new vocabulary relabels all photos.",
            show_default="the index's own, builtin for a new one",
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
    """Index photos, or update an index.

    Unchanged files are not read again, moved files are recognised, and files deleted from the
    given folders are dropped. An interrupted run resumes when you run the command again.

    With --model, an index that was made with another model is moved: its photos are read again.
    """
    from hiersearch.errors import UsageError

    if not paths and concepts is None and model is None:
        raise UsageError("no photos were named", hint="Name a folder: 'hiersearch index FOLDER'")
    moved = model is not None and _move(store, name, model, prune=prune, must_exist=not paths)
    if not paths and concepts is None:
        if not moved:
            typer.echo("nothing to do")
        return
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
    _show_skipped([(skip.path, skip.reason) for skip in skipped])
    parts = [
        (summary.added, "added"),
        (summary.updated, "updated"),
        (summary.moved, "moved"),
        (summary.copies, "copies of others"),
        (summary.removed, "removed"),
        (summary.relabelled, "labelled again"),
        (summary.unchanged, "unchanged"),
        (len(skipped), "skipped"),
    ]
    typer.echo(_counted(parts) or "nothing to do")
    summary.raise_for_lost()


def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help=f"The index to copy. {STORE_HELP} On a server, add the index's name: "
            "http://localhost:6333/NAME.",
            show_default=False,
        ),
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DST", help="Where to copy it; as SRC.", show_default=False)
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a different index at DST.")
    ] = False,
) -> None:
    """Copy an index between folders and servers.

    Copies vectors and concepts as they are; the photos stay where they are. An interrupted copy
    resumes when you run the command again.
    """
    from hiersearch.index import copy_index

    with progress_on_stderr() as progress:
        done = copy_index(source, destination, overwrite=overwrite, on_progress=progress)
    parts = [(done.copied, "copied"), (done.removed, "removed"), (done.unchanged, "unchanged")]
    typer.echo(_counted(parts) or "no photos")


def _counted(parts: Iterable[tuple[int, str]]) -> str:
    """What a run did, without the parts that are zero."""
    return ", ".join(f"{count} {what}" for count, what in parts if count)


def _move(
    store: str | None, name: str | None, model: str, *, prune: bool, must_exist: bool
) -> bool:
    """Moves the index to a model, if it was made with another; whether it was."""
    from hiersearch.config import index_place
    from hiersearch.errors import IndexNotFoundError
    from hiersearch.index import PhotoIndex, is_moving, move_index

    place = index_place(store, os.environ, name)
    if not is_moving(place, model):
        try:
            with PhotoIndex.open(place) as there:
                if not there.photo_count or there.is_of(model):
                    return False
                made_with = there.info().model
        except IndexNotFoundError:
            if must_exist:
                raise
            return False
        told = f"Moving the index from {made_with} to {model}: its photos are read again"
        sys.stderr.write(f"{told}\n")
    with progress_on_stderr() as progress:
        done = move_index(place, model, prune=prune, on_progress=progress)
    _show_skipped(done.skipped)
    parts = [
        (done.photos, f"moved to {model}"),
        (len(done.dropped), "no longer there"),
        (len(done.skipped), "skipped"),
    ]
    typer.echo(_counted(parts) or "no photos")
    return True


def _show_skipped(skipped: Sequence[tuple[Path, str]]) -> None:
    for path, reason in skipped[:_SKIPS_SHOWN]:
        sys.stderr.write(f"skipped {printable(path)}: {reason}\n")
    if len(skipped) > _SKIPS_SHOWN:
        sys.stderr.write(f"skipped {len(skipped) - _SKIPS_SHOWN} more\n")


def _open_or_create(
    store: str | None,
    name: str | None,
    model: str | None,
    concepts: Path | None,
    paths: Sequence[Path],
) -> PhotoIndex:
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
        # An index without photos, from an interrupted run, is remade: its model may differ.
        if opened.photo_count:
            opened.require_model(model)
            if concepts is None:
                suggest_better(opened)
            return opened
        opened.close()
    # Loading a model takes seconds: whatever can fail before that fails first.
    vocabulary = None if concepts is None else read_concepts(concepts)
    require_photos(paths)
    return PhotoIndex.create(place, model=choose_model(model), concepts=vocabulary)
