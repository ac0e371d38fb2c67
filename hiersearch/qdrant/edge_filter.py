"""Filters, from `qdrant_client.models` to the embedded engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge_errors import refuse

__all__ = ["edge_condition", "edge_filter"]


def edge_filter(value: models.Filter | None) -> edge.Filter | None:
    """The engine's filter.

    Raises:
        StoreError: A condition is of a kind that the embedded store does not take.
    """
    if value is None:
        return None
    if not isinstance(value, models.Filter):
        raise StoreError(f"{value!r} is not a filter", hint="Give a qdrant_client.models.Filter")
    at_least = value.min_should
    return edge.Filter(
        must=_conditions(value.must),
        should=_conditions(value.should),
        must_not=_conditions(value.must_not),
        min_should=None
        if at_least is None
        else edge.MinShould(_conditions(at_least.conditions) or [], at_least.min_count),
    )


def edge_condition(value: object) -> Any:
    """One condition of a filter or of a formula.

    Raises:
        StoreError: The condition is of a kind that the embedded store does not take.
    """
    if isinstance(value, models.FieldCondition):
        return _field(value)
    if isinstance(value, models.Filter):
        return edge_filter(value)
    if isinstance(value, models.IsEmptyCondition):
        return edge.IsEmptyCondition(value.is_empty.key)
    if isinstance(value, models.IsNullCondition):
        return edge.IsNullCondition(value.is_null.key)
    if isinstance(value, models.HasIdCondition):
        return edge.HasIdCondition(set(value.has_id))
    if isinstance(value, models.HasVectorCondition):
        return edge.HasVectorCondition(value.has_vector)
    if isinstance(value, models.NestedCondition):
        inner = edge_filter(value.nested.filter)
        assert inner is not None
        return edge.NestedCondition(value.nested.key, inner)
    raise StoreError(f"the embedded store does not take the condition {value!r}")


def _conditions(values: object) -> list[Any] | None:
    if values is None:
        return None
    return [edge_condition(value) for value in (values if isinstance(values, list) else [values])]


def _field(value: models.FieldCondition) -> edge.FieldCondition:
    refuse(
        geo_bounding_box=value.geo_bounding_box,
        geo_radius=value.geo_radius,
        geo_polygon=value.geo_polygon,
    )
    counted = value.values_count
    return edge.FieldCondition(
        key=value.key,
        match=None if value.match is None else _match(value.match),
        range=None if value.range is None else _range(value.range),
        values_count=None
        if counted is None
        else edge.ValuesCount(lt=counted.lt, gt=counted.gt, lte=counted.lte, gte=counted.gte),
        is_empty=value.is_empty,
        is_null=value.is_null,
    )


_MATCHES: dict[type, Callable[[Any], Any]] = {
    models.MatchValue: lambda match: edge.MatchValue(match.value),
    models.MatchAny: lambda match: edge.MatchAny(list(match.any)),
    models.MatchExcept: lambda match: edge.MatchExcept(list(match.except_)),
    models.MatchText: lambda match: edge.MatchText(match.text),
    models.MatchPhrase: lambda match: edge.MatchPhrase(match.phrase),
}


def _match(match: object) -> Any:
    convert = _MATCHES.get(type(match))
    if convert is None:
        raise StoreError(f"the embedded store does not take the condition {match!r}")
    return convert(match)


def _range(value: models.RangeInterface) -> Any:
    if isinstance(value, models.DatetimeRange):
        bounds = (value.gte, value.gt, value.lte, value.lt)
        return edge.RangeDateTime(*(_moment(bound) for bound in bounds))
    return edge.RangeFloat(gte=value.gte, gt=value.gt, lte=value.lte, lt=value.lt)


def _moment(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
