"""A collection as a whole: how it is created, what it allows, and whether it is attached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hiersearch.errors import CollectionError, StoreError, VectorError
from hiersearch.qdrant.attachment import (
    INDEXES,
    Attachment,
    attachment_in,
    check_indexes,
    index_params,
    read_layout,
)
from hiersearch.qdrant.clients.client_calls import Client, embedded_calls
from hiersearch.qdrant.clients.connection import client_errors, create_once
from hiersearch.qdrant.clients.patience import patient
from hiersearch.qdrant.layout import BYTES, COSINE, DOT, Layout, VectorLayout
from hiersearch.qdrant.limits import Limits, Pace
from hiersearch.qdrant.points import ROOT_DISTANCE, unit_rows
from hiersearch.types import Floats

if TYPE_CHECKING:
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "INDEXES",
    "CollectionOptions",
    "CollectionSchema",
    "Known",
]


@dataclass
class Known:
    """What the store has said about a collection, so that it is asked once.

    Attributes:
        limits: What the collection allows; None if not asked yet.
        layout: What the store said about it, read along with the limits.
        count: Its approximate number of points; None if not asked yet.
        consistent: Whether root and vector were found to agree with the metadata.
        attached: Whether a point with a root distance was seen.
        unit: Whether a sample of vectors was found to have length 1.
        pace: Keeps changes within the rate that is allowed.
    """

    limits: Limits | None = None
    layout: Layout | None = None
    count: int | None = None
    consistent: bool = False
    attached: bool = False
    unit: bool = False
    pace: Pace = field(default_factory=lambda: Pace(Limits()))


class CollectionSchema:
    """A collection without its points.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector that root distances are measured from.
        vector_name: Which of a point's vectors to use; "" is the unnamed one.

    Attributes:
        embedded: The additional calls of a client that embeds its engine; None for others.
        known: What the store has said so far.

    Raises:
        VectorError: The root is not a unit vector.
    """

    def __init__(self, client: Client, name: str, *, root: ArrayLike, vector_name: str) -> None:
        self.client = patient(client)
        self.name = name
        self.vector_name = vector_name
        self.root = unit_rows(np.asarray(root)[None], "the root")[0]
        if abs(float(np.linalg.norm(np.asarray(root, dtype=np.float64))) - 1.0) > 1e-3:
            raise VectorError("the root is not a unit vector", hint="Divide it by its length")
        self.embedded = embedded_calls(client)
        self.known = Known()

    @property
    def using(self) -> str | None:
        """The vector, as queries name it."""
        return self.vector_name or None

    def rows(self, vectors: ArrayLike) -> Floats:
        """Normalise vectors, after checking that they fit the root.

        Args:
            vectors: (n, dim), of any length but zero.

        Returns:
            (n, dim), float32 unit rows.

        Raises:
            VectorError: They have another shape, a number that is not finite, or length zero.
        """
        rows = unit_rows(vectors, "a vector")
        if rows.shape[1] != len(self.root):
            raise VectorError(
                f"the vectors have {rows.shape[1]} numbers, the root {len(self.root)}",
                hint="Use the model that made the index",
            )
        return rows

    def row(self, vector: ArrayLike) -> Floats:
        """Normalise one vector, (dim,); see `rows`."""
        row: Floats = self.rows(np.asarray(vector)[None])[0]
        return row

    # The collection in the store

    def exists(self) -> bool:
        """Whether the store has a collection of this name."""
        with client_errors(self.client):
            return self.client.collection_exists(self.name)

    def create(self, payload_indexes: Mapping[str, str], options: CollectionOptions) -> None:
        """Create the collection and its payload indexes; what exists already stays as it is.

        Args:
            payload_indexes: Kind of index by payload field, in addition to `INDEXES`.
            options: How to lay out and store a new collection.

        Raises:
            CollectionError: There is a collection of this name with other vectors.
            StoreError: The store does not support an option.
        """
        with client_errors(self.client):
            new = not self.client.collection_exists(self.name) and self._created(options)
            self._add_shard_keys(options.shard_keys, new)
            layout = self.layout()
            self.vector(layout, [COSINE])
            check_indexes(layout, self.name, INDEXES)
            self.forget()
            # Before any data: the search graph is built along the index on `root_distance`.
            for field, kind in {**INDEXES, **payload_indexes}.items():
                if field not in layout.indexes:
                    ours = field in INDEXES and field not in payload_indexes
                    params = index_params(field) if ours else models.PayloadSchemaType(kind)
                    self.client.create_payload_index(self.name, field, params)

    def drop(self) -> None:
        """Delete the collection, if it exists."""
        with client_errors(self.client):
            self.client.delete_collection(self.name)
        self.forget()

    def layout(self) -> Layout:
        """What the store says about the collection now."""
        return read_layout(self.client, self.name)

    # What is known of it

    def limits(self) -> Limits:
        """What the collection allows. Asks the store once.

        Raises:
            CollectionError: There is no such collection, or its vectors do not fit the root.
        """
        known = self.known
        if known.limits is None:
            layout = self.layout()
            self.vector(layout)
            known.layout = layout
            known.limits = Limits.of(layout, self.vector_name)
            known.pace = Pace(known.limits)
        return known.limits

    def hierarchical_limits(self) -> Limits:
        """`limits`, after checking that root distances are measured from this root and vector.

        For whatever reads or writes root distances.

        Raises:
            CollectionError: As for `limits`; or the collection was attached with another root or
                vector, its distances are being replaced, or `root_distance` has an index by which
                nothing is found.
        """
        limits = self.limits()
        if not self.known.consistent:
            if self.known.layout is not None:
                check_indexes(self.known.layout, self.name, [ROOT_DISTANCE])
            attachment = self.attachment()
            if attachment is not None:
                attachment.check_vector(self.name, self.vector_name)
                attachment.check_root(self.name, self.root)
            self.known.consistent = True
        return limits

    def by_dot_product(self) -> bool:
        """Whether vectors are compared by dot product, so that their lengths matter."""
        self.limits()
        layout = self.known.layout
        return layout is not None and layout.vectors[self.vector_name].distance == DOT

    def attachment(self) -> Attachment | None:
        """What was attached, as of the last time that the store was asked."""
        self.limits()
        layout = self.known.layout
        return None if layout is None else attachment_in(layout.metadata, self.name)

    def approximate_count(self) -> int:
        """About how many points there are. Asks the store once after each write."""
        known = self.known
        if known.count is None:
            with client_errors(self.client):
                if self.embedded is not None:
                    known.count = self.embedded.plain.count(self.name, exact=False)
                else:
                    known.count = self.client.count(self.name, exact=False).count
        return known.count

    def server_version(self) -> str:
        """The version of the server, such as "1.19.0"; "" if there is none, or it is not told."""
        ask = None if self.embedded else getattr(self.client, "info", None)
        if ask is not None:
            with suppress(StoreError), client_errors(self.client):  # Behind a proxy, for instance.
                return str(ask().version)
        return ""

    def forget(self) -> None:
        """Ask the store again when next something must be known."""
        self.known = Known()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Forget what is known before and after a change to the collection as a whole."""
        self.forget()
        try:
            yield
        finally:
            self.forget()

    def _add_shard_keys(self, keys: Sequence[str], new: bool) -> None:
        if not keys:
            return
        present = [] if new else self.client.list_shard_keys(self.name).shard_keys or []
        known = {one.key for one in present}
        for key in keys:
            if key not in known:
                self.client.create_shard_key(self.name, key)

    def _created(self, options: CollectionOptions) -> bool:
        """Whether this call created the collection; another may have done so meanwhile."""
        params = options.vector_params(len(self.root))
        return create_once(
            self.client,
            self.name,
            vectors_config={self.vector_name: params} if self.vector_name else params,
            **options.settings(),
        )

    def vector(self, layout: Layout, distances: Sequence[str] = (COSINE, DOT)) -> VectorLayout:
        """How the store keeps the vector, if it is one that angles can be measured of.

        Args:
            layout: What the store says about the collection.
            distances: The ways to compare vectors that are wanted.

        Raises:
            CollectionError: There is no such vector, or it has another size, or it is compared or
                stored in a way by which similarities are no cosines.
        """
        named = layout.vectors
        found = named.get(self.vector_name)
        if found is None:
            called = repr(self.vector_name) if self.vector_name else "without a name"
            raise CollectionError(
                f"the collection {self.name!r} has no vector {called}",
                hint=f"It has: {', '.join(repr(name) for name in sorted(named)) or 'none'}",
            )
        if found.size != len(self.root):
            raise CollectionError(
                f"the collection {self.name!r} holds vectors of {found.size} numbers, the root "
                f"has {len(self.root)}",
                hint="Name the model that made them",
            )
        if found.distance not in distances:
            wanted = " or ".join(one.lower() for one in distances)
            raise CollectionError(
                f"the collection {self.name!r} compares vectors by {found.distance} "
                f"distance, not {wanted}",
                hint="Copy the points into a collection that compares by cosine",
            )
        if found.several or found.datatype == BYTES:
            kind = (
                "several to a point" if found.several else "bytes, in which unit vectors are lost"
            )
            raise CollectionError(
                f"the vectors of the collection {self.name!r} are stored as {kind}",
                hint="Use a collection, or another vector of it, with one float vector a point",
            )
        return found


