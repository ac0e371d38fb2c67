"""The shape of a collection, between `qdrant_client.models` and the embedded engine."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from pydantic import BaseModel
from qdrant_client import models

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge_errors import refuse

__all__ = ["collection_info", "index_schema", "merge_metadata", "shard_config"]

_METADATA = "metadata.json"
"""What the user of a collection says of it; the engine itself keeps no such thing."""

_DISTANCES = {
    models.Distance.COSINE: edge.Distance.Cosine,
    models.Distance.DOT: edge.Distance.Dot,
    models.Distance.EUCLID: edge.Distance.Euclid,
    models.Distance.MANHATTAN: edge.Distance.Manhattan,
}

_DATATYPES = {
    models.Datatype.FLOAT32: edge.VectorStorageDatatype.Float32,
    models.Datatype.FLOAT16: edge.VectorStorageDatatype.Float16,
}

_GRAPH = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
"""The engine's defaults, which it must be told where one of them is another."""

_PLAIN_INDEXES = {
    models.PayloadSchemaType.KEYWORD: edge.PayloadSchemaType.Keyword,
    models.PayloadSchemaType.INTEGER: edge.PayloadSchemaType.Integer,
    models.PayloadSchemaType.FLOAT: edge.PayloadSchemaType.Float,
    models.PayloadSchemaType.BOOL: edge.PayloadSchemaType.Bool,
    models.PayloadSchemaType.DATETIME: edge.PayloadSchemaType.Datetime,
    models.PayloadSchemaType.UUID: edge.PayloadSchemaType.Uuid,
}

_INDEXES_WITH_PARAMS: dict[type, Any] = {
    models.KeywordIndexParams: edge.KeywordIndexParams,
    models.IntegerIndexParams: edge.IntegerIndexParams,
    models.FloatIndexParams: edge.FloatIndexParams,
    models.DatetimeIndexParams: edge.DatetimeIndexParams,
}


def shard_config(
    vectors: models.VectorParams | Mapping[str, models.VectorParams],
    *,
    exact_up_to: int,
) -> edge.EdgeConfig:
    """The engine's configuration for a new collection.

    Args:
        vectors: The parameters of the one unnamed vector, or of the named ones.
        exact_up_to: Number of points up to which `optimize` builds no graph, because a pass over
            all of them is fast enough and exact.
    """
    named = {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors)
    # The engine counts deleted points too: a quarter more leaves room for those.
    kilobytes = max(params.size for params in named.values()) * 5 * exact_up_to // 1024
    return edge.EdgeConfig(
        vectors={name: _vector(params) for name, params in named.items()},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=kilobytes),
    )


def _vector(params: models.VectorParams) -> edge.EdgeVectorParams:
    refuse(memory=params.memory, multivector_config=params.multivector_config)
    if params.datatype is not None and params.datatype not in _DATATYPES:
        refuse(datatype=params.datatype)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=_DISTANCES[params.distance],
        on_disk=params.on_disk,
        datatype=None if params.datatype is None else _DATATYPES[params.datatype],
        hnsw_config=None if params.hnsw_config is None else _graph(params.hnsw_config),
        quantization_config=None
        if params.quantization_config is None
        else _quantization(params.quantization_config),
    )


def _graph(hnsw: models.HnswConfigDiff) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(**{**_GRAPH, **_settings(hnsw)})


def _quantization(quantization: BaseModel) -> Any:
    # Each kind is a model with one field, whose own class has the engine's name.
    [field] = type(quantization).model_fields
    config = getattr(quantization, field)
    return getattr(edge, type(config).__name__)(**_settings(config))


def _settings(config: BaseModel) -> dict[str, Any]:
    """What is set, with the engine's enumerations, which have the same names but for their case."""
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
    """A payload index, from a `PayloadSchemaType`, its name, or the parameters of one.

    Raises:
        StoreError: The embedded store does not offer that kind of index.
    """
    if isinstance(schema, str):
        try:
            return _PLAIN_INDEXES[models.PayloadSchemaType(schema)]
        except (KeyError, ValueError):
            pass
    params = _INDEXES_WITH_PARAMS.get(type(schema))
    if params is None or not isinstance(schema, BaseModel):
        raise StoreError(f"the embedded store has no payload index of the kind {schema!r}")
    given = schema.model_dump(exclude={"type"}, exclude_none=True)
    refuse(memory=given.pop("memory", None))
    return params(**given)


def collection_info(folder: Path, shard: edge.EdgeShard) -> models.CollectionInfo:
    """What the engine can say about a collection; fields that it does not have are defaults."""
    info = shard.info()
    config = json.loads((folder / "edge_config.json").read_text(encoding="utf-8"))
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
            metadata=_metadata(folder),
        ),
        payload_schema={
            key: models.PayloadIndexInfo(
                data_type=_index_type(index.data_type), points=index.points
            )
            for key, index in info.payload_schema.items()
        },
    )


def merge_metadata(folder: Path, changes: Mapping[str, Any]) -> None:
    """Change what is said of a collection, whole or not at all; null removes a key.

    Raises:
        StoreError: It is not JSON.
    """
    merged = {**(_metadata(folder) or {}), **changes}
    merged = {key: value for key, value in merged.items() if value is not None}
    try:
        content = json.dumps(merged, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"the metadata of a collection is not JSON ({error})") from error
    handle, draft = tempfile.mkstemp(prefix=".metadata-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(folder / _METADATA)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _metadata(folder: Path) -> dict[str, Any] | None:
    file = folder / _METADATA
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{file} is damaged ({error})") from error
    return dict(content)


def _index_type(data_type: edge.PayloadSchemaType) -> models.PayloadSchemaType:
    # The engine's enumerations cannot be hashed.
    return next(ours for ours, theirs in _PLAIN_INDEXES.items() if theirs == data_type)
