"""What a collection holds: its schema, and its points written and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qdrant_client import models

from hiersearch.errors import CollectionError, VectorError
from hiersearch.geometry import root_distance
from hiersearch.qdrant.connect import Client, client_errors
from hiersearch.qdrant.edge import EdgeClient
from hiersearch.qdrant.points import ROOT_DISTANCE, PointId, Record
from hiersearch.qdrant.rows import unit_rows

__all__ = ["StoredPoints", "selection"]

Floats = NDArray[np.float32]

DIGITS = 12
"""Decimals of a stored root distance. Numbers of up to 15 digits survive any JSON parser; the last
bit of longer ones changes on their way into the embedded engine and back."""

BATCH = 256
"""Points per write: well below the size of request that servers accept."""


class StoredPoints:
    """The part of a `HierarchicalCollection` that does not search.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector of the most general thing, from the model of the vectors.
        vector_name: Which of a point's vectors is meant; "" is the unnamed one.

    Raises:
        VectorError: The root is not a unit vector.
    """

    def __init__(
        self, client: Client, name: str, *, root: ArrayLike, vector_name: str = "hiersearch"
    ) -> None:
        self.client = client
        self.name = name
        self.vector_name = vector_name
        self.root = unit_rows(np.asarray(root)[None], "the root")[0]
        if abs(float(np.linalg.norm(np.asarray(root, dtype=np.float64))) - 1.0) > 1e-3:
            raise VectorError("the root is not a unit vector", hint="Divide it by its length")
        self._small: bool | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client!r}, {self.name!r})"

    # The collection

    def exists(self) -> bool:
        """Whether the store has a collection of that name."""
        with client_errors(self.client):
            return self.client.collection_exists(self.name)

    def create(self, *, payload_indexes: Mapping[str, str] | None = None) -> None:
        """Create the collection and its payload indexes; what is there already stays.

        The index on `root_distance` comes before any data: the search graph is built along it.

        Args:
            payload_indexes: Kind of index ("keyword", "float", "integer", "datetime", ...) by
                payload field, in addition to those on `root_distance` and `concepts`.

        Raises:
            CollectionError: There is a collection of that name with other vectors.
        """
        with client_errors(self.client):
            if not self.client.collection_exists(self.name):
                params = models.VectorParams(size=len(self.root), distance=models.Distance.COSINE)
                self.client.create_collection(
                    self.name,
                    vectors_config={self.vector_name: params} if self.vector_name else params,
                )
            there = self.client.get_collection(self.name)
            self._check_vectors(there.config.params.vectors)
            wanted: dict[str, Any] = {
                ROOT_DISTANCE: models.FloatIndexParams(
                    type=models.FloatIndexType.FLOAT, is_principal=True
                ),
                "concepts": models.PayloadSchemaType.KEYWORD,
                **{
                    field: models.PayloadSchemaType(kind)
                    for field, kind in (payload_indexes or {}).items()
                },
            }
            for field, schema in wanted.items():
                if field not in there.payload_schema:
                    self.client.create_payload_index(self.name, field, schema)

    def drop(self) -> None:
        """Delete the collection, if there is one."""
        with client_errors(self.client):
            self.client.delete_collection(self.name)
        self._small = None

    def optimize(self) -> bool:
        """Let the embedded engine tidy up; a server does so by itself.

        Worth calling once after many changes. Up to `EXACT_UP_TO` points it only reclaims the room
        of deleted points; above, it builds the search graph, which takes minutes.

        Returns:
            Whether there was anything to do.
        """
        if not isinstance(self.client, EdgeClient):
            return False
        return self.client.optimize(self.name)

    # Writing

    def upsert(
        self,
        ids: Sequence[PointId],
        vectors: ArrayLike,
        payloads: Sequence[Mapping[str, Any]],
    ) -> None:
        """Store points, in the place of those with the same ids.

        Args:
            ids: (n), unsigned integers or UUIDs.
            vectors: (n, dim), of any length but zero: they are normalised.
            payloads: (n); `root_distance` is added to each.

        Raises:
            VectorError: A vector has the wrong shape, a number that is not finite, or no length.
            StoreError: The store does not take a payload or an id, or is full.
        """
        rows = self._rows(vectors)
        if not len(ids) == len(rows) == len(payloads):
            raise VectorError(
                f"{len(ids)} ids, {len(rows)} vectors and {len(payloads)} payloads do not match"
            )
        exact = root_distance(rows.astype(np.float64), self.root.astype(np.float64))
        distances: NDArray[np.float64] = np.round(np.asarray(exact), DIGITS)
        for part in _slices(len(ids), BATCH):
            points = [
                models.PointStruct(
                    id=number,
                    vector={self.vector_name: row} if self.vector_name else row,
                    payload={**payload, ROOT_DISTANCE: float(distance)},
                )
                for number, row, payload, distance in zip(
                    ids[part], rows[part].tolist(), payloads[part], distances[part], strict=True
                )
            ]
            with client_errors(self.client):
                self.client.upsert(self.name, points)
        self._small = None

    def set_payload(self, ids: Sequence[PointId], payloads: Sequence[Mapping[str, Any]]) -> None:
        """Set payload fields, each point its own; the other fields stay.

        Args:
            ids: (n), of points that are there.
            payloads: (n), the fields to set.

        Raises:
            StoreError: A point is not there.
        """
        if len(ids) != len(payloads):
            raise VectorError(f"{len(ids)} ids and {len(payloads)} payloads do not match")
        for part in _slices(len(ids), BATCH):
            operations: list[models.UpdateOperation] = [
                models.SetPayloadOperation(
                    set_payload=models.SetPayload(payload=dict(payload), points=[number])
                )
                for number, payload in zip(ids[part], payloads[part], strict=True)
            ]
            with client_errors(self.client):
                self.client.batch_update_points(self.name, operations)

    def delete(self, ids: Sequence[PointId]) -> None:
        """Delete points; those that are not there are passed over."""
        for part in _slices(len(ids), BATCH):
            with client_errors(self.client):
                self.client.delete(self.name, models.PointIdsList(points=list(ids[part])))
        self._small = None

    # Reading

    def retrieve(
        self,
        ids: Sequence[PointId],
        *,
        payload: bool | Sequence[str] = True,
        with_vectors: bool = False,
    ) -> list[Record]:
        """The points with the ids, in that order; those that are not there are left out."""
        found: dict[PointId, Record] = {}
        for part in _slices(len(ids), BATCH):
            with client_errors(self.client):
                points = self.client.retrieve(
                    self.name,
                    list(ids[part]),
                    with_payload=selection(payload),
                    with_vectors=self._vectors(with_vectors),
                )
            for point in points:
                one = Record.of(point, self.vector_name)
                found[one.id] = one
        return [found[number] for number in dict.fromkeys(ids) if number in found]

    def scroll(
        self,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        *,
        payload: bool | Sequence[str] = True,
        with_vectors: bool = False,
        page: int = 1000,
    ) -> Iterator[Record]:
        """All points that match, by id, fetched page by page."""
        offset: Any = None
        while True:
            with client_errors(self.client):
                points, offset = self.client.scroll(
                    self.name,
                    scroll_filter=filter,
                    limit=page,
                    offset=offset,
                    with_payload=selection(payload),
                    with_vectors=self._vectors(with_vectors),
                )
            yield from (Record.of(point, self.vector_name) for point in points)
            if offset is None:
                return

    def count(self, filter: models.Filter | None = None) -> int:  # noqa: A002 - Qdrant's word
        """How many points match, exactly."""
        with client_errors(self.client):
            return self.client.count(self.name, count_filter=filter, exact=True).count

    def count_without_distance(self) -> int:
        """How many points have no `root_distance`; no hierarchical query finds those."""
        missing = models.IsEmptyCondition(is_empty=models.PayloadField(key=ROOT_DISTANCE))
        return self.count(models.Filter(must=[missing]))

    def facets(
        self,
        key: str = "concepts",
        *,
        limit: int = 20_000,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
    ) -> dict[str, int]:
        """How many points hold each value of a payload field.

        Args:
            key: A payload field with a keyword index.
            limit: Greatest number of values, the most frequent first.
            filter: Which points to count.
        """
        with client_errors(self.client):
            answer = self.client.facet(
                self.name, key, facet_filter=filter, limit=max(limit, 1), exact=True
            )
        hits = sorted(answer.hits, key=lambda hit: (-hit.count, str(hit.value)))
        return {str(hit.value): hit.count for hit in hits}

    @property
    def _using(self) -> str | None:
        return self.vector_name or None

    def _vectors(self, wanted: bool) -> bool | list[str]:
        return [self.vector_name] if wanted and self.vector_name else wanted

    def _row(self, vector: ArrayLike) -> Floats:
        row: Floats = self._rows(np.asarray(vector)[None])[0]
        return row

    def _rows(self, vectors: ArrayLike) -> Floats:
        rows = unit_rows(vectors, "a vector")
        if rows.shape[1] != len(self.root):
            raise VectorError(
                f"the vectors have {rows.shape[1]} numbers, the root {len(self.root)}",
                hint="Use the model that made the index",
            )
        return rows

    def _check_vectors(self, params: models.VectorsConfig | None) -> None:
        named = params if isinstance(params, dict) else {"": params}
        found = named.get(self.vector_name)
        if found is None:
            raise CollectionError(
                f"the collection {self.name!r} has no vector called {self.vector_name!r}",
                hint=f"It has: {', '.join(sorted(named))}",
            )
        if found.size != len(self.root) or found.distance != models.Distance.COSINE:
            raise CollectionError(
                f"the collection {self.name!r} holds {found.distance.value} vectors of "
                f"{found.size} numbers, not Cosine vectors of {len(self.root)}",
                hint="Use the model that made it, or another name",
            )


def selection(payload: bool | Sequence[str]) -> bool | list[str]:
    """What to fetch, `root_distance` always among it."""
    if payload is True:
        return True
    return [*(payload or ()), ROOT_DISTANCE]


def _slices(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
