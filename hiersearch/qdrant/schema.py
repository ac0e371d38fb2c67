"""A collection itself: made, checked, dropped, and what it allows.

How a new collection is laid out and stored.

What a collection allows its clients: the strict mode of servers, and quantised vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError, VectorError
from hiersearch.qdrant.attach.record import Attachment, attachment_in
from hiersearch.qdrant.connection import Client, client_errors
from hiersearch.qdrant.edge.client import EdgeClient
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.points import ROOT_DISTANCE, unit_rows

if TYPE_CHECKING:
    from hiersearch.qdrant.radial_path import Way

__all__ = [
    "CollectionOptions",
    "CollectionSchema",
    "Limits",
    "Quantization",
    "filterable",
]


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


Quantization: TypeAlias = (
    models.ScalarQuantization
    | models.ProductQuantization
    | models.BinaryQuantization
    | models.TurboQuantization
)
"""How vectors are compressed."""


@dataclass(frozen=True)
class CollectionOptions:
    """What `HierarchicalCollection.create` asks the store for, beyond vectors and indexes.

    What is left at its default is not mentioned to the store, which then does as it is configured.
    The embedded engine has no shards and no replicas, and refuses the first four.

    Attributes:
        shard_number: Number of shards; with `shard_keys`, of each key.
        replication_factor: Number of copies of each shard.
        write_consistency_factor: Number of copies that must have a write before it counts.
        shard_keys: The keys by which points are put into shards; every write must then name one of
            them (`shard_key`). Empty: the store spreads the points itself.
        on_disk: Whether vectors are read from disk rather than kept in memory.
        float16: Whether vectors are stored in half precision: half the room, and similarities that
            are right to about three decimals.
        hnsw: The search graph.
        quantization: Compressed vectors, searched first. Hits are always scored again by the
            originals.
    """

    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    shard_keys: tuple[str, ...] = ()
    on_disk: bool | None = None
    float16: bool = False
    hnsw: models.HnswConfigDiff | None = None
    quantization: Quantization | None = None

    def vector_params(self, dimension: int) -> models.VectorParams:
        """The parameters of the vector: unit rows, compared by cosine.

        Args:
            dimension: Numbers per vector.
        """
        return models.VectorParams(
            size=dimension,
            distance=models.Distance.COSINE,
            on_disk=self.on_disk,
            datatype=models.Datatype.FLOAT16 if self.float16 else None,
            hnsw_config=self.hnsw,
            quantization_config=self.quantization,
        )

    def settings(self) -> dict[str, Any]:
        """The other arguments of `create_collection`: those that are set."""
        given = {
            "shard_number": self.shard_number,
            "replication_factor": self.replication_factor,
            "write_consistency_factor": self.write_consistency_factor,
            "sharding_method": models.ShardingMethod.CUSTOM if self.shard_keys else None,
        }
        return {name: value for name, value in given.items() if value is not None}


OVERSAMPLING = 2.0
"""Quantised vectors that a search looks up for each point that it wants, to score these again."""


@dataclass(frozen=True)
class Limits:
    """The part of a collection's configuration that searches and writes must respect.

    Attributes:
        points: Greatest `limit` of a query, a page or a facet count; None is no limit.
        searches: Greatest number of queries in a batch.
        upserts: Greatest number of points in a write.
        hnsw_ef: Greatest `hnsw_ef`.
        oversampling: Greatest oversampling of quantised vectors.
        condition: Greatest number of values in one condition of a filter.
        exact: Whether exact searches and counts are allowed.
        quantized: Whether vectors are quantised, so that hits must be scored again.
    """

    points: int | None = None
    searches: int | None = None
    upserts: int | None = None
    hnsw_ef: int | None = None
    oversampling: float | None = None
    condition: int | None = None
    exact: bool = True
    quantized: bool = False

    @classmethod
    def of(cls, config: models.CollectionConfig, vector_name: str) -> Limits:
        """From the configuration of a collection.

        Args:
            config: What the store says.
            vector_name: Which of a point's vectors is meant; "" is the unnamed one.
        """
        vectors = config.params.vectors
        vector = vectors.get(vector_name) if isinstance(vectors, dict) else vectors
        own = None if vector is None else vector.quantization_config
        quantized = own is not None or config.quantization_config is not None
        strict = config.strict_mode_config
        if strict is None or not strict.enabled:
            return cls(quantized=quantized)
        return cls(
            points=strict.max_query_limit,
            searches=strict.search_max_batchsize,
            upserts=strict.upsert_max_batchsize,
            hnsw_ef=strict.search_max_hnsw_ef,
            oversampling=strict.search_max_oversampling,
            condition=strict.condition_max_size,
            exact=strict.search_allow_exact is not False,
            quantized=quantized,
        )

    def search_params(self, exact: bool, hnsw_ef: int | None) -> models.SearchParams:
        """How to search: as asked, within what is allowed, and never by quantised scores alone.

        Args:
            exact: Whether to compare with every vector.
            hnsw_ef: Width of the search in the graph; a wider one than allowed becomes that.

        Raises:
            StoreError: The server allows no exact searches.
        """
        if exact and not self.exact:
            raise StoreError(
                "the server allows no exact searches (its strict mode says so)",
                hint="Leave out exact",
            )
        return models.SearchParams(
            exact=exact,
            hnsw_ef=None if hnsw_ef is None else _capped(hnsw_ef, self.hnsw_ef),
            quantization=models.QuantizationSearchParams(
                rescore=True, oversampling=min(OVERSAMPLING, self.oversampling or OVERSAMPLING)
            )
            if self.quantized
            else None,
        )

    def page(self, wanted: int) -> int:
        """The number of points to ask for at a time."""
        return _capped(wanted, self.points)

    def chosen(self, wanted: int) -> int:
        """The number of points to choose by their ids at a time, in the filter of a query."""
        return _capped(self.page(wanted), self.condition)

    def written(self, wanted: int) -> int:
        """The number of points to write at a time."""
        return _capped(wanted, self.upserts)

    def check(self, wanted: int) -> None:
        """Make sure that one query may answer so many points.

        Raises:
            StoreError: The server gives fewer.
        """
        if self.points is not None and wanted > self.points:
            raise StoreError(
                f"the server gives at most {self.points} points per query, not {wanted}",
                hint="Ask for fewer, or raise max_query_limit in its strict mode",
            )


def filterable(info: models.CollectionInfo, *fields: str) -> bool:
    """Whether a store lets points be chosen by payload fields, as these are indexed so far."""
    strict = info.config.strict_mode_config
    if not strict or not strict.enabled or strict.unindexed_filtering_retrieve is not False:
        return True
    return all(field in info.payload_schema for field in fields)


def _capped(wanted: int, most: int | None) -> int:
    return wanted if most is None else min(wanted, max(most, 1))
