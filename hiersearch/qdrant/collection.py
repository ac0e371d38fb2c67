"""A Qdrant collection whose points know how far they are from the root."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from qdrant_client import models

from hiersearch.errors import CollectionError, UsageError
from hiersearch.geometry import angle_cosine_from_score, root_distance
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant.attach.fill import Label
from hiersearch.qdrant.attach.record import read_attachment
from hiersearch.qdrant.attach.run import (
    PAGE,
    AttachSummary,
    Check,
    DetachSummary,
    attach,
    detach,
    repair,
)
from hiersearch.qdrant.connection import Client
from hiersearch.qdrant.points import Hit
from hiersearch.qdrant.radial_path import Paths, Way
from hiersearch.qdrant.ranking import Candidates, ancestor_query, descendant_query
from hiersearch.qdrant.searching import and_placed
from hiersearch.types import Floats

__all__ = ["HierarchicalCollection"]


CANDIDATES = 200
"""Points whose exterior angle is computed where neither a number nor exactness is asked for."""


class HierarchicalCollection(Paths):
    """A collection of unit vectors in which `root_distance` is a payload field.

    The same code runs over a server, the cloud, `QdrantClient(":memory:")` and the embedded engine.
    Nothing is sent before the first call. What a server's strict mode allows is read once and kept
    to: batches are split, fewer candidates fetched, exact searches left out unless asked for. With
    it is read whether the collection was attached by another root or vector: then nothing is
    answered that depends on these.
    Of quantised vectors, every hit and every candidate is scored by the original.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector of the most general thing, from the model of the vectors.
        vector_name: Which of a point's vectors is meant; "" is the unnamed one.
        hnsw_ef: Width of searches in a graph, for recall at the cost of time; None: the store's.

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

        return self._settled(search, limit, offset, score_threshold)

    def radial_path(
        self,
        vector: ArrayLike,
        *,
        filter: models.Filter | None = None,  # noqa: A002 - Qdrant's word
        payload: bool | Sequence[str] = True,
        exact: bool | None = None,
        radii: int | Sequence[float] | None = None,
        by: Way | None = None,
    ) -> list[Hit]:
        """What a vector is called, from the most general point to the most specific.

        Each hit is more similar to the vector than every point at or below its own root distance
        (`hiersearch.qdrant.radial_path`). Its score is the similarity, its angle the exterior angle with
        the hit as the parent and the vector as the child. Points without `root_distance` are left
        out (`count_without_distance`).

        The whole path takes some ten searches, each of which depends on the one before. The paper
        takes the best point within each of 50 radii instead, a part of the path. That can be read
        off the whole path, or be asked in one batch: more work for the store, but one round trip.
        In this process, on the embedded engine and `":memory:"`, the descent is several times
        faster; a server far away may answer the batch first. So where `by` is left out, the first
        path of a number of radii is found both ways (after a search that opens the connection),
        and the faster way is the one that this object takes from then on.

        Args:
            vector: (dim,).
            filter: Which points to search.
            payload: Whether to fetch payloads, or which fields of them.
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points.
            radii: Where to sample the path: root distances, or a number of them, evenly spaced from
                the closest point that matches to the farthest; None: the whole path.
            by: "descent" or "batch"; None: whichever this client was measured to answer faster.

        Returns:
            Coarse to fine, each hit once.

        Raises:
            CollectionError: No point has a root distance, or they are of another root or vector.
            UsageError: The whole path is asked for by a batch, or the radii are no numbers.
        """
        if by not in (None, "descent", "batch"):
            raise UsageError(f"a path is not found by {by!r}", hint='Use "descent" or "batch"')
        child = self._row(vector)
        query = {"query": child.tolist(), "search_params": self._search_params(exact)}
        if radii is None:
            if by == "batch":
                raise UsageError(
                    "a batch finds the best points within given radii only", hint="Give radii"
                )
            search = partial(self._whole_path, query, filter, payload)
        else:
            search = partial(self._sampled_path, query, filter, payload, radii, by)
        path = self._explained(search, self._check_placed)
        child_distance = self._distance(child)
        return [_with_angle_to(hit, child_distance) for hit in path]

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
            candidates: Number of points fetched by each direction that good ones lie in, whose
                angle is computed (`hiersearch.qdrant.ranking`): of each shard, where there are
                several; fewer where a server's strict mode says so.
            exact: Whether to fetch the candidates by comparison with every vector.

        Returns:
            Least angle first, equal angles by id; `score` is the cosine of the angle.

        Raises:
            CollectionError: No point has a root distance, or they are of another root or vector.
            UsageError: There are to be less than one candidate.
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

        Arguments, answer and errors as for `descendants_of`.
        """
        query = ancestor_query(
            self._row(child_vector),
            self.root,
            self._candidates(candidates, limit + offset, filter, exact),
        )
        return self._ranked(query, limit, offset, filter, payload, score_threshold)

    # A collection that others made

    @classmethod
    def attached(cls, client: Client, name: str, *, hnsw_ef: int | None = None) -> Self:
        """A collection that was attached before, with the root and the vector that it remembers.

        Args:
            client: A `QdrantClient` or an `EdgeClient`.
            name: The name of the collection.
            hnsw_ef: Width of searches in a graph.

        Raises:
            CollectionError: There is no such collection, or it was not attached.
        """
        known = read_attachment(client, name)
        if known is None:
            raise CollectionError(
                f"the collection {name!r} is not attached",
                hint="Attach it first: 'hiersearch attach'",
            )
        return cls(client, name, root=known.root, vector_name=known.vector, hnsw_ef=hnsw_ef)

    def attach(
        self,
        *,
        label: Label | None = None,
        check: Check | None = None,
        model: str = "",
        vocabulary: str = "",
        dry_run: bool = False,
        page: int = PAGE,
        on_progress: Progress = tell_nobody,
    ) -> AttachSummary:
        """Gives the points of a collection that others made their `root_distance`, in place.

        Arguments, answer and errors: `hiersearch.qdrant.attach.run.attach`.
        """
        with self._changing():
            return attach(
                self,
                label=label,
                check=check,
                model=model,
                vocabulary=vocabulary,
                dry_run=dry_run,
                page=page,
                on_progress=on_progress,
            )

    def repair(
        self,
        *,
        label: Label | None = None,
        check: Check | None = None,
        model: str = "",
        vocabulary: str = "",
        recompute: bool = False,
        dry_run: bool = False,
        page: int = PAGE,
        on_progress: Progress = tell_nobody,
    ) -> AttachSummary:
        """Gives points that others added since their `root_distance`.

        Arguments, answer and errors: `hiersearch.qdrant.attach.run.repair`.
        """
        with self._changing():
            return repair(
                self,
                label=label,
                check=check,
                model=model,
                vocabulary=vocabulary,
                recompute=recompute,
                dry_run=dry_run,
                page=page,
                on_progress=on_progress,
            )

    def detach(self, *, page: int = PAGE, on_progress: Progress = tell_nobody) -> DetachSummary:
        """Removes what `attach` added, and nothing else.

        Arguments, answer and errors: `hiersearch.qdrant.attach.run.detach`.
        """
        with self._changing():
            return detach(self, page=page, on_progress=on_progress)

    def _candidates(
        self,
        number: int | None,
        wanted: int,
        condition: models.Filter | None,
        exact: bool | None,
    ) -> Candidates:
        if number is not None and number < 1:
            raise UsageError(
                f"no ranking is made of {number} candidates", hint="Use at least 1, or the default"
            )
        return Candidates(
            number=number or max(CANDIDATES, 4 * wanted),
            filter=and_placed(condition),
            params=self._search_params(exact),
            using=self._using,
            most=self._limits().points,
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

        if limit < 1:
            return []
        found = partial(self._settled, search, limit, offset, score_threshold)
        return self._explained(found, self._check_placed)

    def _distance(self, row: Floats) -> float:
        return float(root_distance(row.astype(np.float64), self.root.astype(np.float64)))


def _with_angle(hit: Hit) -> Hit:
    """A hit whose score is the cosine of an angle, with that angle."""
    return dataclasses.replace(hit, angle=math.acos(hit.score))


def _with_angle_to(hit: Hit, child_distance: float) -> Hit:
    """A hit whose score is its similarity to a child, with the exterior angle at the hit."""
    cosine = float(angle_cosine_from_score(hit.score, hit.root_distance, child_distance))
    return dataclasses.replace(hit, angle=math.acos(cosine))