@dataclass(frozen=True)
class CollectionOptions:
    """How `HierarchicalCollection.create` lays out and stores a new collection.

    An option left at its default is not sent: the store's own configuration applies. The embedded
    engine has no shards and no replicas, and refuses the first four.

    Attributes:
        shard_number: Number of shards; with `shard_keys`, of each key.
        replication_factor: Number of copies of each shard.
        write_consistency_factor: Number of copies that must confirm a write.
        shard_keys: The keys by which points are assigned to shards; every write must then name one
            of them (`shard_key`). Empty: the store distributes the points itself.
        on_disk: Whether vectors are read from disk rather than kept in memory.
        float16: Whether vectors are stored in half precision: half the space, and similarities
            accurate to about three decimals.
        hnsw: The search graph.
        quantization: Compressed vectors, which are searched first. Hits are always rescored with
            the originals.
    """

    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    shard_keys: tuple[str, ...] = ()
    on_disk: bool | None = None
    float16: bool = False
    hnsw: models.HnswConfigDiff | None = None
    quantization: models.QuantizationConfig | None = None

    def vector_params(self, dimension: int) -> models.VectorParams:
        """The parameters of the vector, compared by cosine.

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
        """The other arguments of `create_collection`, as far as they are set."""
        given = {
            "shard_number": self.shard_number,
            "replication_factor": self.replication_factor,
            "write_consistency_factor": self.write_consistency_factor,
            "sharding_method": models.ShardingMethod.CUSTOM if self.shard_keys else None,
        }
        return {name: value for name, value in given.items() if value is not None}
