"""Changes to points, from `qdrant_client.models` to the embedded engine.

The shape of a collection, between `qdrant_client.models` and the embedded engine.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from pydantic import BaseModel
from qdrant_client import models

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.convert_reads import edge_filter, edge_point_id
from hiersearch.qdrant.edge.failures import refuse

__all__ = [
    "collection_info",
    "delete_operation",
    "edge_operation",
    "index_schema",
    "merge_metadata",
    "payload_operation",
    "shard_config",
    "upsert_operation",
]

_MODES = {
    models.UpdateMode.UPSERT: edge.UpdateMode.Upsert,
    models.UpdateMode.INSERT_ONLY: edge.UpdateMode.InsertOnly,
    models.UpdateMode.UPDATE_ONLY: edge.UpdateMode.UpdateOnly,
}


def upsert_operation(
    points: models.Batch | Sequence[models.PointStruct],
    update_filter: models.Filter | None = None,
    update_mode: models.UpdateMode | None = None,
) -> edge.UpdateOperation:
    """Insert points, or put them in the place of those with the same ids."""
    if isinstance(points, models.Batch):
        rows: Iterable[tuple[Any, Any, Any]] = _rows(points)
    else:
        rows = ((point.id, point.vector, point.payload) for point in points)
    return edge.UpdateOperation.upsert_points(
        [
            edge.Point(edge_point_id(number), vector, checked_payload(payload or {}))
            for number, vector, payload in rows
        ],
        condition=edge_filter(update_filter),
        update_mode=None if update_mode is None else _MODES[update_mode],
    )


def delete_operation(selector: object) -> edge.UpdateOperation:
    """Delete points, by their ids or by a filter."""
    ids, chosen = _selection(selector)
    if chosen is not None:
        return edge.UpdateOperation.delete_points_by_filter(chosen)
    return edge.UpdateOperation.delete_points(ids)


def payload_operation(
    action: str, selector: object, values: Any, key: str | None = None
) -> edge.UpdateOperation:
    """Change the payload of points, chosen by their ids or by a filter.

    Args:
        action: "set_payload", "overwrite_payload" or "delete_payload".
        selector: The points.
        values: The payload; the keys where it is deleted.
        key: The part of the payload to set.
    """
    values = list(values) if action == "delete_payload" else checked_payload(values)
    ids, chosen = _selection(selector)
    name, target = (action, ids) if chosen is None else (f"{action}_by_filter", chosen)
    operation: Callable[..., edge.UpdateOperation] = getattr(edge.UpdateOperation, name)
    return operation(target, values) if key is None else operation(target, values, key)


def edge_operation(operation: object) -> edge.UpdateOperation:
    """One operation of `batch_update_points`.

    Raises:
        StoreError: The operation is of a kind that the embedded store does not take.
    """
    if isinstance(operation, models.UpsertOperation):
        upsert = operation.upsert
        refuse(shard_key=upsert.shard_key)
        points = upsert.batch if isinstance(upsert, models.PointsBatch) else upsert.points
        return upsert_operation(points, upsert.update_filter, upsert.update_mode)
    if isinstance(operation, models.DeleteOperation):
        return delete_operation(operation.delete)
    if isinstance(operation, models.SetPayloadOperation):
        change = operation.set_payload
        return payload_operation("set_payload", _of(change), change.payload, change.key)
    if isinstance(operation, models.OverwritePayloadOperation):
        change = operation.overwrite_payload
        return payload_operation("overwrite_payload", _of(change), change.payload, change.key)
    if isinstance(operation, models.DeletePayloadOperation):
        removal = operation.delete_payload
        return payload_operation("delete_payload", _of(removal), removal.keys)
    raise StoreError(f"the embedded store does not take {type(operation).__name__}")


def checked_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload, once it is sure that the engine can keep it.

    Raises:
        StoreError: A string is not valid Unicode (the engine would be handed bytes it cannot
            encode), or a number is not finite.
    """
    for key, value in payload.items():
        _check(key, key)
        _check(value, key)
    return dict(payload)


def _check(value: object, key: str) -> None:
    if isinstance(value, str):
        if not _is_unicode(value):
            raise StoreError(
                f"the payload field {key!a} is not valid Unicode: {value!a}",
                hint="Encode it first, as file names are (path_to_text)",
            )
    elif isinstance(value, float):
        if not -float("inf") < value < float("inf"):
            raise StoreError(f"the payload field {key!r} is not a finite number: {value}")
    elif isinstance(value, Mapping):
        for name, part in value.items():
            _check(name, key)
            _check(part, key)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check(part, key)
    elif value is not None and not isinstance(value, int):
        raise StoreError(
            f"the payload field {key!r} holds a {type(value).__name__}",
            hint="Payloads hold JSON: text, numbers, truth values, lists and objects",
        )


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _rows(batch: models.Batch) -> Iterable[tuple[Any, Any, Any]]:
    vectors: Any = batch.vectors
    if isinstance(vectors, Mapping):
        names = list(vectors)
        vectors = [
            dict(zip(names, row, strict=True)) for row in zip(*vectors.values(), strict=True)
        ]
    payloads: Sequence[Any] = batch.payloads or [None] * len(batch.ids)
    return zip(batch.ids, vectors, payloads, strict=True)


def _of(change: models.SetPayload | models.DeletePayload) -> object:
    refuse(shard_key=change.shard_key)
    return change.points if change.points is not None else change.filter


def _selection(selector: object) -> tuple[list[Any], edge.Filter | None]:
    """The ids, or the filter, that say which points are meant."""
    if isinstance(selector, models.FilterSelector):
        refuse(shard_key=selector.shard_key)
        selector = selector.filter
    if isinstance(selector, models.Filter):
        return [], edge_filter(selector)
    if isinstance(selector, models.PointIdsList):
        refuse(shard_key=selector.shard_key)
        selector = selector.points
    if not isinstance(selector, (list, tuple)):
        raise StoreError(
            f"{selector!r} does not say which points are meant", hint="Give ids or a filter"
        )
    return [edge_point_id(number) for number in selector], None


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
