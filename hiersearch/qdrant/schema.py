"""A collection itself: made, checked, dropped, and what it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from qdrant_client import models

from hiersearch.errors import CollectionError, VectorError
from hiersearch.qdrant.attachment import Attachment, attachment_in
from hiersearch.qdrant.connect import Client, client_errors
from hiersearch.qdrant.edge import EdgeClient
from hiersearch.qdrant.edge_errors import refuse
from hiersearch.qdrant.limits import Limits
from hiersearch.qdrant.options import CollectionOptions
from hiersearch.qdrant.points import ROOT_DISTANCE
from hiersearch.qdrant.rows import unit_rows
from hiersearch.qdrant.sampling import Way

__all__ = ["CollectionSchema"]


class CollectionSchema:
    """The part of a `HierarchicalCollection` that knows no points.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector of the most general thing, from the model of the vectors.
        vector_name: Which of a point's vectors is meant; "" is the unnamed one.
        hnsw_ef: Width of searches in a graph, for recall at the cost of time; None: the store's.

    Raises:
        VectorError: The root is not a unit vector.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        *,
        root: ArrayLike,
        vector_name: str = "hiersearch",
        hnsw_ef: int | None = None,
    ) -> None:
        self.client = client
        self.name = name
        self.vector_name = vector_name
        self.root = unit_rows(np.asarray(root)[None], "the root")[0]
        if abs(float(np.linalg.norm(np.asarray(root, dtype=np.float64))) - 1.0) > 1e-3:
            raise VectorError("the root is not a unit vector", hint="Divide it by its length")
        self.hnsw_ef = hnsw_ef
        self._small: bool | None = None
        self._known_limits: Limits | None = None
        self._metadata: Mapping[str, Any] | None = None
        self._agreed = False
        self._placed = False
        self._faster: dict[int, Way] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client!r}, {self.name!r})"

    def exists(self) -> bool:
        """Whether the store has a collection of that name."""
        with client_errors(self.client):
            return self.client.collection_exists(self.name)

    def create(
        self,
        *,
        payload_indexes: Mapping[str, str] | None = None,
        options: CollectionOptions | None = None,
    ) -> None:
        """Create the collection and its payload indexes; what is there already stays.

        The index on `root_distance` comes before any data: the search graph is built along it.

        Args:
            payload_indexes: Kind of index ("keyword", "float", "integer", "datetime", ...) by
                payload field, in addition to those on `root_distance` and `concepts`.
            options: How a new collection is laid out and stored. One that is there stays as it is,
                but for shard keys that it lacks, which are added.

        Raises:
            CollectionError: There is a collection of that name with other vectors.
            StoreError: The store does not take an option.
        """
        options = options or CollectionOptions()
        with client_errors(self.client):
            new = not self.client.collection_exists(self.name)
            if new:
                params = options.vector_params(len(self.root))
                self.client.create_collection(
                    self.name,
                    vectors_config={self.vector_name: params} if self.vector_name else params,
                    **options.settings(),
                )
            self._add_shard_keys(options.shard_keys, new)
            there = self.client.get_collection(self.name)
            self._check_vectors(there.config.params.vectors, [models.Distance.COSINE])
            self._forget()
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
        self._forget()

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

    def _limits(self) -> Limits:
        """What the collection allows, read from the store once: by the first call that needs it.

        Raises:
            CollectionError: There is no such collection, or its vectors are not those meant.
        """
        if self._known_limits is None:
            with client_errors(self.client):
                config = self.client.get_collection(self.name).config
            self._check_vectors(
                config.params.vectors, [models.Distance.COSINE, models.Distance.DOT]
            )
            self._metadata = config.metadata
            self._known_limits = Limits.of(config, self.vector_name)
        return self._known_limits

    def _hierarchical_limits(self) -> Limits:
        """`_limits`, of a collection whose root distances, if any, are those of root and vector.

        For whatever reads or writes these. Looks at what `_limits` read, once.

        Raises:
            CollectionError: As for `_limits`; or it was attached by another root or vector, or its
                distances are being replaced.
        """
        limits = self._limits()
        if not self._agreed:
            known = self._attachment()
            if known is not None:
                known.check_vector(self.name, self.vector_name)
                known.check_root(self.name, self.root)
            self._agreed = True
        return limits

    def _attachment(self) -> Attachment | None:
        """What was attached, as of the last time that the store was asked."""
        self._limits()
        return attachment_in(self._metadata, self.name)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Around what changes a collection as a whole: it is asked again afterwards."""
        self._forget()
        try:
            yield
        finally:
            self._forget()

    def _forget(self) -> None:
        """Ask the store again."""
        self._small = self._known_limits = self._metadata = None
        self._agreed = self._placed = False

    def _add_shard_keys(self, keys: Sequence[str], new: bool) -> None:
        if not keys:
            return
        if isinstance(self.client, EdgeClient):
            refuse(shard_keys=keys)
            return
        there = [] if new else self.client.list_shard_keys(self.name).shard_keys or []
        known = {one.key for one in there}
        for key in keys:
            if key not in known:
                self.client.create_shard_key(self.name, key)

    def _check_vectors(
        self, params: models.VectorsConfig | None, distances: Sequence[models.Distance]
    ) -> None:
        named = params if isinstance(params, dict) else {"": params}
        found = named.get(self.vector_name)
        if found is None:
            raise CollectionError(
                f"the collection {self.name!r} has no vector called {self.vector_name!r}",
                hint=f"It has: {', '.join(repr(name) for name in sorted(named))}",
            )
        if found.size != len(self.root) or found.distance not in distances:
            raise CollectionError(
                f"the collection {self.name!r} holds {found.distance.value} vectors of "
                f"{found.size} numbers, not Cosine vectors of {len(self.root)}",
                hint="Use the model that made it, or another name",
            )
