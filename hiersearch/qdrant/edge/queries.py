"""Filters, queries and their answers, between `qdrant_client.models` and the embedded engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from hiersearch.errors import StoreError
from hiersearch.qdrant.edge.failures import refuse
from hiersearch.qdrant.filters import HasValue
from hiersearch.qdrant.points import plain_id

if TYPE_CHECKING:
    from qdrant_client import models

    # `qdrant_client.models` has another class of that name in its place.
    from qdrant_client.http.models import QueryResponse

    from hiersearch.qdrant.filters import Filter
    from hiersearch.qdrant.limits import Search
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "edge_batched",
    "edge_condition",
    "edge_expression",
    "edge_filter",
    "edge_order",
    "edge_payload",
    "edge_point_id",
    "edge_prefetches",
    "edge_query",
    "edge_request",
    "edge_search",
    "edge_search_params",
    "query_response",
    "record",
    "scored_point",
]


def edge_request(
    *,
    limit: int | None,
    offset: int | None = None,
    query: object = None,
    using: str | None = None,
    prefetch: models.Prefetch | Sequence[models.Prefetch] | None = None,
    matching: models.Filter | None = None,
    params: models.SearchParams | None = None,
    with_payload: object = False,
    with_vectors: Any = False,
    score_threshold: float | None = None,
) -> edge.QueryRequest:
    """The engine's form of the arguments of `query_points`.

    Raises:
        StoreError: An argument is of a kind that the embedded store does not take.
    """
    return edge.QueryRequest(
        limit=10 if limit is None else limit,
        offset=offset,
        query=edge_query(query, using),
        prefetches=edge_prefetches(prefetch),
        with_vector=with_vectors,
        with_payload=edge_payload(with_payload),
        filter=edge_filter(matching),
        score_threshold=score_threshold,
        params=edge_search_params(params),
    )


def edge_query(query: object, using: str | None) -> Any:
    """The engine's form of a query.

    Args:
        query: A vector, or a nearest, formula or order-by query, or None (order by id).
        using: The name of the vector to search; None means the unnamed one.

    Raises:
        StoreError: The query is of another kind.
    """
    if query is None:
        return None
    if not isinstance(query, list | np.ndarray) and isinstance(query, models.NearestQuery):
        refuse(mmr=query.mmr)
        query = query.nearest
    if isinstance(query, np.ndarray):
        query = query.tolist()
    if _is_vector(query):
        return edge.Query.Nearest(query, using=using or None)
    if isinstance(query, models.FormulaQuery):
        return edge.Formula(edge_expression(query.formula), defaults=query.defaults or None)
    if isinstance(query, models.OrderByQuery):
        return edge_order(query.order_by)
    raise StoreError(
        f"the embedded store does not take a query of the kind {type(query).__name__}",
        hint="Give a vector, a formula, or an order",
    )


def edge_order(order: models.OrderByInterface | None) -> edge.OrderBy | None:
    """The engine's form of the order of a scroll: a key or an `OrderBy`."""
    if order is None or isinstance(order, str):
        return None if order is None else edge.OrderBy(order)
    refuse(start_from=order.start_from)
    descending = order.direction == models.Direction.DESC
    return edge.OrderBy(
        order.key, direction=edge.Direction.Desc if descending else edge.Direction.Asc
    )


def edge_prefetches(
    prefetch: models.Prefetch | Sequence[models.Prefetch] | None,
) -> list[edge.Prefetch] | None:
    """The engine's form of prefetches, including nested ones."""
    if prefetch is None:
        return None
    single = [prefetch] if isinstance(prefetch, models.Prefetch) else prefetch
    return [_prefetch(one) for one in single]


def _prefetch(one: models.Prefetch) -> edge.Prefetch:
    refuse(lookup_from=one.lookup_from)
    return edge.Prefetch(
        limit=10 if one.limit is None else one.limit,
        query=edge_query(one.query, one.using),
        prefetches=edge_prefetches(one.prefetch),
        params=edge_search_params(one.params),
        filter=edge_filter(one.filter),
        score_threshold=one.score_threshold,
    )


