"""What `attach` added to a collection, as recorded in the collection's own metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant.connection import Client, client_errors
from hiersearch.types import Floats

__all__ = [
    "Attachment",
    "attachment_in",
    "only_vector",
    "read_attachment",
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


def read_attachment(client: Client, name: str) -> Attachment | None:
    """Ask a store what was added to a collection; None if nothing was.

    Raises:
        CollectionError: There is no such collection, or its record cannot be read.
    """
    with client_errors(client):
        info = client.get_collection(name)
    return attachment_in(info.config.metadata, name)


def attachment_in(metadata: Mapping[str, Any] | None, name: str) -> Attachment | None:
    """What was added to a collection, according to its metadata; None if nothing was.

    Raises:
        CollectionError: The record cannot be read.
    """
    data = (metadata or {}).get(_KEY)
    return None if data is None else Attachment.from_json(data, name)


def write_attachment(client: Client, name: str, attachment: Attachment) -> None:
    """Record in a collection's metadata what is added to it.

    Raises:
        StoreError: The server keeps no metadata.
    """
    with client_errors(client):
        client.update_collection(name, metadata={_KEY: attachment.to_json()})
    if read_attachment(client, name) != attachment:
        raise StoreError(
            f"the server does not remember what is added to the collection {name!r}",
            hint="Update it to Qdrant 1.16 or later, which keeps metadata of collections",
        )


def remove_attachment(client: Client, name: str) -> None:
    """Remove the record from a collection's metadata."""
    with client_errors(client):
        client.update_collection(name, metadata={_KEY: None})


def only_vector(client: Client, name: str) -> str:
    """The vector to use where none is named: the one that was attached, or the only one.

    Returns:
        The name of the vector; "" is the unnamed one.

    Raises:
        CollectionError: There is no such collection, or its points have several vectors.
    """
    with client_errors(client):
        config = client.get_collection(name).config
    known = attachment_in(config.metadata, name)
    if known is not None:
        return known.vector
    params = config.params.vectors
    named = list(params) if isinstance(params, dict) else [""]
    if len(named) == 1:
        return named[0]
    raise CollectionError(
        f"the points of the collection {name!r} have several vectors",
        hint=f"Name one of them: {', '.join(repr(one) for one in sorted(named))}",
    )
