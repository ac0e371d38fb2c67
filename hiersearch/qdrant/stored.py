"""The points of a collection: writing and reading them, in batches that the server allows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiersearch.errors import CollectionError, StoreError, VectorError
from hiersearch.geometry import root_distance
from hiersearch.qdrant.clients.connection import client_errors
from hiersearch.qdrant.filters import HasValue, plain_filter
from hiersearch.qdrant.layout import CUSTOM
from hiersearch.qdrant.points import (
    ROOT_DISTANCE,
    Fields,
    Payloads,
    PointId,
    Record,
    checked_page,
    plain_id,
    selection,
    slices,
    unit_rows,
)
from hiersearch.qdrant.schema import CollectionSchema
from hiersearch.types import Floats

if TYPE_CHECKING:
    import qdrant_edge as edge
    from qdrant_client import models

    from hiersearch.qdrant.filters import Filter
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "BATCH",
    "DIGITS",
    "MIN_LENGTH",
    "READ",
    "UNIT",
    "ShardKey",
    "StoredPoints",
    "root_distances",
]

ShardKey: TypeAlias = int | str
"""By what a collection with shard keys of its own finds the shard of a point."""

DIGITS = 5
"""Decimals of a stored root distance: an angle is off by about as much. The fewer, the more points
share a value, which a server then sets at once; with four, radial paths begin to differ."""

BATCH = 256
"""Points per write: well below the size of request that servers accept."""

READ = 10_000
"""Ids per request to a server that returns no vectors and no payloads."""

SAMPLE = 64
"""Vectors whose lengths are looked at."""

UNIT = 2e-3
"""How far the length of a unit vector may be from 1, if stored in half precision."""


MIN_LENGTH = 1e-6
"""Vectors shorter than this are stored without a direction."""


_FAR = 0.95
"""Up to this similarity to the root, float32 rounding changes the distance by less than 1e-6."""


class StoredPoints:
    """Writes and reads the points of a collection.

    The methods are those of `HierarchicalCollection`, which documents them.

    Args:
        schema: The collection.
        shard_key: Write and read only what is stored under this key.
    """

    def __init__(self, schema: CollectionSchema, shard_key: ShardKey | None = None) -> None:
        self.schema = schema
        self.shard_key = shard_key
        self._client = schema.client
        self._name = schema.name

    def shards(self) -> list[StoredPoints]:
        """The points under each shard key; all together where the store distributes them.

        Points that have the same id under two keys are two points, and each is written by its key.
        """
        self.schema.limits()
        layout = self.schema.known.layout
        method = None if layout is None else layout.sharding
        if self.shard_key is not None or method != CUSTOM:
            return [self]
        with client_errors(self._client):
            keys = self._client.list_shard_keys(self._name).shard_keys or []
        return [StoredPoints(self.schema, one.key) for one in keys]

    def present(self, ids: Sequence[PointId]) -> set[PointId]:
        """Those of some ids that are there."""
        return {one.id for one in self.retrieve(ids, payload=[])}

    def in_shard(self, key: ShardKey | None = None) -> dict[str, Any]:
        """The argument by which a client chooses a shard, if there is a key."""
        key = self.shard_key if key is None else key
        return {} if key is None else {"shard_key_selector": key}

    # Writing

    def upsert(
        self,
        ids: Sequence[PointId],
        vectors: ArrayLike,
        payloads: Payloads,
        *,
        shard_key: ShardKey | None = None,
    ) -> None:
        """Store points with their root distances, replacing those with the same ids."""
        rows = self.schema.rows(vectors)
        if not len(ids) == len(rows) == len(payloads):
            raise VectorError(
                f"{len(ids)} ids, {len(rows)} vectors and {len(payloads)} payloads do not match"
            )
        distances = root_distances(rows, self.schema.root)
        for part in slices(len(ids), self.schema.hierarchical_limits().written(BATCH)):
            points = [
                self._point(number, row, {**payload, ROOT_DISTANCE: float(distance)})
                for number, row, payload, distance in zip(
                    ids[part], rows[part].tolist(), payloads[part], distances[part], strict=True
                )
            ]
            with client_errors(self._client):
                self._client.upsert(self._name, points, **self.in_shard(shard_key))
        self._count_again()

    def put(self, records: Sequence[Record]) -> None:
        """Store points as they were read, replacing those with the same ids."""
        for part in slices(len(records), self.schema.hierarchical_limits().written(BATCH)):
            points = []
            for record in records[part]:
                if record.vector is None:
                    raise VectorError(f"the point {record.id} has no vector")
                points.append(self._point(record.id, record.vector.tolist(), record.payload))
            with client_errors(self._client):
                self._client.upsert(self._name, points)
        self._count_again()

    def changes(
        self, wanted: Mapping[PointId, Mapping[str, Any]]
    ) -> list[models.SetPayloadOperation]:
        """One change, or a few, for all points that are given the same."""
        groups: dict[str, tuple[dict[str, Any], list[PointId]]] = {}
        for number, payload in wanted.items():
            groups.setdefault(repr(payload), (dict(payload), []))[1].append(number)
        return [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(
                    payload=payload, points=[*numbers[part]], shard_key=self.shard_key
                )
            )
            for payload, numbers in groups.values()
            for part in slices(len(numbers), self.schema.limits().written(BATCH))
        ]

    def set_payloads(self, wanted: Mapping[PointId, Mapping[str, Any]]) -> set[PointId]:
        """Set payload fields by way of an embedded engine; returns the points that are gone."""
        assert self.schema.embedded is not None
        gone: set[PointId] = set()
        ids = list(wanted)
        for part in slices(len(ids), BATCH):
            try:
                self.schema.embedded.set_payloads(
                    self._name, ids[part], [wanted[number] for number in ids[part]]
                )
            except StoreError:
                there = self.present(ids[part])
                if len(there) == len(ids[part]):
                    raise
                gone.update(number for number in ids[part] if number not in there)
                left = [number for number in ids[part] if number in there]
                self.schema.embedded.set_payloads(self._name, left, [wanted[n] for n in left])
        return gone

    def remove_everywhere(self, fields: Sequence[str], matching: Filter) -> None:
        """Have payload fields of all points that match removed, without waiting for it."""
        for shard in self.shards():
            with client_errors(self._client):
                self._client.delete_payload(
                    self._name,
                    list(fields),
                    models.FilterSelector(filter=matching),
                    wait=False,
                    **shard.in_shard(),
                )

    def remove_fields(self, ids: Sequence[PointId], fields: Sequence[str]) -> None:
        """Remove payload fields of points."""
        with client_errors(self._client):
            self._client.delete_payload(self._name, list(fields), list(ids), **self.in_shard())

    def delete(self, ids: Sequence[PointId], *, shard_key: ShardKey | None = None) -> None:
        """Delete points; missing ones are ignored."""
        for part in slices(len(ids), BATCH):
            with client_errors(self._client):
                points = models.PointIdsList(points=list(ids[part]))
                self._client.delete(self._name, points, **self.in_shard(shard_key))
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
        embedded, selected = self.schema.embedded, self._selected(payload, with_vectors)
        found: dict[PointId, Record] = {}
        for part in slices(len(ids), self.schema.limits().page(BATCH)):
            points: Sequence[models.Record | edge.Record]
            with client_errors(self._client):
                if embedded is not None:
                    points = embedded.plain.retrieve(self._name, list(ids[part]), **selected)
                else:
                    points = self._client.retrieve(
                        self._name, list(ids[part]), **selected, **self.in_shard()
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
        selected = self._selected(payload, with_vectors)
        for points in self._pages(matching, checked_page(page), None, **selected):
            yield from (Record.of(point, self.schema.vector_name) for point in points)

    def scroll_ids(
        self,
        matching: Filter | None = None,
        *,
        page: int = 1000,
        start: PointId | None = None,
    ) -> Iterator[list[PointId]]:
        """The ids of all points that match, in order, in lists of at most a page each.

        Args:
            matching: Which points; None: all.
            page: Number of ids to read at a time.
            start: The id to begin at.
        """
        embedded, page = self.schema.embedded, checked_page(page)
        if embedded is None:
            for points in self._pages(matching, page, start, with_payload=False):
                if points:
                    yield [plain_id(point.id) for point in points]
            return
        offset = start
        while True:
            ids, offset = embedded.scroll_ids(self._name, matching, page, offset)
            if ids:
                yield ids
            if offset is None:
                return

    def _pages(
        self, matching: Filter | None, page: int, start: PointId | None, **selected: Any
    ) -> Iterator[Sequence[models.Record | edge.Record]]:
        """Page by page, points as the store gives them."""
        page = self.schema.limits().page(page)
        embedded = self.schema.embedded
        offset: Any = start
        while True:
            points: Sequence[models.Record | edge.Record]
            with client_errors(self._client):
                if embedded is not None:
                    points, offset = embedded.plain.scroll(
                        self._name, matching, page, offset, **selected
                    )
                else:
                    points, offset = self._client.scroll(
                        self._name,
                        scroll_filter=matching,
                        limit=page,
                        offset=offset,
                        **selected,
                        **self.in_shard(),
                    )
            yield points
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
        for part in slices(len(ids), limits.chosen(len(ids))):
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
                answer = self._client.query_points(
                    self._name, **query, with_payload=False, **self.in_shard()
                )
            found.update((plain_id(point.id), point.score) for point in answer.points)
        return found

    def distances_by_score(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Root distances from similarities; the vectors of points left out must be read."""
        scores = self.similarities_to_root(ids)
        # A vector of length zero scores 0; one with numbers that are not finite, anything.
        return {
            number: round(math.sqrt(2.0 - 2.0 * score), DIGITS)
            for number, score in scores.items()
            if -1.0 <= score <= _FAR and score != 0.0
        }

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

    def count(self, matching: Filter | HasValue | None = None, *, exact: bool = True) -> int:
        """How many points match, exactly or about."""
        embedded = self.schema.embedded
        if embedded is not None:
            with client_errors(self._client):
                return embedded.plain.count(self._name, matching, exact=exact)
        matching = plain_filter(matching)
        if exact and not self.schema.limits().exact:
            # Strict mode allows no exact counts: count the ids instead.
            return sum(map(len, self.scroll_ids(matching, page=READ)))
        with client_errors(self._client):
            return self._client.count(
                self._name, count_filter=matching, exact=exact, **self.in_shard()
            ).count

    def _point(self, number: PointId, row: Any, payload: dict[str, Any]) -> models.PointStruct:
        name = self.schema.vector_name
        return models.PointStruct(id=number, vector={name: row} if name else row, payload=payload)

    def _selected(self, payload: Fields, with_vectors: bool) -> dict[str, Any]:
        name = self.schema.vector_name
        vectors = [name] if with_vectors and name else with_vectors
        return {"with_payload": selection(payload), "with_vectors": vectors}

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


def refuse_other_lengths(records: Sequence[Record], lengths: Floats) -> None:
    # Negated so that NaN is refused too.
    other = ~(np.abs(lengths - 1.0) <= UNIT)
    if other.any():
        row = int(other.argmax())
        raise VectorError(
            f"the vector of the point {records[row].id} has the length {lengths[row]:.4g}, not 1",
            hint="Normalise the vectors, or use a collection that compares by cosine",
        )
