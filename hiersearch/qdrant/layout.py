"""How a store keeps a collection, as far as it matters here: vectors, indexes, metadata.

Qdrant's own description is a tree of models whose import alone takes longer than a query; the
embedded engine gives this one instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdrant_client import models

__all__ = ["BYTES", "COSINE", "CUSTOM", "DOT", "Layout", "VectorLayout", "layout_of"]

COSINE = "Cosine"
DOT = "Dot"
"""Qdrant's names for two ways to compare vectors."""

BYTES = "uint8"
"""Qdrant's name for numbers that are stored as bytes."""

CUSTOM = "custom"
"""Qdrant's name for points that find their shard by a key that each write names."""


@dataclass(frozen=True)
class VectorLayout:
    """One of the vectors of each point.

    Attributes:
        size: How many numbers it has.
        distance: Qdrant's name for how vectors are compared.
        datatype: Qdrant's name for how a number is stored; None is a float of 32 bits.
        several: Whether a point has several vectors of this name.
        quantized: Whether it is compressed.
    """

    size: int
    distance: str
    datatype: str | None = None
    several: bool = False
    quantized: bool = False


@dataclass(frozen=True)
class Layout:
    """A collection as its store describes it.

    Attributes:
        vectors: By name; "" is the unnamed one.
        indexes: Qdrant's name for the type of each payload index, by field.
        metadata: What was written down beside the points.
        strict: What a server's strict mode allows; None where it has none.
        sharding: Qdrant's name for how points find their shard; None where that is not said.
    """

    vectors: Mapping[str, VectorLayout]
    indexes: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    strict: models.StrictModeConfigOutput | None = None
    sharding: str | None = None


def layout_of(info: models.CollectionInfo) -> Layout:
    """What a server says about a collection, as far as it matters here."""
    config, params = info.config, info.config.params
    vectors = params.vectors
    named = vectors if isinstance(vectors, dict) else {"": vectors} if vectors else {}
    strict = config.strict_mode_config
    return Layout(
        vectors={
            name: VectorLayout(
                size=one.size,
                distance=one.distance.value,
                datatype=None if one.datatype is None else one.datatype.value,
                several=one.multivector_config is not None,
                quantized=one.quantization_config is not None
                or config.quantization_config is not None,
            )
            for name, one in named.items()
        },
        indexes={key: one.data_type.value for key, one in info.payload_schema.items()},
        metadata=config.metadata or {},
        strict=strict if strict is not None and strict.enabled else None,
        sharding=None if params.sharding_method is None else params.sharding_method.value,
    )
