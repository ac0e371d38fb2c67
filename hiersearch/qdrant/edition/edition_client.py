"""A client that reads an edition: what a collection needs to be searched, counted and read.

It has no engine and takes no lock, so any number of processes can read, also from a disk that
nobody can write to. Every search compares with all vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant.edition.edition_file import EditionFile, Places, id_of, ids_of
from hiersearch.qdrant.filters import HasValue
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.qdrant.filters import Filter
    from hiersearch.qdrant.layout import Layout
    from hiersearch.qdrant.limits import Search
    from hiersearch.qdrant.points import PointId

__all__ = ["EditionClient"]

_BLOCK = 8192
"""Vectors that are compared at a time: what is copied to do so stays small."""

_SPARE = 16
"""Points that are scored exactly beyond those that are wanted, for float32 sums to be in order."""


@dataclass(frozen=True)
class _Point:
    """A point that was read or found, with the attributes of the engine's."""

    id: str
    payload: dict[str, Any] | None
    vector: Any = None
    score: float = 0.0


@dataclass(frozen=True)
class _Counted:
    """A value of a payload field, and how many points have it."""

    value: str
    count: int


class EditionClient:
    """Reads one collection of an embedded store, as it was published.

    Has those calls of an `EdgeClient` that read, and refuses all others.

    Args:
        file: The edition.
        name: What the collection is called.
    """

    def __init__(self, file: EditionFile, name: str) -> None:
        self.plain = _PlainCalls(file, name)
        self._name = name
        self._path = file.path
        # By which messages name the store.
        self.init_options = {"location": str(file.path.parent)}

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StoreError(
            f"the index in {self._path.parent} is open for reading only",
            hint="Open it for writing, where its folder can be written to",
        )

    def close(self) -> None:
        """Lets go of the file. The client cannot be used again."""
        self.plain.close()

    def collection_exists(self, collection_name: str) -> bool:
        """Whether this is the collection."""
        return collection_name == self._name

    def scroll_ids(
        self,
        collection_name: str,
        scroll_filter: Filter | None = None,
        limit: int = 10,
        offset: PointId | None = None,
    ) -> tuple[list[PointId], PointId | None]:
        """As `EdgeClient.scroll_ids`."""
        points, following = self.plain.scroll(
            collection_name, scroll_filter, limit, offset, with_payload=False
        )
        return [point.id for point in points], following

    # Named here since a client is known to embed its store by having them.

    def optimize(self, collection_name: str) -> bool:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def set_payloads(self, collection_name: str, ids: Any, payloads: Any) -> None:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def scores(self, collection_name: str, query: Any, **settings: Any) -> dict[PointId, float]:  # noqa: ARG002
        """Refuse: rankings by angle need the engine."""
        self._refuse()


