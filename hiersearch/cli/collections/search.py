"""`hiersearch query --collection`: ranks a Qdrant collection as it is, attached or not.

Nothing is written to the store, so a key that may only read is enough.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hiersearch.cli.collections.attach import open_store, read_root, read_vector, store_place
from hiersearch.cli.collections.hit_table import hit_lines, value_of
from hiersearch.cli.options import require_choice
from hiersearch.cli.terminal import json_text, printable

if TYPE_CHECKING:
    from hiersearch.index.model_check import AnyModel
    from hiersearch.qdrant import Filter, HierarchicalCollection, Hit
    from hiersearch.qdrant.attachment import Attachment
    from hiersearch.types import Floats

__all__ = ["RANKS", "CollectionQuery", "search_collection"]

RANKS = ("nearest", "below", "above")
"""Most similar, least exterior angle with the query as the parent, and as the child."""

_LIMIT, _SAMPLE, _LOOKED_AT = 10, 64, 4096
_DAY = 86_400


@dataclass(frozen=True)
class CollectionQuery:
    """What to look for in a collection, and where: the options of the command.

    Attributes:
        collection: Its name.
        url: The server; or
        store: the server or folder.
        text: The query, a text; or
        image: a photo file; or
        vector_file: a file with a vector.
        model: The model that made the vectors.
        root: A file with the root to use instead of the model's.
        rank: One of `RANKS`.
        vector: Which of the points' vectors to use; None for the only one.
        where: Conditions on payload fields; all must hold.
        fields: Payload fields to show, with commas between; None for all.
        limit: The most hits; None for 10.
        unverified: Whether to skip the check of the model.
        timeout: Seconds to wait for each answer of a server; None for 30.
    """

    collection: str
    url: str | None = None
    store: str | None = None
    text: str | None = None
    image: Path | None = None
    vector_file: Path | None = None
    model: str | None = None
    root: Path | None = None
    rank: str = RANKS[0]
    vector: str | None = None
    where: Sequence[str] = ()
    fields: str | None = None
    limit: int | None = None
    unverified: bool = False
    timeout: int | None = None


def search_collection(
    query: CollectionQuery,
    *,
    width: int,
    json_: bool,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Prints the hits of a query, as a table or as JSON.

    Args:
        query: What to look for.
        width: Columns of a table.
        json_: Whether to print JSON.
        environ: The environment, for the cache folder.

    Raises:
        UsageError: The options make no query.
        CollectionError: There is no such collection or vector, or the model did not make it.
        StoreUnreachableError: No server answers, or it refuses the key.
    """
    from hiersearch.index.fields import field_filter
    from hiersearch.qdrant import HierarchicalCollection, all_of, only_vector
    from hiersearch.qdrant.attachment import attachment_in
    from hiersearch.qdrant.clients.connection import client_errors

    require_choice("ranking", query.rank, RANKS)
    _check_query(query)
    given_root = None if query.root is None else read_root(query.root)
    own = None if query.vector_file is None else _own_vector(query.vector_file)
    fields = _field_names(query.fields)
    with open_store(query.url, query.store, query.timeout) as client:
        # Loading a model takes seconds: whatever can fail before that fails first.
        with client_errors(client):
            info = client.get_collection(query.collection)
        known = attachment_in(info.config.metadata, query.collection)
        name = only_vector(client, query.collection) if query.vector is None else query.vector
        kinds = {key: one.data_type.value for key, one in info.payload_schema.items()}
        condition = all_of(*(field_filter(one, kinds) for one in query.where))
        usable = known if known is not None and known.vector == name else None
        model = _model(query, usable)
        vector = _encoded(query, model) if own is None else own
        root = _root(query, given_root, model, usable, vector)
        theirs = HierarchicalCollection(client, query.collection, root=root, vector_name=name)
        verified = None
        if model is not None and not query.unverified:
            file = _verdict_file(query, name, model, info, environ)
            verified = _is_attached_with(usable, model, root) or _verdict(theirs, model, file)
            if not verified:
                _say(
                    f"{model.name} was not checked against the points: none has a text or photo "
                    "in one of the usual fields"
                )
        if known is None:
            _say(
                f"the collection {query.collection} is not attached, and rankings do not need it: "
                "'hiersearch attach' would add radial paths, radii, rows and counts"
            )
        hits = _ranked(theirs, query, vector, condition, fields)
    if not json_:
        _print_table(hits, fields, width)
        return
    answer = {
        "version": 1,
        "collection": query.collection,
        "vector": name,
        "rank": query.rank,
        "model": None if model is None else model.name,
        "verified": bool(verified),
        "hits": [_hit_json(hit, fields) for hit in hits],
    }
    typer.echo(json_text(answer))


