"""`hiersearch attach` makes a Qdrant collection hierarchical, in place; `detach` undoes it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from hiersearch.cli.options import (
    COLLECTION_MODELS,
    MODEL_HELP,
    STORE_HELP,
    VOCABULARY_HELP,
    JsonFlag,
    TimeoutOption,
    complete_from,
    read_concepts,
)
from hiersearch.cli.terminal import json_text, progress_on_stderr
from hiersearch.encoder import MODEL_NAMES

if TYPE_CHECKING:
    from hiersearch.qdrant import AttachSummary, Client
    from hiersearch.types import Floats

__all__ = ["attach", "detach", "open_store", "read_root", "read_vector", "store_place"]

_UNIT_TOLERANCE = 1e-3
"""How far the length of a root may be from 1: files may be of half precision."""

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
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help=f"The model that made the vectors: {MODEL_HELP} {COLLECTION_MODELS}",
            show_default=False,
            autocompletion=complete_from(lambda: MODEL_NAMES),
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="FILE.npy",
            help="Use this root, a vector of length 1 saved by numpy.save, instead of the model's. "
            "Then --model is optional and nothing is verified.",
            show_default=False,
        ),
    ] = None,
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
    replace_index: Annotated[
        bool,
        typer.Option(
            "--replace-index",
            help="Replace a payload index of another type on root_distance, by which nothing "
            "would be found.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would be done, and write nothing.")
    ] = False,
    json_: JsonFlag = False,
    timeout: TimeoutOption = None,
) -> None:
    """Make a Qdrant collection hierarchical, in place.

    Gives each point its distance from the root, root_distance; vectors and other payload stay as
    they are. An interrupted run resumes when you run the command again, which also attaches points
    added since. 'hiersearch detach' undoes it.

    The root comes from the model, which must be the one that made the vectors. To check that, up
    to eight points whose text or photo can be read are encoded again and compared. With
    --root, no model is needed.
    """
    from hiersearch.config import check_name
    from hiersearch.qdrant import HierarchicalCollection, only_vector

    check_name(collection, "a collection")
    _require_source(model, root, concepts, (text_field, file_field))
    given = None if root is None else read_root(root)
    vocabulary = None if concepts is None else read_concepts(concepts)
    with ExitStack() as stack:
        client = stack.enter_context(open_store(url, store, timeout))
        # Loading a model takes seconds: whatever can fail before that fails first.
        vector = only_vector(client, collection) if vector is None else vector
        encoder, check, label = None, None, None
        # A model whose root is given is needed only to embed the vocabulary.
        if model is not None and (given is None or vocabulary is not None):
            from hiersearch.index import ModelCheck, load_model, vocabulary_label

            encoder = load_model(model)
            check = ModelCheck(encoder, text_field=text_field, file_field=file_field)
        # There is a model or a root: `_require_source` has checked that.
        chosen = cast("Floats", given if encoder is None or given is not None else encoder.root)
        theirs = HierarchicalCollection(client, collection, root=chosen, vector_name=vector)
        progress = stack.enter_context(progress_on_stderr())
        stack.enter_context(_warnings_on_stderr())
        if vocabulary is not None and encoder is not None and check is not None:
            label = stack.enter_context(
                vocabulary_label(vocabulary, encoder, theirs, check, on_progress=progress)
            )
        run = partial(theirs.repair, recompute=True) if recompute else theirs.attach
        summary = run(
            label=label,
            check=None if unverified or given is not None else check,
            model=encoder.name if encoder is not None else model or "",
            vocabulary=vocabulary.id if vocabulary else "",
            replace_index=replace_index,
            dry_run=dry_run,
            on_progress=progress,
        )
    if json_:
        compared = {
            "field": (check and check.field) or None,
            "similarity": check and check.similarity,
        }
        typer.echo(json_text({"version": 1, **asdict(summary), "compared": compared}))
        return
    text = _summary_text(summary)
    if not (unverified or summary.verified or given is not None):
        text += f": {_why_unverified(text_field, file_field)}"
    typer.echo(text)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Show the warnings of the library as a sentence each."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: typer.echo(f"warning: {message}", err=True)
        yield


def _require_source(
    model: str | None,
    root: Path | None,
    concepts: Path | None,
    fields: tuple[str | None, str | None],
) -> None:
    """Refuses options that leave no root, or that --root makes useless."""
    from hiersearch.errors import UsageError

    if model is None and root is None:
        raise UsageError(
            "neither a model nor a root is named",
            hint="Use --model MODEL, or --root FILE.npy",
        )
    if model is None and concepts is not None:
        raise UsageError("--concepts needs the model", hint="Add --model MODEL")
    if root is not None and any(fields):
        raise UsageError(
            "--text-field and --file-field say what to compare, and --root compares nothing",
            hint="Leave them out, or leave out --root",
        )


def read_root(file: Path) -> Floats:
    """The root in a file that NumPy saved.

    Args:
        file: A `.npy` file.

    Returns:
        (dim,) float32, of length 1.

    Raises:
        UsageError: The file cannot be read, or is not one unit vector.
    """
    import numpy as np

    from hiersearch.errors import UsageError

    hint = "Save the root with numpy.save('root.npy', root): one vector of length 1"
    root = read_vector(file, hint)
    length = float(np.linalg.norm(root.astype(np.float64)))
    if not abs(length - 1.0) <= _UNIT_TOLERANCE:
        raise UsageError(f"the vector in {file} has the length {length:g}, not 1", hint=hint)
    return root


def read_vector(file: Path, hint: str) -> Floats:
    """One vector in a file that NumPy saved.

    Args:
        file: A `.npy` file.
        hint: What to do if it is not one.

    Returns:
        (dim,) float32, of any length.

    Raises:
        UsageError: The file cannot be read, or does not hold one vector.
    """
    import numpy as np

    from hiersearch.errors import UsageError

    try:
        with file.expanduser().open("rb") as stream:
            found = np.lib.format.read_array(stream, allow_pickle=False)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}", hint=hint) from error
    except (ValueError, EOFError) as error:
        raise UsageError(f"{file} is not a .npy file of numbers ({error})", hint=hint) from error
    if found.ndim != 1 or found.dtype.kind != "f":
        raise UsageError(
            f"{file} holds {found.dtype} of shape {found.shape}, not one vector", hint=hint
        )
    return np.asarray(found, dtype=np.float32)


@contextmanager
def open_store(url: str | None, store: str | None, timeout: int | None = None) -> Iterator[Client]:
    """The store of --url or --store, closed afterwards.

    Args:
        url: A server.
        store: A server or a folder.
        timeout: Seconds to wait for each answer of a server; None for 30.

    Raises:
        UsageError: Neither or both are given, or it is not a store.
        StoreUnreachableError: No server answers there.
    """
    from hiersearch.qdrant import connect
    from hiersearch.qdrant.clients.patience import patient

    with closing(patient(connect(store_place(url, store), timeout=timeout))) as client:
        yield client


def store_place(url: str | None, store: str | None) -> str | Path:
    """The server or folder that --url, --store or $QDRANT_URL names.

    Raises:
        UsageError: None or several do, or it is not a store.
    """
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
        (summary.gone, "deleted meanwhile"),
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
    timeout: TimeoutOption = None,
) -> None:
    """Remove what 'hiersearch attach' added, and nothing else."""
    from hiersearch.config import check_name
    from hiersearch.qdrant import HierarchicalCollection

    check_name(collection, "a collection")
    with open_store(url, store, timeout) as client, progress_on_stderr() as progress:
        theirs = HierarchicalCollection.attached(client, collection)
        summary = theirs.detach(on_progress=progress)
    if json_:
        typer.echo(json_text({"version": 1, **asdict(summary)}))
        return
    noun = "point" if summary.points == 1 else "points"
    what = ", ".join(summary.fields) or "nothing"
    typer.echo(f"removed {what} from {summary.points} {noun}")
