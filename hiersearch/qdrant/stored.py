"""The points of a collection: writing and reading them, in batches that the server allows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qdrant_client import models

from hiersearch.errors import CollectionError, VectorError
from hiersearch.geometry import root_distance
from hiersearch.qdrant.connection import client_errors
from hiersearch.qdrant.filters import Filter
from hiersearch.qdrant.points import (
    ROOT_DISTANCE,
    Fields,
    Payloads,
    PointId,
    Record,
    checked_page,
    pages,
    plain_id,
    unit_rows,
)
from hiersearch.qdrant.schema import CollectionSchema
from hiersearch.types import Floats

__all__ = ["BATCH", "DIGITS", "UNIT", "StoredPoints", "root_distances", "selection"]

DIGITS = 5
"""Decimals of a stored root distance: an angle is off by about as much. The fewer, the more points
share a value, which a server then sets at once; with four, radial paths begin to differ."""

BATCH = 256
"""Points per write: well below the size of request that servers accept."""

SENT = 1000
"""Changes per request that is not waited for."""

AHEAD = 16
"""Requests to send before waiting for the last: bounds what a server has to queue."""

SAMPLE = 64
"""Vectors whose lengths are looked at."""

UNIT = 2e-3
"""How far the length of a unit vector may be from 1, if stored in half precision."""


class StoredPoints:
    """Writes and reads the points of a collection.

    The methods are those of `HierarchicalCollection`, which documents them.

    Args:
        schema: The collection.
    """

    def __init__(self, schema: CollectionSchema) -> None:
        self.schema = schema
        self._client = schema.client
        self._name = schema.name

    # Writing

    def upsert(
        self,
        ids: Sequence[PointId],
        vectors: ArrayLike,
        payloads: Payloads,
        *,
        shard_key: str | None = None,
    ) -> None:
        """Store points with their root distances, replacing those with the same ids."""
        rows = self.schema.rows(vectors)
        if not len(ids) == len(rows) == len(payloads):
            raise VectorError(
                f"{len(ids)} ids, {len(rows)} vectors and {len(payloads)} payloads do not match"
            )
        distances = root_distances(rows, self.schema.root)
        for part in _slices(len(ids), self.schema.hierarchical_limits().written(BATCH)):
            points = [
                self._point(number, row, {**payload, ROOT_DISTANCE: float(distance)})
                for number, row, payload, distance in zip(
                    ids[part], rows[part].tolist(), payloads[part], distances[part], strict=True
                )
            ]
            with client_errors(self._client):
                self._client.upsert(self._name, points, **_in_shard(shard_key))
        self._count_again()

    def put(self, records: Sequence[Record]) -> None:
        """Store points as they were read, replacing those with the same ids."""
        for part in _slices(len(records), self.schema.hierarchical_limits().written(BATCH)):
            points = []
            for record in records[part]:
                if record.vector is None:
                    raise VectorError(f"the point {record.id} has no vector")
                points.append(self._point(record.id, record.vector.tolist(), record.payload))
            with client_errors(self._client):
                self._client.upsert(self._name, points)
        self._count_again()

    def set_payload(
        self,
        ids: Sequence[PointId],
        payloads: Payloads,
        *,
        shard_key: str | None = None,
    ) -> None:
        """Set payload fields, to different values for each point; the other fields stay."""
        if len(ids) != len(payloads):
            raise VectorError(f"{len(ids)} ids and {len(payloads)} payloads do not match")
        embedded = self.schema.embedded
        for part in _slices(len(ids), self.schema.limits().written(BATCH)):
            if embedded is not None and shard_key is None:
                embedded.set_payloads(self._name, ids[part], payloads[part])
                continue
            operations = [
                self._setting(payload, group, shard_key)
                for payload, group in _alike(ids[part], payloads[part])
            ]
            with client_errors(self._client):
                self._client.batch_update_points(self._name, operations)

    def send_payload(
        self, ids: Sequence[PointId], payloads: Payloads, *, on_sent: Callable[[int], None]
    ) -> None:
        """Set payload fields without waiting for each change; points that are gone are ignored.

        A change may still fail, silently: look again afterwards for points that lack their fields.

        Args:
            ids: (n).
            payloads: (n), the fields to set.
            on_sent: Called with how many points were sent.
        """
        size = self.schema.limits().written(SENT)
        groups = [
            (payload, group[part])
            for payload, group in _alike(ids, payloads)
            for part in _slices(len(group), size)
        ]
        sent = 0
        requests = list(_slices(len(groups), size))
        for number, request in enumerate(requests, start=1):
            operations = [self._setting(payload, group) for payload, group in groups[request]]
            # Where this is waited for after all, a point that was deleted since is an error: the
            # others of the request are found by looking again, like any change that failed.
            with suppress(CollectionError), client_errors(self._client):
                self._client.batch_update_points(self._name, operations, wait=False)
            if number % AHEAD == 0 or number == len(requests):
                # Once more, by a filter: that is no error where points are gone, and changes are
                # made in order.
                payload, group = groups[request.stop - 1 if number < len(requests) else -1]
                chosen = models.Filter(must=[models.HasIdCondition(has_id=list(group))])
                with client_errors(self._client):
                    self._client.set_payload(self._name, payload, chosen, wait=True)
            sent += sum(len(group) for _, group in groups[request])
            on_sent(sent)

    def _setting(
        self, payload: dict[str, Any], ids: Sequence[PointId], shard_key: str | None = None
    ) -> models.SetPayloadOperation:
        return models.SetPayloadOperation(
            set_payload=models.SetPayload(payload=payload, points=list(ids), shard_key=shard_key)
        )

    def remove_everywhere(self, fields: Sequence[str], matching: Filter) -> None:
        """Remove payload fields of all points that match."""
        with client_errors(self._client):
            self._client.delete_payload(
                self._name, list(fields), models.FilterSelector(filter=matching)
            )

    def remove_fields(self, ids: Sequence[PointId], fields: Sequence[str]) -> None:
        """Remove payload fields of points."""
        with client_errors(self._client):
            self._client.delete_payload(self._name, list(fields), list(ids))

    def delete(self, ids: Sequence[PointId], *, shard_key: str | None = None) -> None:
        """Delete points; missing ones are ignored."""
        for part in _slices(len(ids), BATCH):
            with client_errors(self._client):
                points = models.PointIdsList(points=list(ids[part]))
                self._client.delete(self._name, points, **_in_shard(shard_key))
        self._count_again()

    # Reading

    def retrieve(
        self,
        ids: Sequence[PointId],
        *,
        payload: Fields = True,
        with_vectors: bool = False,
    ) -> list[Record]:
        """The points with some ids, in that order; missing ones are left out."""
        found: dict[PointId, Record] = {}
        for part in _slices(len(ids), self.schema.limits().page(BATCH)):
            with client_errors(self._client):
                points = self._client.retrieve(
                    self._name,
                    list(ids[part]),
                    with_payload=selection(payload),
                    with_vectors=self._vectors(with_vectors),
                )
            for point in points:
                one = Record.of(point, self.schema.vector_name)
                found[one.id] = one
        return [found[number] for number in dict.fromkeys(ids) if number in found]

    def scroll(
        self,
        matching: Filter | None = None,
        *,
        payload: Fields = True,
        with_vectors: bool = False,
        page: int = 1000,
    ) -> Iterator[Record]:
        """All points that match, by id, fetched page by page."""
        page = self.schema.limits().page(checked_page(page))
        offset: Any = None
        while True:
            with client_errors(self._client):
                points, offset = self._client.scroll(
                    self._name,
                    scroll_filter=matching,
                    limit=page,
                    offset=offset,
                    with_payload=selection(payload),
                    with_vectors=self._vectors(with_vectors),
                )
            yield from (Record.of(point, self.schema.vector_name) for point in points)
            if offset is None:
                return

    def scroll_ids(
        self, matching: Filter | None = None, *, page: int = 1000
    ) -> Iterator[list[PointId]]:
        """The ids of all points that match, in order, in lists of at most a page each."""
        checked_page(page)
        embedded = self.schema.embedded
        if embedded is None:
            records = self.scroll(matching, payload=[], page=page)
            yield from ([one.id for one in part] for part in pages(records, page))
            return
        offset: PointId | None = None
        while True:
            ids, offset = embedded.scroll_ids(self._name, matching, page, offset)
            if ids:
                yield ids
            if offset is None:
                return

    def similarities_to_root(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Cosine similarity of points to the root, computed by the store."""
        limits = self.schema.limits()
        if not limits.exact or not ids:
            return {}
        params = models.SearchParams(
            exact=True, quantization=models.QuantizationSearchParams(ignore=True)
        )
        embedded = self.schema.embedded
        found: dict[PointId, float] = {}
        for part in _slices(len(ids), limits.chosen(len(ids))):
            chosen = models.HasIdCondition(has_id=list(ids[part]))
            query: dict[str, Any] = {
                "query": self.schema.root.tolist(),
                "using": self.schema.using,
                "query_filter": models.Filter(must=[chosen]),
                "search_params": params,
                "limit": len(chosen.has_id),
            }
            if embedded is not None:
                found.update(embedded.scores(self._name, **query))
                continue
            with client_errors(self._client):
                answer = self._client.query_points(self._name, **query, with_payload=False)
            found.update((plain_id(point.id), point.score) for point in answer.points)
        return found

    def root_distances(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Root distances of points, from their vectors rather than their payload.

        Returns:
            By id; points without such a vector, or whose vector has no length, are left out.
        """
        found = self.similarities_to_root(ids)
        unsure = (
            [number for number in ids if found.get(number) == 0.0]
            if self.schema.limits().exact
            else ids
        )
        for record in self.retrieve(unsure, payload=[], with_vectors=True):
            if record.vector is not None and np.linalg.norm(record.vector) > 0:
                row = unit_rows(record.vector[None], "a vector")[0]
                found[record.id] = float(row.astype(np.float64) @ self.schema.root)
            else:
                found.pop(record.id, None)
        return {
            # As many digits as are stored, so that a point has one distance wherever it is found.
            number: round(math.sqrt(max(2.0 - 2.0 * score, 0.0)), DIGITS)
            for number, score in found.items()
        }

    def check_lengths(self) -> None:
        """Check that similarities are cosines, in a collection compared by dot product.

        Looks at a sample of vectors, once.

        Raises:
            CollectionError: A vector has another length than 1.
        """
        known = self.schema.known
        if known.unit or not self.schema.by_dot_product():
            return
        records = itertools.islice(self.scroll(payload=[], with_vectors=True, page=SAMPLE), SAMPLE)
        for record in records:
            length = 1.0 if record.vector is None else float(np.linalg.norm(record.vector))
            if length and not abs(length - 1.0) <= UNIT:
                raise CollectionError(
                    f"the vector of the point {record.id} of the collection {self._name!r} has "
                    f"the length {length:.4g}, not 1, so dot products are no angles",
                    hint="Normalise the vectors, or use a collection that compares by cosine",
                )
        known.unit = True

    def count(self, matching: Filter | None = None) -> int:
        """How many points match, exactly."""
        if not self.schema.limits().exact:
            # Strict mode allows no exact counts: count the ids instead.
            return sum(1 for _ in self.scroll(matching, payload=False, page=10_000))
        with client_errors(self._client):
            return self._client.count(self._name, count_filter=matching, exact=True).count

    def _point(self, number: PointId, row: Any, payload: dict[str, Any]) -> models.PointStruct:
        name = self.schema.vector_name
        return models.PointStruct(id=number, vector={name: row} if name else row, payload=payload)

    def _vectors(self, wanted: bool) -> bool | list[str]:
        name = self.schema.vector_name
        return [name] if wanted and name else wanted

    def _count_again(self) -> None:
        self.schema.known.count = None


def root_distances(rows: Floats, root: Floats) -> NDArray[np.float64]:
    """Root distances as they are stored.

    Args:
        rows: (n, dim), unit rows.
        root: (dim,), a unit vector.

    Returns:
        (n,), in [0, 2], rounded to `DIGITS` decimals.
    """
    exact = root_distance(rows.astype(np.float64), root.astype(np.float64))
    distances: NDArray[np.float64] = np.round(np.asarray(exact), DIGITS)
    return distances


def selection(payload: Fields) -> bool | list[str]:
    """Which payload fields to fetch: those requested, and always `root_distance`."""
    if payload is True:
        return True
    return [*(payload or ()), ROOT_DISTANCE]


def _alike(
    ids: Sequence[PointId], payloads: Payloads
) -> list[tuple[dict[str, Any], list[PointId]]]:
    """Each different payload once, with the ids of the points that are given it."""
    groups: dict[str, tuple[dict[str, Any], list[PointId]]] = {}
    for number, payload in zip(ids, payloads, strict=True):
        key = repr(sorted(payload.items()))
        groups.setdefault(key, (dict(payload), []))[1].append(number)
    return list(groups.values())


def _in_shard(key: str | None) -> dict[str, Any]:
    return {} if key is None else {"shard_key_selector": key}


def _slices(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