class _PlainCalls:
    """As `hiersearch.qdrant.edge.plain_calls.PlainCalls`."""

    def __init__(self, file: EditionFile, name: str) -> None:
        self._file = file
        self._name = name
        self._values: dict[str, dict[str, Places]] = {}
        self._last: tuple[Filter, Places] | None = None
        self._is_open = True

    def close(self) -> None:
        """Lets go of the file."""
        if self._is_open:
            self._is_open = False
            self._values.clear()
            self._file.close()

    def layout(self, name: str) -> Layout:
        """Like `get_collection`."""
        self._require(name)
        return self._file.layout

    def count(
        self,
        name: str,
        matching: Filter | HasValue | None = None,
        *,
        exact: bool = True,  # noqa: ARG002 - always is
    ) -> int:
        """Like `count`."""
        self._require(name)
        rows = self._matching(matching)
        return len(self._file) if rows is None else len(rows)

    def facet(
        self,
        name: str,
        key: str,
        matching: Filter | None = None,
        *,
        limit: int,
        exact: bool = True,  # noqa: ARG002 - always is
    ) -> Sequence[_Counted]:
        """Like `facet`."""
        self._require(name)
        rows = self._matching(matching)
        counted = [
            (value, len(held) if rows is None else _common(held, rows))
            for value, held in self._by_value(key).items()
        ]
        best = sorted((-count, value) for value, count in counted if count)[:limit]
        return [_Counted(value, -count) for count, value in best]

    def retrieve(
        self, name: str, ids: Sequence[Any], *, with_payload: Any = True, with_vectors: Any = False
    ) -> Sequence[_Point]:
        """Like `retrieve`."""
        self._require(name)
        try:
            wanted = ids_of(map(str, ids))
        except ValueError:  # a number, which no point of an edition has
            return []
        found = self._file.find(wanted)
        return [self._point(row, with_payload, with_vectors) for row in found[found >= 0]]

    def scroll(
        self,
        name: str,
        matching: Filter | None = None,
        limit: int = 10,
        offset: PointId | None = None,
        *,
        with_payload: Any = True,
        with_vectors: Any = False,
        order_by: Any = None,
    ) -> tuple[Sequence[_Point], PointId | None]:
        """Like `scroll`; in the order of ids alone."""
        self._require(name)
        if order_by is not None:
            raise StoreError("what is open for reading only is read in the order of ids")
        rows = self._matching(matching)
        rows = np.arange(len(self._file)) if rows is None else rows
        if offset is not None:
            first = np.searchsorted(self._file.ids, ids_of([str(offset)])[0])
            rows = rows[np.searchsorted(rows, first) :]
        points = [self._point(row, with_payload, with_vectors) for row in rows[:limit]]
        return points, id_of(self._file.ids[rows[limit]]) if len(rows) > limit else None

    def nearest(
        self,
        name: str,
        vector: list[float],
        *,
        using: str | None,  # noqa: ARG002 - there is one
        matching: Filter | HasValue | None,
        search: Search,  # noqa: ARG002 - compares with all
        limit: int,
        with_payload: Any,
    ) -> Sequence[_Point]:
        """Like `query_points` for a vector."""
        self._require(name)
        rows = self._matching(matching)
        query = np.asarray(vector, dtype=np.float32)
        scores = self._similarities(query, rows)
        keep = limit + _SPARE
        best = np.argpartition(-scores, keep)[:keep] if len(scores) > keep else None
        if best is None:
            best = np.arange(len(scores))
        chosen = best if rows is None else rows[best]
        exact = self._file.vectors[chosen].astype(np.float64) @ query.astype(np.float64)
        order = np.lexsort((chosen, -exact.astype(np.float32)))[:limit]
        return [
            self._point(chosen[one], with_payload, score=float(np.float32(exact[one])))
            for one in order
        ]

    def _require(self, name: str) -> None:
        if not self._is_open:
            raise StoreError(f"{self._file.path.parent} was closed", hint="Open it again")
        if name != self._name:
            raise CollectionError(f"there is no collection {name!r} in {self._file.path.parent}")

    def _similarities(self, query: Floats, rows: Places | None) -> Floats:
        """(n,): the cosine of each of the rows with a unit vector."""
        vectors = self._file.vectors
        total = len(vectors) if rows is None else len(rows)
        scores = np.empty(total, dtype=np.float32)
        for start in range(0, total, _BLOCK):
            part = slice(start, start + _BLOCK)
            scores[part] = (vectors[part] if rows is None else vectors[rows[part]]) @ query
        return scores

    def _point(
        self, row: int, with_payload: Any, with_vectors: Any = False, score: float = 0.0
    ) -> _Point:
        payload = None
        if with_payload is True:
            payload = self._file.payload(row)
        elif with_payload:
            whole = self._file.payload(row)
            payload = {key: whole[key] for key in with_payload if key in whole}
        vector = self._file.vectors[row].copy() if with_vectors else None
        return _Point(id_of(self._file.ids[row]), payload, vector, score)

    # Conditions

    def _matching(self, condition: Filter | HasValue | None) -> Places | None:
        """The rows, ascending, that match; None for all."""
        if condition is None:
            return None
        if isinstance(condition, HasValue):
            nobody: Places = np.empty(0, dtype=np.int64)
            rows = self._by_value(condition.field).get(condition.value, nobody)
            within = self._matching(condition.within)
            if within is None:
                return rows
            return np.intersect1d(rows, within, assume_unique=True)
        # An answer asks for one condition many times.
        if self._last is None or self._last[0] is not condition:
            self._last = condition, self._filtered(condition)
        return self._last[1]

    def _filtered(self, condition: Filter) -> Places:
        from qdrant_client.local.payload_filters import check_filter

        vectors = dict.fromkeys(self._file.layout.vectors, True)
        ids = self._file.ids
        return np.array(
            [
                row
                for row, payload in self._payloads()
                if check_filter(condition, payload, id_of(ids[row]), vectors)
            ],
            dtype=np.int64,
        )

    def _by_value(self, key: str) -> dict[str, Places]:
        """The rows, ascending, that hold each value of a field."""
        if key not in self._values:
            self._values[key] = (
                self._file.values(key) if key in self._file.fields else self._looked_for(key)
            )
        return self._values[key]

    def _looked_for(self, key: str) -> dict[str, Places]:
        found: dict[str, list[int]] = {}
        for row, payload in self._payloads():
            held = payload.get(key)
            for value in dict.fromkeys(held if isinstance(held, list) else [held]):
                if isinstance(value, str):
                    found.setdefault(value, []).append(row)
        return {value: np.array(rows, dtype=np.int64) for value, rows in found.items()}

    def _payloads(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((row, self._file.payload(row)) for row in range(len(self._file)))


def _common(some: Places, others: Places) -> int:
    return len(np.intersect1d(some, others, assume_unique=True))
