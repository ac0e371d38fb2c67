"""`hiersearch attach` makes a Qdrant collection hierarchical, in place; `detach` undoes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiersearch.cli.options import (
    MODEL_HELP,
    MODELS,
    STORE_HELP,
    VOCABULARY_HELP,
    JsonFlag,
    complete_from,
    read_concepts,
)
from hiersearch.cli.terminal import progress_on_stderr

if TYPE_CHECKING:
    from hiersearch.qdrant import AttachSummary, Client

__all__ = ["attach", "detach"]

_UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="URL of the Qdrant server; --store takes it too.",
        show_default="$QDRANT_URL",
    ),
]
_StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help=f"Where the collection is. {STORE_HELP}",
        show_default="the server of --url",
    ),
]
_CollectionOption = Annotated[
    str,
    typer.Option("--collection", metavar="NAME", help="The collection.", show_default=False),
]


def attach(
    collection: _CollectionOption,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model that made the vectors: {MODEL_HELP}",
            show_default=False,
            autocompletion=complete_from(lambda: MODELS),
        ),
    ],
    url: _UrlOption = None,
    store: _StoreOption = None,
    vector: Annotated[
        str | None,
        typer.Option(
            "--vector",
            metavar="NAME",
            help="Name of the vector to use, where points have several.",
            show_default="the only one",
        ),
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option(
            "--concepts",
            metavar="FILE",
            help="Also label each point with concepts of this vocabulary, to count and filter by. "
            f"{VOCABULARY_HELP}",
            show_default=False,
        ),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            "--text-field",
            metavar="FIELD",
            help="Payload field that holds the encoded text.",
            show_default="the usual names",
        ),
    ] = None,
    file_field: Annotated[
        str | None,
        typer.Option(
            "--file-field",
            metavar="FIELD",
            help="Payload field that holds the path of the encoded photo.",
            show_default="the usual names",
        ),
    ] = None,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Skip the check that the model made these vectors."),
    ] = False,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Recompute attached points too, after vectors were replaced or with another "
            "model.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would be done, and write nothing.")
    ] = False,
    json_: JsonFlag = False,
) -> None:
    """Make a Qdrant collection hierarchical, in place.

    Gives each point its distance from the root, root_distance; vectors and other payload stay as
    they are. An interrupted run resumes when you run the command again, which also attaches points
    added since. 'hiersearch detach' undoes it.

    The root comes from the model, which must be the one that made the vectors. To check that, up
    to eight points whose text or photo can be read are encoded again and compared.
    """
    from hiersearch.config import cache_dir
    from hiersearch.qdrant import HierarchicalCollection, only_vector

    vocabulary = None if concepts is None else read_concepts(concepts)
    with ExitStack() as stack:
        client = stack.enter_context(_open_store(url, store))
        # Loading a model takes seconds: whatever can fail before that fails first.
        vector = only_vector(client, collection) if vector is None else vector
        from hiersearch.encoder import HierarchicalEncoder
        from hiersearch.index import ModelCheck, vocabulary_label

        encoder = HierarchicalEncoder(model)
        theirs = HierarchicalCollection(client, collection, root=encoder.root, vector_name=vector)
        progress = stack.enter_context(progress_on_stderr())
        check = ModelCheck(encoder, text_field=text_field, file_field=file_field)
        label = None
        if vocabulary is not None:
            cache = cache_dir(os.environ) / "vocabularies"
            label = stack.enter_context(
                vocabulary_label(vocabulary, encoder, theirs, check, cache=cache, tell=progress)
            )
        run = partial(theirs.repair, recompute=True) if recompute else theirs.attach
        summary = run(
            label=label,
            check=None if unverified else check,
            model=encoder.name,
            vocabulary=vocabulary.id if vocabulary else "",
            dry_run=dry_run,
            on_progress=progress,
        )
    if json_:
        compared = {"field": check.field or None, "similarity": check.similarity}
        typer.echo(json.dumps({"version": 1, **asdict(summary), "compared": compared}, indent=1))
        return
    why = "" if unverified or summary.verified else ": " + _why_unverified(text_field, file_field)
    typer.echo(_summary_text(summary) + why)


@contextmanager
def _open_store(url: str | None, store: str | None) -> Iterator[Client]:
    """The store of --url or --store, closed afterwards.

    Raises:
        UsageError: Neither or both are given, or it is not a store.
        StoreUnreachableError: No server answers there.
    """
    from hiersearch.qdrant import connect

    with closing(connect(_place(url, store))) as client:
        yield client


def _place(url: str | None, store: str | None) -> str | Path:
    from hiersearch.config import is_url, store_folder
    from hiersearch.errors import UsageError

    if url and store:
        raise UsageError("both --url and --store are given", hint="Leave out --url or --store")
    if store:
        return store if is_url(store) else store_folder(store)
    url = url or os.environ.get("QDRANT_URL")
    if not url:
        raise UsageError(
            "no Qdrant server is named",
            hint="Use --url http://localhost:6333 or --store FOLDER, or set QDRANT_URL",
        )
    if not is_url(url):
        # Whatever is before the host may be a password.
        raise UsageError(
            f"{url.rpartition('@')[2]} is not the URL of a server",
            hint="Write it as http://localhost:6333",
        )
    return url


def _summary_text(summary: AttachSummary) -> str:
    """What a run did, without the parts that are zero."""
    parts = [
        (summary.attached, "attached"),
        (summary.corrected, "corrected"),
        (summary.labelled, "labelled"),
        (summary.already - summary.corrected, "already right"),
        (summary.without_vector, "without this vector"),
        (summary.unusable, "with a zero or non-finite vector"),
        (summary.missing, "added meanwhile (run it again)"),
    ]
    told = ", ".join(f"{count} {what}" for count, what in parts if count > 0) or "no points"
    if summary.dry_run:
        told = f"would be: {told}"
    return f"{told}; model {'verified' if summary.verified else 'not verified'}"


def _why_unverified(text_field: str | None, file_field: str | None) -> str:
    """Why nothing was compared, and what to do."""
    named = [repr(field) for field in (text_field, file_field) if field]
    if named:
        return f"no text or photo could be read from {' or '.join(named)}"
    return "no text or photo could be read; name its field with --text-field or --file-field"


def detach(
    collection: _CollectionOption,
    url: _UrlOption = None,
    store: _StoreOption = None,
    json_: JsonFlag = False,
) -> None:
    """Remove what 'hiersearch attach' added, and nothing else."""
    from hiersearch.qdrant import HierarchicalCollection

    with _open_store(url, store) as client, progress_on_stderr() as progress:
        theirs = HierarchicalCollection.attached(client, collection)
        summary = theirs.detach(on_progress=progress)
    if json_:
        typer.echo(json.dumps({"version": 1, **asdict(summary)}, indent=1))
        return
    noun = "point" if summary.points == 1 else "points"
    what = ", ".join(summary.fields) or "nothing"
    typer.echo(f"removed {what} from {summary.points} {noun}")
