"""Small named documents in a collection: what an index on a server has instead of files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant.connection import Client, client_errors

__all__ = ["Documents"]

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
        self._client = client
        self.collection = collection

    def exists(self) -> bool:
        """Whether the collection exists."""
        with client_errors(self._client):
            return self._client.collection_exists(self.collection)

    def create(self) -> None:
        """Create the collection, if it does not exist.

        Raises:
            CollectionError: There is a collection of that name for something else.
        """
        with client_errors(self._client):
            if not self._client.collection_exists(self.collection):
                self._client.create_collection(
                    self.collection,
                    vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT),
                )
            vectors = self._client.get_collection(self.collection).config.params.vectors
        if not isinstance(vectors, models.VectorParams) or vectors.size != 1:
            raise CollectionError(
                f"the collection {self.collection!r} holds vectors, not what an index remembers",
                hint="Use another name",
            )

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
