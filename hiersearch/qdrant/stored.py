"""Whether an answer of nothing, or none at all, means what it seems to.

What a collection holds: its points, written and read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, VectorError
from hiersearch.geometry import root_distance
from hiersearch.qdrant.connection import client_errors
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.points import (
    ROOT_DISTANCE,
    PointId,
    Record,
    checked_page,
    pages,
    plain_id,
    unit_rows,
)
from hiersearch.qdrant.schema import CollectionSchema, filterable
from hiersearch.types import Floats

__all__ = [
    "LABEL",
    "EmptyAnswers",
    "StoredPoints",
    "root_distances",
    "selection",
]

Answer = TypeVar("Answer")

LABEL = "concepts"
"""The payload field that a vocabulary gives to points, with the concepts that they lie under."""


class EmptyAnswers(CollectionSchema):
    """The part of a `HierarchicalCollection` that tells "nothing matches" from "not attached".

    Asked only where an answer is empty, and no more once a point with a root distance was seen.
    """

    def _explained(
        self, ask: Callable[[], list[Answer]], explain: Callable[[], None]
    ) -> list[Answer]:
        """What is found. Where that is nothing, or a refusal, `explain` raises what it knows."""
        try:
            with client_errors(self.client):
                found = ask()
        except (CollectionError, VectorError, StoreUnreachableError):
            raise
        except StoreError:
            explain()
            raise
        if not found:
            explain()
        return found

    def _check_labelled(self, key: str) -> None:
        """Make sure that no counts of concepts means that no concept is counted."""
        if key != LABEL:
            return
        known = self._attachment()
        if known is None:
            self._check_placed()
        elif ROOT_DISTANCE in known.fields and key not in known.fields:
            raise CollectionError(
                f"the points of the collection {self.name!r} have no concepts",
                hint="Attach it with a vocabulary",
            )

    def _check_placed(self) -> None:
        """Make sure that an empty answer means that nothing matches.

        Raises:
            CollectionError: There are points, and none has a root distance.
        """
        if self._placed:
            return
        with client_errors(self.client):
            info = self.client.get_collection(self.name)
            having = models.IsEmptyCondition(is_empty=models.PayloadField(key=ROOT_DISTANCE))
            # Without the index that attaching begins with, no point can be chosen by that field.
            self._placed = filterable(info, ROOT_DISTANCE) and self._any(
                models.Filter(must_not=[having])
            )
            if not self._placed and self._any(None):
                raise CollectionError(
                    f"no point of the collection {self.name!r} has a root distance",
                    hint="Attach it first, or repair it where that was done",
                )

    def _any(self, condition: models.Filter | None) -> bool:
        points, _ = self.client.scroll(
            self.name, scroll_filter=condition, limit=1, with_payload=False
        )
        return bool(points)


DIGITS = 12
"""Decimals of a stored root distance. Numbers of up to 15 digits survive any JSON parser; the last
bit of longer ones changes on their way into the embedded engine and back."""

BATCH = 256
"""Points per write: well below the size of request that servers accept."""


class StoredPoints(EmptyAnswers):
    """The part of a `HierarchicalCollection` that does not search."""

    # Writing

    def upsert(
        self,
        ids: Sequence[PointId],
        vectors: ArrayLike,
        payloads: Sequence[Mapping[str, Any]],
        *,
        shard_key: str | None = None,
    ) -> None:
        """Store points, in the place of those with the same ids.

        Args:
            ids: (n), unsigned integers or UUIDs.
            vectors: (n, dim), of any length but zero: they are normalised.
            payloads: (n); `root_distance` is added to each.
            shard_key: Where to put them, in a collection made with `shard_keys`.

        Raises:
            VectorError: A vector has the wrong shape, a number that is not finite, or no length.
            StoreError: The store does not take a payload or an id, or is full.
        """
        rows = self._rows(vectors)
        if not len(ids) == len(rows) == len(payloads):
            raise VectorError(
                f"{len(ids)} ids, {len(rows)} vectors and {len(payloads)} payloads do not match"
            )
        distances = root_distances(rows, self.root)
        for part in _slices(len(ids), self._hierarchical_limits().written(BATCH)):
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
                self.client.upsert(self.name, points, **_in_shard(shard_key))
        self._small = None

    def put(self, records: Sequence[Record]) -> None:
        """Store points as they were read, in the place of those with the same ids.

        Nothing is normalised or computed anew: for points of a collection of the same kind.

        Raises:
            VectorError: A point was read without its vector.
        """
        for part in _slices(len(records), self._hierarchical_limits().written(BATCH)):
            points = []
            for record in records[part]:
                if record.vector is None:
                    raise VectorError(f"the point {record.id} has no vector")
                row = record.vector.tolist()
                points.append(
                    models.PointStruct(
                        id=record.id,
                        vector={self.vector_name: row} if self.vector_name else row,
                        payload=record.payload,
                    )
                )
            with client_errors(self.client):
                self.client.upsert(self.name, points)
        self._small = None

    def set_payload(
        self,
        ids: Sequence[PointId],
        payloads: Sequence[Mapping[str, Any]],
        *,
        shard_key: str | None = None,
    ) -> None:
        """Set payload fields, each point its own; the other fields stay.

        Args:
            ids: (n), of points that are there.
            payloads: (n), the fields to set.
            shard_key: Where they are, in a collection made with `shard_keys`.

        Raises:
            StoreError: A point is not there.
        """
        if len(ids) != len(payloads):
            raise VectorError(f"{len(ids)} ids and {len(payloads)} payloads do not match")
        for part in _slices(len(ids), self._limits().written(BATCH)):
            if isinstance(self.client, EdgeClient):
                refuse(shard_key=shard_key)
                self.client.set_payloads(self.name, ids[part], payloads[part])
                continue
            operations: list[models.UpdateOperation] = [
                models.SetPayloadOperation(
                    set_payload=models.SetPayload(
                        payload=dict(payload), points=[number], shard_key=shard_key
                    )
                )
                for number, payload in zip(ids[part], payloads[part], strict=True)
            ]
            with client_errors(self.client):
                self.client.batch_update_points(self.name, operations)

    def delete(self, ids: Sequence[PointId], *, shard_key: str | None = None) -> None:
        """Delete points; those that are not there are passed over.

        Args:
            ids: (n).
            shard_key: Where they are, in a collection made with `shard_keys`.
        """
        for part in _slices(len(ids), BATCH):
            with client_errors(self.client):
                points = models.PointIdsList(points=list(ids[part]))
                self.client.delete(self.name, points, **_in_shard(shard_key))
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
        for part in _slices(len(ids), self._limits().page(BATCH)):
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
        """All points that match, by id, fetched page by page.

        Raises:
            UsageError: A page is to be of less than one point; raised with the first point.
        """
        page = self._limits().page(checked_page(page))
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

    def scroll_ids(
        self,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        *,
        page: int = 1000,
    ) -> Iterator[list[PointId]]:
        """The ids of all points that match, in order, in lists of at most a page each.

        Raises:
            UsageError: As for `scroll`.
        """
        checked_page(page)
        if not isinstance(self.client, EdgeClient):
            records = self.scroll(filter, payload=[], page=page)
            yield from ([one.id for one in part] for part in pages(records, page))
            return
        offset: PointId | None = None
        while True:
            ids, offset = self.client.scroll_ids(self.name, filter, page, offset)
            if ids:
                yield ids
            if offset is None:
                return

    def similarities_to_root(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Cosine similarity of points to the root, computed by the store from the whole vectors.

        Returns:
            By id; points without such a vector are left out, and so are all where the store allows
            no exact searches.
        """
        limits = self._limits()
        if not limits.exact or not ids:
            return {}
        params = models.SearchParams(
            exact=True, quantization=models.QuantizationSearchParams(ignore=True)
        )
        found: dict[PointId, float] = {}
        for part in _slices(len(ids), limits.chosen(len(ids))):
            chosen = models.HasIdCondition(has_id=list(ids[part]))
            asked: dict[str, Any] = {
                "query": self.root.tolist(),
                "using": self._using,
                "query_filter": models.Filter(must=[chosen]),
                "search_params": params,
                "limit": len(chosen.has_id),
            }
            if isinstance(self.client, EdgeClient):
                found.update(self.client.scores(self.name, **asked))
                continue
            with client_errors(self.client):
                answer = self.client.query_points(self.name, **asked, with_payload=False)
            found.update((plain_id(point.id), point.score) for point in answer.points)
        return found

    def count(self, filter: models.Filter | None = None) -> int:  # noqa: A002 - Qdrant's word
        """How many points match, exactly.

        A server whose strict mode allows no exact counts is asked for all their ids instead.
        """
        if not self._limits().exact:
            return sum(1 for _ in self.scroll(filter, payload=False, page=10_000))
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

        Returns:
            Exact counts; a server whose strict mode allows none gives its estimates.

        Raises:
            CollectionError: The collection was attached without a vocabulary, or not at all.
            StoreError: There may be more values than a server's strict mode lets it give.
        """
        limits = self._hierarchical_limits() if key == LABEL else self._limits()
        most = limits.page(max(limit, 1))

        def ask() -> list[models.FacetValueHit]:
            return self.client.facet(
                self.name, key, facet_filter=filter, limit=most, exact=limits.exact
            ).hits

        found = self._explained(ask, partial(self._check_labelled, key))
        if len(found) >= most:
            limits.check(limit)
        hits = sorted(found, key=lambda hit: (-hit.count, str(hit.value)))
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


def root_distances(rows: Floats, root: Floats) -> NDArray[np.float64]:
    """The distances of (n, dim) unit rows from the root, as they are stored."""
    exact = root_distance(rows.astype(np.float64), root.astype(np.float64))
    distances: NDArray[np.float64] = np.round(np.asarray(exact), DIGITS)
    return distances


def selection(payload: bool | Sequence[str]) -> bool | list[str]:
    """What to fetch, `root_distance` always among it."""
    if payload is True:
        return True
    return [*(payload or ()), ROOT_DISTANCE]


def _in_shard(key: str | None) -> dict[str, Any]:
    return {} if key is None else {"shard_key_selector": key}


def _slices(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
