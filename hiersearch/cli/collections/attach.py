"""`hiersearch attach`: makes a Qdrant collection that exists hierarchical, in place.

`hiersearch detach`: takes back what `hiersearch attach` added to a Qdrant collection.
"""

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

from hiersearch.cli.options import JsonFlag

if TYPE_CHECKING:
    from hiersearch.concepts import Vocabulary
    from hiersearch.qdrant import AttachSummary, Client

__all__ = [
    "CollectionOption",
    "PlaceOption",
    "UrlOption",
    "attach",
    "detach",
    "open_store",
    "summary_text",
]

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="The Qdrant server, with the key in $QDRANT_API_KEY. [default: $QDRANT_URL]",
        show_default=False,
    ),
]
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="A folder of collections, instead of a server; or a server, as for --url.",
        show_default=False,
    ),
]
CollectionOption = Annotated[
    str,
    typer.Option(
        "--collection", metavar="NAME", help="The name of the collection.", show_default=False
    ),
]


def attach(
    collection: CollectionOption,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The model that made the vectors: mini, mini-aligned, clip-b, clip-l, "
            "hierarcaps-clip-b, hierarcaps-clip-l, a Hugging Face name or a folder.",
            show_default=False,
        ),
    ],
    url: UrlOption = None,
    store: PlaceOption = None,
    vector: Annotated[
        str | None,
        typer.Option(
            "--vector",
            metavar="NAME",
            help="Which of the points' vectors is meant, if they have several.",
            show_default=False,
        ),
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option(
            "--concepts",
            metavar="FILE",
            help="Also give each point its concepts from a vocabulary, so that they can be counted "
            "and filtered: a file as for 'hiersearch index', or 'builtin'.",
            show_default=False,
        ),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            "--text-field",
            metavar="FIELD",
            help="The payload field with the text that was encoded. [default: common ones]",
            show_default=False,
        ),
    ] = None,
    file_field: Annotated[
        str | None,
        typer.Option(
            "--file-field",
            metavar="FIELD",
            help="The payload field with the photo file that was encoded. [default: common ones]",
            show_default=False,
        ),
    ] = None,
    unverified: Annotated[
        bool,
        typer.Option(
            "--unverified", help="Take your word for the model: compare nothing with its answers."
        ),
    ] = False,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Also read points that are done, and correct them: vectors have been replaced, or "
            "the model was another.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look and count; write nothing.")
    ] = False,
    json_: JsonFlag = False,
) -> None:
    """Make a Qdrant collection hierarchical: give each point its distance from the root.

    Vectors and other payload stay as they are. A run that was cut off goes on when it is run
    again, and points added since are attached by another run. 'hiersearch detach' undoes it.

    The root comes from the model, which must be the one that made the vectors: up to eight points
    whose text or photo file can be read are encoded and compared.
    """
    from hiersearch.cli.terminal import progress_on_stderr
    from hiersearch.qdrant import HierarchicalCollection, only_vector

    vocabulary = None if concepts is None else _vocabulary(concepts)
    with ExitStack() as stack:
        client = stack.enter_context(open_store(url, store))
        # Loading a model takes seconds: what can be seen to fail before fails before.
        vector = only_vector(client, collection) if vector is None else vector
        from hiersearch.encoder import HierarchicalEncoder
        from hiersearch.index import ModelCheck, vocabulary_label

        encoder = HierarchicalEncoder(model)
        theirs = HierarchicalCollection(client, collection, root=encoder.root, vector_name=vector)
        progress = stack.enter_context(progress_on_stderr())
        check = ModelCheck(encoder, text_field=text_field, file_field=file_field)
        label = None
        if vocabulary is not None:
            label = stack.enter_context(
                vocabulary_label(vocabulary, encoder, theirs, check, on_progress=progress)
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
    typer.echo(summary_text(summary) + why)


@contextmanager
def open_store(url: str | None, store: str | None) -> Iterator[Client]:
    """The store that is meant, closed afterwards.

    Raises:
        UsageError: None is named, or two, or it is no place of a store.
        StoreUnreachableError: No server answers there.
    """
    from hiersearch.qdrant import connect

    with closing(connect(_place(url, store))) as client:
        yield client


def _place(url: str | None, store: str | None) -> str | Path:
    """The URL or the folder that is meant."""
    from hiersearch.config import is_url, store_folder
    from hiersearch.errors import UsageError

    if url and store:
        raise UsageError("two stores are named", hint="Leave out --url or --store")
    if store:
        return store if is_url(store) else store_folder(store)
    url = url or os.environ.get("QDRANT_URL")
    if not url:
        raise UsageError(
            "no Qdrant server is named", hint="Use --url http://localhost:6333, or set QDRANT_URL"
        )
    if not is_url(url):
        # A password may stand before the host.
        raise UsageError(
            f"{url.rpartition('@')[2]} is not the URL of a server",
            hint="Write it as http://localhost:6333",
        )
    return url


def summary_text(summary: AttachSummary) -> str:
    """What a run did, the parts that are not nothing."""
    parts = [
        (summary.attached, "attached"),
        (summary.corrected, "corrected"),
        (summary.labelled, "labelled"),
        (summary.already - summary.corrected, "already right"),
        (summary.without_vector, "without that vector"),
        (summary.unusable, "with a vector that has no direction"),
        (summary.missing, "added meanwhile: run it again"),
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


def _vocabulary(concepts: Path) -> Vocabulary:
    from hiersearch.concepts import builtin_vocabulary, read_vocabulary

    if str(concepts) == "builtin":
        return builtin_vocabulary()
    return read_vocabulary(concepts.expanduser())


def detach(
    collection: CollectionOption,
    url: UrlOption = None,
    store: PlaceOption = None,
    json_: JsonFlag = False,
) -> None:
    """Remove what 'hiersearch attach' added to a Qdrant collection, and nothing else."""
    from hiersearch.cli.terminal import progress_on_stderr
    from hiersearch.qdrant import HierarchicalCollection

    with open_store(url, store) as client, progress_on_stderr() as progress:
        theirs = HierarchicalCollection.attached(client, collection)
        summary = theirs.detach(on_progress=progress)
    if json_:
        typer.echo(json.dumps({"version": 1, **asdict(summary)}, indent=1))
        return
    noun = "point" if summary.points == 1 else "points"
    what = ", ".join(summary.fields) or "nothing that was added"
    typer.echo(f"removed {what} from {summary.points} {noun}")