def edge_search(search: Search) -> edge.SearchParams:
    """The engine's form of how to search."""
    return edge.SearchParams(
        hnsw_ef=search.hnsw_ef,
        exact=search.exact,
        indexed_only=False,
        quantization=None
        if search.oversampling is None
        else edge.QuantizationSearchParams(
            ignore=False, rescore=True, oversampling=search.oversampling
        ),
    )


def edge_search_params(params: models.SearchParams | None) -> edge.SearchParams | None:
    """The engine's form of search parameters."""
    if params is None:
        return None
    refuse(idf=params.idf, acorn=params.acorn)
    quantized = params.quantization
    return edge.SearchParams(
        hnsw_ef=params.hnsw_ef,
        exact=bool(params.exact),
        indexed_only=bool(params.indexed_only),
        quantization=None
        if quantized is None
        else edge.QuantizationSearchParams(
            ignore=bool(quantized.ignore),
            rescore=quantized.rescore,
            oversampling=quantized.oversampling,
        ),
    )


@cache
def _expressions() -> dict[type, Callable[[Any], Any]]:
    return {
        models.MultExpression: lambda e: edge.Expression.Mult(_all(e.mult)),
        models.SumExpression: lambda e: edge.Expression.Sum(_all(e.sum)),
        models.NegExpression: lambda e: edge.Expression.Neg(edge_expression(e.neg)),
        models.AbsExpression: lambda e: edge.Expression.Abs(edge_expression(e.abs)),
        models.SqrtExpression: lambda e: edge.Expression.Sqrt(edge_expression(e.sqrt)),
        models.DivExpression: lambda e: edge.Expression.Div(
            edge_expression(e.div.left), edge_expression(e.div.right), e.div.by_zero_default
        ),
        models.LinDecayExpression: lambda e: _decay(edge.DecayKind.Lin, e.lin_decay),
        models.ExpDecayExpression: lambda e: _decay(edge.DecayKind.Exp, e.exp_decay),
        models.GaussDecayExpression: lambda e: _decay(edge.DecayKind.Gauss, e.gauss_decay),
    }


def edge_expression(expression: object) -> Any:
    """The engine's form of an expression in a formula.

    Raises:
        StoreError: The expression is of a kind that the embedded store does not take.
    """
    if isinstance(expression, (int, float)):
        return edge.Expression.Constant(float(expression))
    if isinstance(expression, str):
        return edge.Expression.Variable(expression)
    convert = _expressions().get(type(expression))
    if convert is not None:
        return convert(expression)
    if isinstance(expression, models.FieldCondition):
        return edge.Expression.Condition(edge_condition(expression))
    raise StoreError(f"the embedded store does not take {expression!r} in a formula")


def _all(expressions: Sequence[object]) -> list[Any]:
    return [edge_expression(one) for one in expressions]


def _decay(kind: edge.DecayKind, params: models.DecayParamsExpression) -> Any:
    return edge.Expression.Decay(
        kind,
        edge_expression(params.x),
        None if params.target is None else edge_expression(params.target),
        params.midpoint,
        params.scale,
    )


def edge_payload(selection: object) -> Any:
    """The engine's form of `with_payload`."""
    if isinstance(selection, bool) or selection is None:
        return bool(selection)
    if isinstance(selection, Sequence):
        return list(selection)
    if isinstance(selection, models.PayloadSelectorInclude):
        return list(selection.include)
    if isinstance(selection, models.PayloadSelectorExclude):
        return edge.PayloadSelector.Exclude(list(selection.exclude))
    raise StoreError(f"the embedded store does not take with_payload={selection!r}")


_PLAIN_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def edge_point_id(value: object) -> int | str:
    """The engine's form of a point's id.

    Raises:
        StoreError: The id is neither an unsigned integer nor a UUID.
    """
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return value
    if isinstance(value, str):
        if _PLAIN_UUID.fullmatch(value):
            return value  # as it is: `UUID` takes three times as long
        try:
            return str(UUID(value))
        except ValueError:
            pass
    raise StoreError(
        f"{value!r} cannot be the id of a point", hint="Give an unsigned integer or a UUID"
    )