def _check_query(query: CollectionQuery) -> None:
    from hiersearch.config import check_name
    from hiersearch.errors import UsageError

    check_name(query.collection, "a collection")
    given = [one for one in (query.text, query.image, query.vector_file) if one is not None]
    if len(given) != 1:
        raise UsageError(
            "a query to a collection is a text, a photo or a vector",
            hint="Give one of TEXT, --image FILE and --vector-file FILE.npy",
        )
    text = query.text
    if text is not None and not text.strip():
        raise UsageError("the query is empty", hint="Say what to look for")
    if text is not None and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UsageError("the query is not valid text", hint="Type it in UTF-8")
    store_place(query.url, query.store)


def _missing(what: str, options: str) -> Exception:
    from hiersearch.errors import UsageError

    return UsageError(what, hint=f"Add {options}")


def _model(query: CollectionQuery, known: Attachment | None) -> AnyModel | None:
    """The model; None if the query brings its own vector."""
    from hiersearch.index import load_attached_model, load_model

    if query.model:
        return load_model(query.model)
    if query.vector_file is not None:
        return None
    if known is None or not known.model:
        raise _missing(
            "the model that made the vectors is not named",
            "--model MODEL, or give a vector of your own with --vector-file",
        )
    return load_attached_model(known.model, known.has_root)


def _root(
    query: CollectionQuery,
    given: Floats | None,
    model: AnyModel | None,
    known: Attachment | None,
    vector: Floats,
) -> Floats:
    """The root: the one that is given, the model's, or the one that was attached."""
    if given is not None:
        return given
    if model is not None:
        return model.root
    if known is not None:
        return known.root
    if query.rank != "nearest":
        raise _missing(f"--rank {query.rank} needs a root", "--root FILE.npy, or --model MODEL")
    return vector  # plain similarity uses no root


def _encoded(query: CollectionQuery, model: AnyModel | None) -> Floats:
    """(dim,), the vector of the query's text or photo."""
    from hiersearch.errors import UnreadablePhotoError
    from hiersearch.photos import PhotoReaders

    if model is None:
        raise _missing("a text or a photo needs a model", "--model MODEL")
    if query.image is None:
        vector: Floats = model.encode_texts([query.text or ""])[0]
        return vector
    size = model.photo_size  # raises if the model reads texts only
    try:
        with PhotoReaders() as readers:
            image = readers.read(query.image.expanduser(), min_side=size).image
    except (UnreadablePhotoError, OSError) as error:
        reason = getattr(error, "message", None) or getattr(error, "strerror", None) or error
        raise UnreadablePhotoError(
            f"cannot read {query.image}: {reason}", hint="Give another photo"
        ) from error
    photo: Floats = model.encode_photos([image])[0]
    return photo


def _own_vector(file: Path) -> Floats:
    import numpy as np

    from hiersearch.errors import UsageError

    hint = "Save the query with numpy.save('query.npy', vector): one vector of fractions"
    vector = read_vector(file, hint)
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not (math.isfinite(length) and length > 0):
        raise UsageError(f"the vector in {file} has the length {length:g}", hint=hint)
    return np.asarray(vector / length, dtype=np.float32)


