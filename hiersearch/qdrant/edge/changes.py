"""Changes to points, from `qdrant_client.models` to the embedded engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.edge.queries import edge_filter, edge_point_id

if TYPE_CHECKING:
    from qdrant_client import models
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "checked_payload",
    "delete_operation",
    "edge_operation",
    "ids_in",
    "payload_operation",
    "selected_ids",
    "upsert_operation",
]

_MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


def upsert_operation(
    points: models.Batch | Sequence[models.PointStruct],
    update_filter: models.Filter | None = None,
    update_mode: models.UpdateMode | None = None,
) -> edge.UpdateOperation:
    """Insert points, replacing those with the same ids."""
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
        update_mode=None if update_mode is None else _MODES[update_mode.value],
    )


def ids_in(points: models.Batch | Sequence[models.PointStruct]) -> list[int | str]:
    """The ids of points that are to be inserted."""
    numbers = points.ids if isinstance(points, models.Batch) else [point.id for point in points]
    return [edge_point_id(number) for number in numbers]


def selected_ids(selector: object) -> list[int | str] | None:
    """The ids that select points; None if a filter does."""
    ids, chosen = _selection(selector)
    return ids if chosen is None else None


def delete_operation(selector: object) -> edge.UpdateOperation:
    """Delete points, given by their ids or by a filter."""
    ids, chosen = _selection(selector)
    if chosen is not None:
        return edge.UpdateOperation.delete_points_by_filter(chosen)
    return edge.UpdateOperation.delete_points(ids)


def payload_operation(
    action: str, selector: object, values: Any, key: str | None = None
) -> edge.UpdateOperation:
    """Change the payload of points, given by their ids or by a filter.

    Args:
        action: "set_payload", "overwrite_payload" or "delete_payload".
        selector: The points.
        values: The payload, or the keys to delete.
        key: The part of the payload to set.
    """
    values = list(values) if action == "delete_payload" else checked_payload(values)
    ids, chosen = _selection(selector)
    name, target = (action, ids) if chosen is None else (f"{action}_by_filter", chosen)
    operation: Callable[..., edge.UpdateOperation] = getattr(edge.UpdateOperation, name)
    return operation(target, values) if key is None else operation(target, values, key)


def edge_operation(operation: object) -> edge.UpdateOperation:
    """The engine's form of an operation of `batch_update_points`.

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
    """The payload, after checking that the engine can store it.

    Raises:
        StoreError: A string is not valid Unicode, a number is not finite, or a value is not JSON.
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
        _check_parts(value, key)
    elif value is not None and not isinstance(value, int):
        raise StoreError(
            f"the payload field {key!r} holds a {type(value).__name__}",
            hint="Payloads hold JSON: text, numbers, booleans, lists and objects",
        )


def _check_parts(values: Sequence[object], key: str) -> None:
    for part in values:
        if type(part) is not str or not part.isascii():  # plain text needs no more
            _check(part, key)


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
    """The ids or the filter that select points."""
    if isinstance(selector, (list, tuple)):
        return [edge_point_id(number) for number in selector], None
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
