"""Settings of a collection in the embedded engine: as Qdrant's models, and as the engine's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.layout import Layout, VectorLayout

if TYPE_CHECKING:
    from pydantic import BaseModel
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "CONFIG_FILE",
    "METADATA_FILE",
    "collection_info",
    "index_schema",
    "shard_config",
    "shard_layout",
    "stored_metadata",
]

CONFIG_FILE = "edge_config.json"
"""File of the engine with the configuration of a collection."""

METADATA_FILE = "metadata.json"
"""File with the metadata of a collection, which the engine itself does not keep."""

# By the names that Qdrant gives to the values of its client's enumerations.
_DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Dot": edge.Distance.Dot,
    "Euclid": edge.Distance.Euclid,
    "Manhattan": edge.Distance.Manhattan,
}

_DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
}

_GRAPH = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
"""The engine's defaults: it must be told all of them if one is changed."""

_PLAIN_INDEXES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "uuid": edge.PayloadSchemaType.Uuid,
}


@cache
def _indexes_with_params() -> dict[type, Any]:
    return {
        models.KeywordIndexParams: edge.KeywordIndexParams,
        models.IntegerIndexParams: edge.IntegerIndexParams,
        models.FloatIndexParams: edge.FloatIndexParams,
        models.DatetimeIndexParams: edge.DatetimeIndexParams,
    }


def shard_config(
    vectors: models.VectorParams | Mapping[str, models.VectorParams], exact_up_to: int
) -> edge.EdgeConfig:
    """The engine's configuration of a new collection."""
    named = {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors)
    # The engine counts deleted points too: allow a quarter more for those.
    kilobytes = max(params.size for params in named.values()) * 5 * exact_up_to // 1024
    return edge.EdgeConfig(
        vectors={name: _vector(params) for name, params in named.items()},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=kilobytes),
    )


def _vector(params: models.VectorParams) -> edge.EdgeVectorParams:
    refuse(memory=params.memory, multivector_config=params.multivector_config)
    datatype = None if params.datatype is None else _DATATYPES.get(params.datatype.value)
    if datatype is None:
        refuse(datatype=params.datatype)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=_DISTANCES[params.distance.value],
        on_disk=params.on_disk,
        datatype=datatype,
        hnsw_config=None if params.hnsw_config is None else _graph(params.hnsw_config),
        quantization_config=None
        if params.quantization_config is None
        else _quantization(params.quantization_config),
    )


def _graph(hnsw: models.HnswConfigDiff) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(**{**_GRAPH, **_settings(hnsw)})


def _quantization(quantization: BaseModel) -> Any:
    # Each kind is a model with one field, whose class is called as in the engine.
    [field] = type(quantization).model_fields
    config = getattr(quantization, field)
    return getattr(edge, type(config).__name__)(**_settings(config))


def _settings(config: BaseModel) -> dict[str, Any]:
    """What is set, with the engine's enumerations, whose names differ in case only."""
    return {
        name: _engines(value) if isinstance(value, Enum) else value
        for name, value in config.model_dump(exclude_none=True).items()
    }


def _engines(value: Enum) -> Any:
    kind = getattr(edge, type(value).__name__)
    wanted = value.name.replace("_", "").lower()
    [name] = [name for name in dir(kind) if name.replace("_", "").lower() == wanted]
    return getattr(kind, name)


def index_schema(schema: object) -> Any:
    """The engine's form of a payload index.

    Args:
        schema: A `PayloadSchemaType`, its name, or the parameters of an index.

    Raises:
        StoreError: The embedded store does not offer that kind of index.
    """
    if isinstance(schema, str):
        plain = _PLAIN_INDEXES.get(schema.value if isinstance(schema, Enum) else schema)
        if plain is not None:
            return plain
    params = _indexes_with_params().get(type(schema))
    if params is None:
        raise StoreError(f"the embedded store has no payload index of the kind {schema!r}")
    described: Any = schema
    given = described.model_dump(exclude={"type"}, exclude_none=True)
    refuse(memory=given.pop("memory", None))
    return params(**given)


def collection_info(folder: Path, shard: edge.EdgeShard) -> models.CollectionInfo:
    """What the engine can say about a collection; everything else has its default."""
    info = shard.info()
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    vectors = {
        name: models.VectorParams(
            size=params["size"],
            distance=models.Distance(params["distance"]),
            on_disk=params.get("on_disk"),
            datatype=params.get("datatype"),
            hnsw_config=params.get("hnsw_config"),
            quantization_config=params.get("quantization_config"),
        )
        for name, params in config["vectors"].items()
    }
    hnsw = config.get("hnsw_config") or {}
    optimizers = config.get("optimizers") or {}
    return models.CollectionInfo(
        status=models.CollectionStatus.GREEN,
        optimizer_status=models.OptimizersStatusOneOf.OK,
        points_count=info.points_count,
        indexed_vectors_count=info.indexed_vectors_count,
        segments_count=info.segments_count,
        config=models.CollectionConfig(
            params=models.CollectionParams(
                vectors=vectors[""] if set(vectors) == {""} else vectors
            ),
            hnsw_config=models.HnswConfig(
                m=hnsw.get("m", 16),
                ef_construct=hnsw.get("ef_construct", 100),
                full_scan_threshold=hnsw.get("full_scan_threshold", 10_000),
            ),
            optimizer_config=models.OptimizersConfig(
                default_segment_number=0,
                flush_interval_sec=0,
                indexing_threshold=optimizers.get("indexing_threshold"),
            ),
            metadata=stored_metadata(folder),
        ),
        payload_schema={
            key: models.PayloadIndexInfo(
                data_type=models.PayloadSchemaType(_index_type(index.data_type)),
                points=index.points,
            )
            for key, index in info.payload_schema.items()
        },
    )


def shard_layout(folder: Path, shard: edge.EdgeShard) -> Layout:
    """The same, as far as it matters to this package."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return Layout(
        vectors={
            name: VectorLayout(
                size=params["size"],
                distance=params["distance"],
                datatype=params.get("datatype"),
                quantized=params.get("quantization_config") is not None,
            )
            for name, params in config["vectors"].items()
        },
        indexes={
            key: _index_type(index.data_type) for key, index in shard.info().payload_schema.items()
        },
        metadata=stored_metadata(folder) or {},
    )


def stored_metadata(folder: Path) -> dict[str, Any] | None:
    """The metadata of a collection; None if it has none.

    Raises:
        StoreError: They are damaged.
    """
    file = folder / METADATA_FILE
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{file} is damaged ({error})") from error
    return dict(content)


def _index_type(data_type: edge.PayloadSchemaType) -> str:
    # The engine's enumerations cannot be hashed.
    return next(ours for ours, theirs in _PLAIN_INDEXES.items() if theirs == data_type)