def _ranked(
    theirs: HierarchicalCollection,
    query: CollectionQuery,
    vector: Floats,
    condition: Filter | None,
    fields: Sequence[str] | None,
) -> list[Hit]:
    limit = _LIMIT if query.limit is None else query.limit
    payload = True if fields is None else fields
    searches: dict[str, Callable[..., list[Hit]]] = {
        "nearest": theirs.nearest,
        "below": theirs.descendants_of,
        "above": theirs.ancestors_of,
    }
    return searches[query.rank](vector, limit=limit, filter=condition, payload=payload)


def _is_attached_with(known: Attachment | None, model: AnyModel, root: Floats) -> bool:
    """Whether attaching has checked this model already."""
    from hiersearch.encoder import FORMER

    if known is None or not known.verified:
        return False
    return model.name in (known.model, FORMER.get(known.model)) and known.has_root(root)


def _verdict(theirs: HierarchicalCollection, model: AnyModel, file: Path) -> bool | None:
    """Whether the model made the vectors; None if no point can be encoded again.

    The verdict is kept for a day. That another model made them is found anew each time.

    Raises:
        CollectionError: Another model made them.
    """
    from hiersearch.errors import CollectionError, ModelMismatchError
    from hiersearch.files import whole_file
    from hiersearch.index.model_check import FILE_FIELDS, TEXT_FIELDS, ModelCheck

    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if 0 <= time.time() - kept["at"] < _DAY and kept["verified"] in (True, None):
            return True if kept["verified"] else None
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing is kept, or nothing that can be read: look again
    check = ModelCheck(model)
    fields = (*FILE_FIELDS, *TEXT_FIELDS)
    points = theirs.scroll(payload=fields, with_vectors=True, page=_SAMPLE)
    # The first points may have other vectors only.
    present = (one for one in islice(points, _LOOKED_AT) if one.vector is not None)
    sample = list(islice(present, _SAMPLE))
    try:
        verified = check(sample)
    except ModelMismatchError as error:
        raise CollectionError(
            f"the vectors of the collection {theirs.name!r} are not those that {model.name} gives "
            f"to their {check.field!r} (mean cosine similarity {check.mean:.2f} over "
            f"{check.compared} points)",
            hint="Name the model that made them; or, if they are of something else, add "
            "--unverified",
        ) from error
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as stream:
            stream.write(json.dumps({"at": time.time(), "verified": verified}).encode())
    except OSError as error:
        _say(f"the check of {model.name} cannot be kept in {file.parent} ({error.strerror})")
    return verified


def _verdict_file(
    query: CollectionQuery,
    vector: str,
    model: AnyModel,
    info: Any,
    environ: Mapping[str, str],
) -> Path:
    """Where the verdict on a model is kept, for this store, collection, vector and model."""
    from hiersearch.config import bare_url, cache_dir, is_url

    place = store_place(query.url, query.store)
    key = [
        bare_url(str(place)) if is_url(place) else str(place),
        query.collection,
        vector,
        info.config.params.model_dump_json(),
        model.id,
    ]
    digest = hashlib.sha256(json.dumps(key).encode("utf-8", "surrogatepass")).hexdigest()
    return cache_dir(environ) / "verdicts" / f"{digest[:32]}.json"


def _field_names(fields: str | None) -> list[str] | None:
    if fields is None:
        return None
    names = [name.strip() for name in fields.split(",")]
    if not all(names):
        raise _missing(f"--fields {fields!r} names no fields", "names with commas between them")
    return list(dict.fromkeys(names))


# The answer


def _hit_json(hit: Hit, fields: Sequence[str] | None) -> dict[str, Any]:
    return {
        "id": hit.id,
        "score": hit.score,
        "angle": hit.angle,
        "root_distance": hit.root_distance,
        "payload": hit.payload
        if fields is None
        else {name: value_of(hit, name) for name in fields},
    }


def _print_table(hits: Sequence[Hit], fields: Sequence[str] | None, width: int) -> None:
    if not hits:
        _say("no point matches")
        return
    lines, left_out = hit_lines(hits, fields, width)
    for line in lines:
        typer.echo(line)
    if left_out:
        _say(f"no room for the fields {', '.join(left_out)}; choose with --fields, or use --json")


def _say(what: str) -> None:
    sys.stderr.write(f"{printable(what)}\n")
