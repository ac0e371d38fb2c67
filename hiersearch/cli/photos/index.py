"""`hiersearch index` and `hiersearch copy`: an index from photos, or from another index."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import (
    STORE_HELP,
    VOCABULARY_HELP,
    JsonFlag,
    ModelOption,
    NameOption,
    StoreOption,
    TimeoutOption,
    WaitOption,
    choose_model,
    read_concepts,
    suggest_better,
)
from hiersearch.cli.photos.ingest_report import Outcome, Report, counted
from hiersearch.cli.terminal import progress_on_stderr, tell

if TYPE_CHECKING:
    from hiersearch.config import IndexPlace
    from hiersearch.index import MoveSummary, PhotoIndex
    from hiersearch.index.results import IngestSummary
    from hiersearch.resident.asking import Resident
    from hiersearch.resident.listening import Listener

__all__ = ["copy", "index"]


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
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write what was skipped, and why, to this file.",
            show_default="a file in your data folder, if more was skipped than is printed",
        ),
    ] = None,
    shared: Annotated[
        bool | None,
        typer.Option(
            "--shared/--private",
            help="Let other users read an index in a folder, as far as the umask does; or nobody.",
            show_default="as it is; a new one is private",
        ),
    ] = None,
    json_: JsonFlag = False,
    timeout: TimeoutOption = None,
    wait: WaitOption = 0,
) -> None:
    """Index photos, or update an index.

    Unchanged files are not read again, moved files are recognised, and files deleted from the
    given folders are dropped. An interrupted run resumes when you run the command again. Files that
    are no photos are counted, and photos that cannot be read are listed with the reason.

    With --model, an index that was made with another model is moved: its photos are read again.
    """
    from hiersearch.config import index_place
    from hiersearch.errors import UsageError
    from hiersearch.resident.asking import ask

    if not paths and concepts is None and model is None:
        raise UsageError("no photos were named", hint="Name a folder: 'hiersearch index FOLDER'")
    place = index_place(store, os.environ, name, timeout)
    if shared is not None and not isinstance(place, Path):
        raise UsageError(
            "--shared and --private are for an index in a folder",
            hint="On a server, API keys say who may read",
        )
    listed = Report(place, report and report.expanduser())
    listed.check()
    wanted = {"follow_links": follow_links, "prune": prune}
    outcome = Outcome(model or "")
    try:
        outcome.added = ask(
            place,
            lambda there: _add_there(there, paths or (), concepts, model, wanted),
            lambda: _add_here(place, paths or (), concepts, outcome, wanted),
            wait=wait,
            on_note=tell,
        )
    except BaseException:
        if outcome.moved is not None:  # which was done all the same
            listed.tell(outcome)
        raise
    if shared is not None:
        _allow_others(place, shared)
    listed.tell(outcome, json_=json_)
    if outcome.added is not None:
        outcome.added.raise_for_lost()


def _allow_others(place: IndexPlace, shared: bool) -> None:
    from hiersearch.errors import StoreError
    from hiersearch.qdrant.edge.folder_modes import allow_others

    assert isinstance(place, Path)
    try:
        allow_others(place, shared)
    except OSError as error:
        raise StoreError(
            f"the modes of {place} cannot be changed: {error.strerror or error}",
            hint="Only the owner of the folder can",
        ) from error


def _add_there(
    there: Resident,
    paths: Sequence[Path],
    concepts: Path | None,
    model: str | None,
    wanted: Mapping[str, bool],
) -> IngestSummary:
    """Lets the process that has the index open add photos to it."""
    vocabulary = None if concepts is None else read_concepts(concepts)
    facts = there.about()
    if facts.photos and concepts is None:
        suggest_better(facts.model, facts.model_id, facts.trees, lambda: facts.has_parents)
    with progress_on_stderr() as progress:
        return there.add(
            *paths,
            concepts=vocabulary,
            model=model,
            **wanted,
            on_progress=progress,
            on_note=tell,
        )


def _add_here(
    place: IndexPlace,
    paths: Sequence[Path],
    concepts: Path | None,
    outcome: Outcome,
    wanted: Mapping[str, bool],
) -> IngestSummary | None:
    """Adds photos to an index that no other process has open; answers others meanwhile.

    Args:
        place: The index.
        paths: Files and folders.
        concepts: The file of another vocabulary.
        outcome: Names the model; is told of the move, if there is one.
        wanted: Further arguments of `PhotoIndex.add`.

    Returns:
        What was done; None if all that was asked for was another model.
    """
    from hiersearch.resident.listening import listening

    model = outcome.model or None
    if model is not None:
        moved = _move(place, model, prune=wanted["prune"], must_exist=not paths)
        outcome.moved = moved or outcome.moved  # the latter if this is tried again
    if not paths and concepts is None:
        return None
    with (
        listening(
            place, lambda problem: tell(f"other commands cannot ask this one: {problem}")
        ) as listener,
        _open_or_create(place, model, concepts, paths, wanted["follow_links"]) as opened,
        _serving(opened, place, listener),
        progress_on_stderr() as progress,
    ):
        return opened.add(*paths, concepts=concepts, **wanted, on_progress=progress)


def _serving(
    opened: PhotoIndex, place: IndexPlace, listener: Listener | None
) -> AbstractContextManager[object]:
    """A block in which queries of others are answered, where somebody can ask."""
    if listener is None or not isinstance(place, Path):
        return nullcontext()
    from hiersearch.resident.serving import Serving

    return Serving(opened, place, listener, writes=False)


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
    timeout: TimeoutOption = None,
) -> None:
    """Copy an index between folders and servers.

    Copies vectors and concepts as they are; the photos stay where they are. An interrupted copy
    resumes when you run the command again.
    """
    from hiersearch.config import index_place
    from hiersearch.index import copy_index

    places = [index_place(one, os.environ, timeout=timeout) for one in (source, destination)]
    with progress_on_stderr() as progress:
        done = copy_index(*places, overwrite=overwrite, on_progress=progress)
    parts = [(done.copied, "copied"), (done.removed, "removed"), (done.unchanged, "unchanged")]
    typer.echo(counted(parts) or "no photos")


def _move(place: IndexPlace, model: str, *, prune: bool, must_exist: bool) -> MoveSummary | None:
    """Moves the index to a model, if it was made with another; None if it was not."""
    from hiersearch.errors import IndexNotFoundError
    from hiersearch.index import PhotoIndex, is_moving, move_index

    if not is_moving(place, model):
        try:
            with PhotoIndex.open(place) as there:
                if not there.photo_count or there.is_of(model):
                    return None
                made_with = there.info().model
        except IndexNotFoundError:
            if must_exist:
                raise
            return None
        told = f"Moving the index from {made_with} to {model}: its photos are read again"
        sys.stderr.write(f"{told}\n")
    with progress_on_stderr() as progress:
        return move_index(place, model, prune=prune, on_progress=progress)


def _open_or_create(
    place: IndexPlace,
    model: str | None,
    concepts: Path | None,
    paths: Sequence[Path],
    follow_links: bool,
) -> PhotoIndex:
    from hiersearch.errors import IndexNotFoundError
    from hiersearch.index import PhotoIndex, require_photos

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
                suggest_better(
                    opened.model,
                    opened.model_id,
                    opened.trees,
                    lambda: opened.vocabulary.has_parents,
                )
            return opened
        opened.close()
    # Loading a model takes seconds: whatever can fail before that fails first.
    vocabulary = None if concepts is None else read_concepts(concepts)
    require_photos(paths, follow_links=follow_links)
    # Another run may make the index while the model is loaded: then this one adds to it.
    return PhotoIndex.create(place, model=choose_model(model), concepts=vocabulary, exist_ok=True)
