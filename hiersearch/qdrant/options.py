"""How a new collection is laid out and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from qdrant_client import models

__all__ = ["CollectionOptions", "Quantization"]

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