def record(point: edge.Record) -> models.Record:
    """A point that was read, as `qdrant_client` returns it."""
    if point.vector is None:
        return models.Record(
            id=plain_id(point.id), payload=point.payload, order_value=point.order_value
        )
    # Validating the numbers of a vector would take longer than everything else.
    return models.Record.model_construct(
        id=plain_id(point.id),
        payload=point.payload,
        vector=point.vector,
        shard_key=None,  # looking up the default would double the time that this takes
        order_value=point.order_value,
    )


def scored_point(point: edge.ScoredPoint) -> models.ScoredPoint:
    """A point that was found, as `qdrant_client` returns it."""
    if point.vector is None:
        return models.ScoredPoint(
            id=plain_id(point.id),
            version=point.version,
            score=point.score,
            payload=point.payload,
            order_value=point.order_value,
        )
    return models.ScoredPoint.model_construct(
        id=plain_id(point.id),
        version=point.version,
        score=point.score,
        payload=point.payload,
        vector=point.vector,
        order_value=point.order_value,
    )


def _is_vector(query: object) -> TypeGuard[list[float]]:
    return isinstance(query, list) and all(isinstance(number, (int, float)) for number in query)


def edge_filter(value: Filter | HasValue | None) -> edge.Filter | None:
    """The engine's form of a filter.

    Raises:
        StoreError: A condition is of a kind that the embedded store does not take.
    """
    if value is None:
        return None
    if isinstance(value, HasValue):
        has_value = edge.FieldCondition(key=value.field, match=edge.MatchValue(value.value))
        within = edge_filter(value.within)
        return edge.Filter(must=[has_value] if within is None else [has_value, within])
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
    """The engine's form of a condition in a filter or a formula.

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


@cache
def _matches() -> dict[type, Callable[[Any], Any]]:
    return {
        models.MatchValue: lambda match: edge.MatchValue(match.value),
        models.MatchAny: lambda match: edge.MatchAny(list(match.any)),
        models.MatchExcept: lambda match: edge.MatchExcept(list(match.except_)),
        models.MatchText: lambda match: edge.MatchText(match.text),
        models.MatchPhrase: lambda match: edge.MatchPhrase(match.phrase),
    }


def _match(match: object) -> Any:
    convert = _matches().get(type(match))
    if convert is None:
        raise StoreError(f"the embedded store does not take the condition {match!r}")
    if isinstance(match, models.MatchValue) and isinstance(match.value, bool):
        # Its Python binding turns True into 1, which no boolean equals.
        raise StoreError("the embedded store cannot match true and false")
    return convert(match)


def _range(value: models.RangeInterface) -> Any:
    if isinstance(value, models.DatetimeRange):
        bounds = (value.gte, value.gt, value.lte, value.lt)
        return edge.RangeDateTime(*(_moment(bound) for bound in bounds))
    return edge.RangeFloat(gte=value.gte, gt=value.gt, lte=value.lte, lt=value.lt)


def _moment(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def edge_batched(request: models.QueryRequest) -> edge.QueryRequest:
    """One query of a batch, for the engine."""
    refuse(shard_key=request.shard_key, lookup_from=request.lookup_from)
    return edge_request(
        limit=request.limit,
        offset=request.offset,
        query=request.query,
        using=request.using,
        prefetch=request.prefetch,
        matching=request.filter,
        params=request.params,
        with_payload=request.with_payload,
        with_vectors=request.with_vector,
        score_threshold=request.score_threshold,
    )


def query_response(points: Sequence[edge.ScoredPoint]) -> QueryResponse:
    """What the engine found, as a client answers it."""
    from qdrant_client.http.models import QueryResponse

    return QueryResponse(points=[scored_point(point) for point in points])
