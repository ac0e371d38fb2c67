"""What hiersearch leaves in a store besides fields of points.

The record of what `attach` added to a collection, in the collection's own metadata; payload
indexes; and the documents of an index on a server, which has no files.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant.clients.client_calls import Client, embedded_calls
from hiersearch.qdrant.clients.connection import client_errors, create_once
from hiersearch.qdrant.clients.patience import patient
from hiersearch.qdrant.layout import Layout, layout_of
from hiersearch.qdrant.points import ROOT_DISTANCE
from hiersearch.trees import CONCEPTS
from hiersearch.types import Floats

if TYPE_CHECKING:
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "INDEXES",
    "Attachment",
    "Documents",
    "attachment_in",
    "check_indexes",
    "filterable",
    "index_params",
    "indexed",
    "only_vector",
    "read_attachment",
    "read_layout",
    "remove_attachment",
    "write_attachment",
]


_KEY = "hiersearch"
_VERSION = 1
_SAME_ROOT = 1e-5
"""Roots this close to each other come from the same model, run on another machine."""


@dataclass(frozen=True)
class Attachment:
    """What was added to a collection.

    Attributes:
        root: (dim,), the root that distances are measured from.
        vector: The name of the vector that is measured; "" is the unnamed one.
        model: The name of the model that the root comes from; "" if unknown.
        verified: Whether the root was checked against points that the model could encode.
        fields: The payload fields that were added, and that detaching removes.
        indexes: The payload indexes that were created, and that detaching removes.
        vocabulary: The id of the vocabulary of the labels; "" if there are none.
        recomputing: Whether distances are being replaced. Until that is finished, old ones cannot
            be told from new ones.
    """

    root: Floats = field(compare=False)
    vector: str
    model: str = ""
    verified: bool = False
    fields: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    vocabulary: str = ""
    recomputing: bool = False

    def has_root(self, root: Floats) -> bool:
        """Whether distances are measured from this root."""
        return self.root.shape == root.shape and bool(
            np.linalg.norm(self.root.astype(np.float64) - root) < _SAME_ROOT
        )

    def check_vector(self, name: str, vector: str) -> None:
        """Check that distances are measured with this vector.

        Args:
            name: The name of the collection, for the error.
            vector: The name of the vector.

        Raises:
            CollectionError: They are measured with another.
        """
        if self.vector != vector:
            raise CollectionError(
                f"the collection {name!r} was attached by its vector {self.vector!r}, not "
                f"{vector!r}",
                hint="Name that vector, or detach the collection first",
            )

    def check_root(self, name: str, root: Floats) -> None:
        """Check that all distances are measured from this root.

        Args:
            name: The name of the collection, for the error.
            root: (dim,).

        Raises:
            CollectionError: Some are not.
        """
        if self.recomputing:
            raise CollectionError(
                f"replacing the root distances of the collection {name!r} was interrupted",
                hint="Finish it: repair it with recompute, or 'hiersearch attach --recompute'",
            )
        if not self.has_root(root):
            raise CollectionError(
                f"the collection {name!r} was attached with another root"
                + (f", that of {self.model}" if self.model else ""),
                hint="Use that root, detach the collection, or replace its root distances with "
                "recompute",
            )

    def to_json(self) -> dict[str, Any]:
        """The record as stored in the metadata."""
        return {**vars(self), "version": _VERSION, "root": self.root.tolist()}

    @classmethod
    def from_json(cls, data: Any, name: str) -> Self:
        """Read the record from the metadata of a collection.

        Args:
            data: What `to_json` gave.
            name: The name of the collection, for the error.

        Raises:
            CollectionError: It is damaged, or written by a later version.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            if TypeAdapter(_StoredVersion).validate_python(data).version > _VERSION:
                raise CollectionError(
                    f"the collection {name!r} was attached by a later version of hiersearch",
                    hint="Update hiersearch",
                )
            stored = TypeAdapter(_StoredAttachment).validate_python(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise CollectionError(
                f"the entry {_KEY!r} in the metadata of the collection {name!r} cannot be read "
                f"({where + ': ' if where else ''}{first['msg']})",
                hint="Remove it from the metadata, then attach the collection again",
            ) from error
        known = {key: value for key, value in vars(stored).items() if key != "version"}
        return cls(**{**known, "root": np.asarray(stored.root, dtype=np.float32)})


@dataclass(frozen=True)
class _StoredVersion:
    version: int


@dataclass(frozen=True)
class _StoredAttachment:
    """The record's format, which pydantic checks."""

    version: int
    root: list[float]
    vector: str
    model: str
    verified: bool
    fields: tuple[str, ...]
    indexes: tuple[str, ...]
    vocabulary: str
    recomputing: bool


def read_layout(client: Client, name: str) -> Layout:
    """Ask a store how it keeps a collection.

    Raises:
        CollectionError: There is no such collection.
    """
    embedded = embedded_calls(client)
    with client_errors(client):
        if embedded is not None:
            return embedded.plain.layout(name)
        return layout_of(patient(client).get_collection(name))


def read_attachment(client: Client, name: str) -> Attachment | None:
    """Ask a store what was added to a collection; None if nothing was.

    Raises:
        CollectionError: There is no such collection, or its record cannot be read.
    """
    return attachment_in(read_layout(client, name).metadata, name)


def attachment_in(metadata: Mapping[str, Any] | None, name: str) -> Attachment | None:
    """What was added to a collection, according to its metadata; None if nothing was.

    Raises:
        CollectionError: The record cannot be read.
    """
    data = (metadata or {}).get(_KEY)
    return None if data is None else Attachment.from_json(data, name)


_SEEN_WITHIN = 5.0
"""Seconds within which the nodes of a cluster have seen a change of metadata; mostly it takes ten
milliseconds."""


def write_attachment(client: Client, name: str, attachment: Attachment) -> None:
    """Record in a collection's metadata what is added to it.

    Raises:
        StoreError: The server keeps no metadata.
    """
    with client_errors(client):
        patient(client).update_collection(name, metadata={_KEY: attachment.to_json()})
    if not _seen(client, name, attachment):
        raise StoreError(
            f"the server does not remember what is added to the collection {name!r}",
            hint="Update it to Qdrant 1.16 or later, which keeps metadata of collections",
        )


def remove_attachment(client: Client, name: str) -> None:
    """Remove the record from a collection's metadata."""
    with client_errors(client):
        patient(client).update_collection(name, metadata={_KEY: None})
    _seen(client, name, None)


def _seen(client: Client, name: str, wanted: Attachment | None) -> bool:
    """Wait until the metadata are as they were written; whether they are."""
    end, pause = time.monotonic() + _SEEN_WITHIN, 0.01
    while True:
        found = read_attachment(client, name)
        # Attachments are equal whatever their root.
        if found == wanted and (found is None or wanted is None or found.has_root(wanted.root)):
            return True
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def only_vector(client: Client, name: str) -> str:
    """The vector to use where none is named: the one that was attached, or the only one.

    Returns:
        The name of the vector; "" is the unnamed one.

    Raises:
        CollectionError: There is no such collection, or its points have several vectors.
    """
    layout = read_layout(client, name)
    known = attachment_in(layout.metadata, name)
    if known is not None:
        return known.vector
    named = list(layout.vectors) or [""]
    if len(named) == 1:
        return named[0]
    raise CollectionError(
        f"the points of the collection {name!r} have several vectors",
        hint=f"Name one of them: {', '.join(repr(one) for one in sorted(named))}",
    )


INDEXES: Mapping[str, str] = {ROOT_DISTANCE: "float", CONCEPTS: "keyword"}
"""The payload indexes that hierarchical queries and counts of concepts need, by field."""


def index_params(field: str) -> Any:
    """How to create one of `INDEXES`."""
    if field == ROOT_DISTANCE:
        return models.FloatIndexParams(type=models.FloatIndexType.FLOAT, is_principal=True)
    return models.PayloadSchemaType(INDEXES[field])


def filterable(layout: Layout, *fields: str) -> bool:
    """Whether the store lets points be filtered by payload fields, given the present indexes."""
    strict = layout.strict
    if strict is None or strict.unindexed_filtering_retrieve is not False:
        return True
    return all(field in layout.indexes for field in fields)


def indexed(layout: Layout, field: str) -> bool:
    """Whether a field has an index, of the type that it needs."""
    found = layout.indexes.get(field)
    return found is not None and found == INDEXES.get(field, found)


def check_indexes(layout: Layout, name: str, fields: Iterable[str]) -> None:
    """Check that no field has an index of another type than it needs.

    Args:
        layout: The collection's.
        name: Its name.
        fields: Payload fields.

    Raises:
        CollectionError: One has.
    """
    for key in fields:
        if key in layout.indexes and not indexed(layout, key):
            raise CollectionError(
                f"the collection {name!r} has an index of type "
                f"{layout.indexes[key]} on {key!r}, by which queries would "
                f"find nothing: it must be of type {INDEXES[key]}",
                hint=f"Remove it: client.delete_payload_index({name!r}, {key!r}); or have it "
                "replaced: --replace-index (replace_index=True)",
            )


_PAGE = 100


class Documents:
    """Documents of a few kilobytes by name, one point each, written completely or not at all.

    Each point has a vector of one number, because it must have one. Text is stored as such, so that
    a server's dashboard shows it; other content in base64.

    Args:
        client: The store.
        collection: The name of their collection, which need not exist yet.
    """

    def __init__(self, client: Client, collection: str) -> None:
        self._client = patient(client)
        self.collection = collection

    def exists(self) -> bool:
        """Whether the collection exists."""
        with client_errors(self._client):
            return self._client.collection_exists(self.collection)

    def create(self) -> bool:
        """Create the collection, if it does not exist.

        Returns:
            Whether this call created it. Of several that run at once, one does.

        Raises:
            CollectionError: There is a collection of that name for something else.
        """
        with client_errors(self._client):
            made = create_once(
                self._client,
                self.collection,
                vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT),
            )
            vectors = self._client.get_collection(self.collection).config.params.vectors
        if not isinstance(vectors, models.VectorParams) or vectors.size != 1:
            raise CollectionError(
                f"the collection {self.collection!r} holds vectors, not what an index remembers",
                hint="Use another name",
            )
        return made

    def read(self, name: str) -> bytes | None:
        """The content of a document; None if it does not exist.

        Raises:
            StoreError: It is damaged.
        """
        try:
            with client_errors(self._client):
                points = self._client.retrieve(self.collection, [_id(name)])
        except CollectionError:
            return None
        if not points:
            return None
        payload = points[0].payload or {}
        try:
            if "base64" in payload:
                return base64.b64decode(payload["base64"], validate=True)
            return str(payload["text"]).encode()
        except (KeyError, TypeError, binascii.Error) as error:
            raise StoreError(
                f"the document {name!r} in the collection {self.collection!r} is damaged"
            ) from error

    def write(self, name: str, content: bytes) -> None:
        """Store a document, replacing one of the same name."""
        payload: dict[str, Any] = {"name": name}
        try:
            payload["text"] = content.decode()
        except UnicodeDecodeError:
            payload["base64"] = base64.b64encode(content).decode()
        point = models.PointStruct(id=_id(name), vector=[1.0], payload=payload)
        with client_errors(self._client):
            self._client.upsert(self.collection, [point], wait=True)

    def delete(self, names: Collection[str]) -> None:
        """Delete documents; missing ones are ignored."""
        if not names or not self.exists():
            return
        ids: list[Any] = [_id(name) for name in names]
        with client_errors(self._client):
            self._client.delete(self.collection, models.PointIdsList(points=ids), wait=True)

    def names(self) -> Iterator[str]:
        """The names of all documents."""
        offset: Any = None
        while self.exists():
            with client_errors(self._client):
                points, offset = self._client.scroll(
                    self.collection, limit=_PAGE, offset=offset, with_payload=["name"]
                )
            yield from (str((point.payload or {}).get("name")) for point in points)
            if offset is None:
                return


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"hiersearch:document:{name}"))
