"""A Qdrant collection whose points know how far they are from the root."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qdrant_client import models

from hiersearch.geometry import angle_cosine_from_score, root_distance
from hiersearch.qdrant.connect import client_errors
from hiersearch.qdrant.edge import EXACT_UP_TO
from hiersearch.qdrant.points import ROOT_DISTANCE, Hit, Record, settled
from hiersearch.qdrant.radial import descend
from hiersearch.qdrant.ranking import Candidates, ancestor_query, descendant_query
from hiersearch.qdrant.stored import StoredPoints, selection

__all__ = ["HierarchicalCollection"]

Floats = NDArray[np.float32]

CANDIDATES = 200
"""Points whose exterior angle is computed where neither a number nor exactness is asked for."""


class HierarchicalCollection(StoredPoints):
    """A collection of unit vectors in which `root_distance` is a payload field.

    The same code runs over a server, the cloud, `QdrantClient(":memory:")` and the embedded engine.
    Nothing is sent before the first call.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector of the most general thing, from the model of the vectors.
        vector_name: Which of a point's vectors is meant; "" is the unnamed one.

    Raises:
        VectorError: The root is not a unit vector.
    """

    def nearest(
        self,
        vector: ArrayLike,
        *,
        limit: int,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        offset: int = 0,
        payload: bool | Sequence[str] = True,
        score_threshold: float | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points most similar to a vector, those of equal similarity by id.

        Args:
            vector: (dim,).
            limit: Number of hits.
            filter: Which points to search.
            offset: Number of hits to leave out at the front.
            payload: Whether to fetch payloads, or which fields of them.
            score_threshold: Least cosine similarity.
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points.
        """
        query = self._row(vector).tolist()
        params = self._search_params(exact)

        def search(number: int) -> list[Hit]:
            return self._query(
                number, payload, query=query, query_filter=filter, search_params=params
            )

        return _cut(search, limit, offset, score_threshold)

    def radial_path(
        self,
        vector: ArrayLike,
        *,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        payload: bool | Sequence[str] = True,
        exact: bool | None = None,
    ) -> list[Hit]:
        """What a vector is called, from the most general point to the most specific.

        Each hit is more similar to the vector than every point at or below its own root distance
        (`hiersearch.qdrant.radial`). Its score is the similarity, its angle the exterior angle with
        the hit as the parent and the vector as the child. Points without `root_distance` are left
        out (`count_without_distance`).

        Args:
            vector: (dim,).
            filter: Which points to search.
            payload: Whether to fetch payloads, or which fields of them.
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points.
        """
        child = self._row(vector)
        query = child.tolist()
        params = self._search_params(exact)

        def search(bound: float | None, number: int) -> list[Hit]:
            condition = models.Filter(must=[*([filter] if filter else []), _within(bound)])
            return self._query(
                number, payload, query=query, query_filter=condition, search_params=params
            )

        child_distance = self._distance(child)
        return [_with_angle_to(hit, child_distance) for hit in descend(search)]

    def descendants_of(
        self,
        parent_vector: ArrayLike,
        *,
        limit: int,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        offset: int = 0,
        payload: bool | Sequence[str] = True,
        score_threshold: float | None = None,
        candidates: int | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points that entail a vector most: least exterior angle, the vector as the parent.

        Args:
            parent_vector: (dim,).
            limit: Number of hits.
            filter: Which points to search.
            offset: Number of hits to leave out at the front.
            payload: Whether to fetch payloads, or which fields of them.
            score_threshold: Least cosine of the exterior angle.
            candidates: Number of points whose angle is computed.
            exact: Whether to fetch the candidates by comparison with every vector.

        Returns:
            Least angle first, equal angles by id; `score` is the cosine of the angle.
        """
        query = descendant_query(
            self._row(parent_vector),
            self.root,
            self._candidates(candidates, limit + offset, filter, exact),
        )
        return self._ranked(query, limit, offset, filter, payload, score_threshold)

    def ancestors_of(
        self,
        child_vector: ArrayLike,
        *,
        limit: int,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        offset: int = 0,
        payload: bool | Sequence[str] = True,
        score_threshold: float | None = None,
        candidates: int | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points that a vector entails most: least exterior angle, the vector as the child.

        Arguments and answer as for `descendants_of`.
        """
        query = ancestor_query(
            self._row(child_vector),
            self.root,
            self._candidates(candidates, limit + offset, filter, exact),
        )
        return self._ranked(query, limit, offset, filter, payload, score_threshold)

    def _candidates(
        self,
        number: int | None,
        wanted: int,
        condition: models.Filter | None,
        exact: bool | None,
    ) -> Candidates:
        return Candidates(
            number=number or max(CANDIDATES, 4 * wanted),
            filter=_and_placed(condition),
            params=self._search_params(exact),
            using=self._using,
        )

    def _ranked(
        self,
        query: Mapping[str, Any] | None,
        limit: int,
        offset: int,
        condition: models.Filter | None,
        payload: bool | Sequence[str],
        score_threshold: float | None,
    ) -> list[Hit]:
        def search(number: int) -> list[Hit]:
            if query is None:
                return self._all_alike(number, condition, payload)
            return [_with_angle(hit) for hit in self._query(number, payload, **query)]

        return _cut(search, limit, offset, score_threshold)

    def _all_alike(
        self, number: int, condition: models.Filter | None, payload: bool | Sequence[str]
    ) -> list[Hit]:
        """What the root is a parent of: everything, with angle 0, in the order of the ids."""
        with client_errors(self.client):
            points, _ = self.client.scroll(
                self.name,
                scroll_filter=_and_placed(condition),
                limit=number,
                with_payload=selection(payload),
            )
        return [
            Hit(record.id, 1.0, float(record.payload[ROOT_DISTANCE]), record.payload, angle=0.0)
            for record in (Record.of(point, self.vector_name) for point in points)
        ]

    def _query(self, number: int, payload: bool | Sequence[str], **query: Any) -> list[Hit]:
        with client_errors(self.client):
            answer = self.client.query_points(
                self.name,
                limit=number,
                with_payload=selection(payload),
                using=None if "prefetch" in query else self._using,
                **query,
            )
        return [Hit.of(point) for point in answer.points]

    def _search_params(self, exact: bool | None) -> models.SearchParams:
        if exact is None:
            if self._small is None:
                with client_errors(self.client):
                    count = self.client.count(self.name, exact=False).count
                self._small = count <= EXACT_UP_TO
            exact = self._small
        return models.SearchParams(exact=exact)

    def _distance(self, row: Floats) -> float:
        return float(root_distance(row.astype(np.float64), self.root.astype(np.float64)))


def _cut(
    search: Callable[[int], list[Hit]], limit: int, offset: int, score_threshold: float | None
) -> list[Hit]:
    if limit < 1 or offset < 0:
        return []
    hits = settled(search, limit + offset)[offset:]
    return [hit for hit in hits if score_threshold is None or hit.score >= score_threshold]


def _with_angle(hit: Hit) -> Hit:
    """A hit whose score is the cosine of an angle, with that angle."""
    return dataclasses.replace(hit, angle=math.acos(hit.score))


def _with_angle_to(hit: Hit, child_distance: float) -> Hit:
    """A hit whose score is its similarity to a child, with the exterior angle at the hit."""
    cosine = float(angle_cosine_from_score(hit.score, hit.root_distance, child_distance))
    return dataclasses.replace(hit, angle=math.acos(cosine))


def _and_placed(condition: models.Filter | None) -> models.Filter:
    """Points that match and have a root distance."""
    return models.Filter(must=[*([condition] if condition else []), _within(None)])


def _within(bound: float | None) -> models.FieldCondition:
    """Points that have a root distance, below the bound if there is one."""
    return models.FieldCondition(key=ROOT_DISTANCE, range=models.Range(gte=0.0, lt=bound))
