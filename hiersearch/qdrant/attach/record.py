"""What `attach` did to a collection, as the collection's own metadata remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant.connection import Client, client_errors
from hiersearch.types import Floats

__all__ = [
    "Attachment",
    "attachment_in",
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
        root: (dim,), which the distances are measured from.
        vector: The name of the vector that they belong to; "" is the unnamed one.
        model: The name of the model that the root came from; "" where it was not said.
        verified: Whether the root was checked against points that the model could encode.
        fields: The payload fields that were added, so that detaching removes them.
        indexes: The payload indexes that were made, likewise.
        vocabulary: What the labels come from; "" where there are none.
        recomputing: Whether distances are being replaced: until that is done, no one may tell old
            ones from new ones.
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
        """Whether the distances are measured from that root."""
        return self.root.shape == root.shape and bool(
            np.linalg.norm(self.root.astype(np.float64) - root) < _SAME_ROOT
        )

    def check_vector(self, name: str, vector: str) -> None:
        """Makes sure that the distances are of that vector.

        Raises:
            CollectionError: They are of another; names the collection.
        """
        if self.vector != vector:
            raise CollectionError(
                f"the collection {name!r} was attached by its vector {self.vector!r}, not "
                f"{vector!r}",
                hint="Name that vector, or detach the collection first",
            )

    def check_root(self, name: str, root: Floats) -> None:
        """Makes sure that all distances are measured from that root.

        Raises:
            CollectionError: Some are not; names the collection.
        """
        if self.recomputing:
            raise CollectionError(
                f"replacing the root distances of the collection {name!r} was cut off",
                hint="Finish it: repair it with recompute, or 'hiersearch attach --recompute'",
            )
        if not self.has_root(root):
            raise CollectionError(
                f"the collection {name!r} was attached with another root"
                + (f", that of {self.model}" if self.model else ""),
                hint="Use that root; or detach the collection, or replace its root distances with "
                "recompute",
            )

    def to_json(self) -> dict[str, Any]:
        """As it stands in the metadata."""
        return {
            "version": _VERSION,
            "root": self.root.tolist(),
            "vector": self.vector,
            "model": self.model,
            "verified": self.verified,
            "fields": list(self.fields),
            "indexes": list(self.indexes),
            "vocabulary": self.vocabulary,
            "recomputing": self.recomputing,
        }

    @classmethod
    def from_json(cls, data: Any, name: str) -> Self:
        """From the metadata of a collection.

        Raises:
            CollectionError: It cannot be read.
        """
        try:
            if data["version"] > _VERSION:
                raise CollectionError(
                    f"the collection {name!r} was attached by a later version of hiersearch",
                    hint="Update hiersearch",
                )
            return cls(
                root=np.asarray(data["root"], dtype=np.float32),
                vector=str(data["vector"]),
                model=str(data["model"]),
                verified=bool(data["verified"]),
                fields=tuple(map(str, data["fields"])),
                indexes=tuple(map(str, data["indexes"])),
                vocabulary=str(data["vocabulary"]),
                recomputing=bool(data["recomputing"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CollectionError(
                f"what the metadata of the collection {name!r} says of {_KEY} cannot be read "
                f"({error!r})",
                hint=f"Remove {_KEY!r} from its metadata, then attach it again",
            ) from error


def read_attachment(
    client: Client, name: str, info: models.CollectionInfo | None = None
) -> Attachment | None:
    """What was added to a collection; None where nothing was.

    Args:
        client: The store.
        name: The name of the collection.
        info: What the store says of it, where that has been asked.

    Raises:
        CollectionError: There is no such collection, or what it says cannot be read.
    """
    if info is None:
        with client_errors(client):
            info = client.get_collection(name)
    return attachment_in(info.config.metadata, name)


def attachment_in(metadata: Mapping[str, Any] | None, name: str) -> Attachment | None:
    """What was added to a collection, by its metadata; None where nothing was.

    Raises:
        CollectionError: What it says cannot be read.
    """
    data = (metadata or {}).get(_KEY)
    return None if data is None else Attachment.from_json(data, name)


def write_attachment(client: Client, name: str, attachment: Attachment) -> None:
    """Makes a collection remember what is added to it.

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
    """Makes a collection forget."""
    with client_errors(client):
        client.update_collection(name, metadata={_KEY: None})
