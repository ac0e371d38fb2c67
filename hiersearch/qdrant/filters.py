"""Conditions on the payloads of points, built without knowing Qdrant's packages.

Each function returns a `Filter`, and filters combine into filters. Pass one wherever a collection
takes `filter=`.

Examples:
    >>> recent = between("year", gte=2020)
    >>> birds = equals("concepts", "bird")
    >>> hits = collection.nearest(vector, limit=10, filter=all_of(recent, none_of(birds)))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from hiersearch.qdrant.points import ROOT_DISTANCE

if TYPE_CHECKING:
    from qdrant_client import models

    Filter: TypeAlias = models.Filter
    """A condition on points: they match, or they do not."""
else:
    from hiersearch.qdrant import client_models as models

__all__ = [
    "Filter",
    "HasValue",
    "all_of",
    "any_of",
    "attached",
    "between",
    "between_times",
    "either",
    "equals",
    "has_field",
    "lacks_any",
    "none_of",
    "plain_filter",
]


def __getattr__(name: str) -> object:
    if name == "Filter":
        return models.Filter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class HasValue:
    """What `equals` says, and perhaps another filter, without an object of Qdrant's.

    To count and to find in the embedded engine, where importing Qdrant's client would take longer
    than the answer.

    Attributes:
        field: The name of a payload field.
        value: The value.
        within: What points must match as well.
    """

    field: str
    value: str
    within: Filter | None = None

    def filter(self) -> Filter:
        """The same as a filter."""
        return all_of(equals(self.field, self.value), self.within)


def plain_filter(one: Filter | HasValue | None) -> Filter | None:
    """A filter as clients take it."""
    return one.filter() if isinstance(one, HasValue) else one


def equals(field: str, value: str | int | bool) -> Filter:
    """Points whose field has a value; of a list, points whose list contains it.

    Args:
        field: The name of a payload field.
        value: The value. Fields of fractions are matched by `between`.
    """
    return _only(models.FieldCondition(key=field, match=models.MatchValue(value=value)))


def any_of(field: str, values: Sequence[str] | Sequence[int]) -> Filter:
    """Points whose field has one of some values; of a list, points whose list contains one.

    Args:
        field: The name of a payload field.
        values: The values, all text or all integers. No point matches an empty sequence.
    """
    chosen: Any = list(values)
    return _only(models.FieldCondition(key=field, match=models.MatchAny(any=chosen)))


def either(*filters: Filter) -> Filter:
    """Points that match at least one of some filters."""
    return models.Filter(should=list(filters))


def between(
    field: str,
    *,
    gte: float | None = None,
    gt: float | None = None,
    lte: float | None = None,
    lt: float | None = None,
) -> Filter:
    """Points whose field is a number within bounds. Points without the field do not match.

    Args:
        field: The name of a payload field.
        gte: The least value, itself included.
        gt: The least value, itself excluded.
        lte: The greatest value, itself included.
        lt: The greatest value, itself excluded.
    """
    return _only(
        models.FieldCondition(key=field, range=models.Range(gte=gte, gt=gt, lte=lte, lt=lt))
    )


def between_times(
    field: str,
    *,
    gte: datetime | None = None,
    gt: datetime | None = None,
    lte: datetime | None = None,
    lt: datetime | None = None,
) -> Filter:
    """Points whose field is a moment within bounds. Points without the field do not match.

    Args:
        field: The name of a payload field that holds moments in ISO 8601.
        gte: The first moment, itself included. Moments without a time zone count as UTC, in the
            payload as here.
        gt: The first moment, itself excluded.
        lte: The last moment, itself included.
        lt: The last moment, itself excluded.
    """
    bounds = models.DatetimeRange(gte=gte, gt=gt, lte=lte, lt=lt)
    return _only(models.FieldCondition(key=field, range=bounds))


@overload
def all_of(first: Filter, /, *others: Filter | None) -> Filter: ...


@overload
def all_of(*filters: Filter | None) -> Filter | None: ...


def all_of(*filters: Filter | None) -> Filter | None:
    """Points that match every filter.

    Args:
        filters: The filters; None stands for no condition.

    Returns:
        One filter, or None where there is no condition at all.
    """
    given = [one for one in filters if one is not None]
    if len(given) <= 1:
        return given[0] if given else None
    return models.Filter(must=[condition for one in given for condition in _musts(one)])


def none_of(*filters: Filter) -> Filter:
    """Points that match none of the filters; also those that lack the fields they speak of."""
    return models.Filter(must_not=list(filters))


def has_field(field: str) -> Filter:
    """Points that have a field. One that is null or an empty list counts as missing."""
    return models.Filter(must_not=[_is_empty(field)])


def lacks_any(fields: Sequence[str]) -> Filter:
    """Points that lack at least one of some fields, as `has_field` understands it."""
    return models.Filter(should=[_is_empty(field) for field in fields])


def attached(*, below: float | None = None, up_to: float | None = None) -> Filter:
    """Points that are attached: they have a root distance.

    Args:
        below: An exclusive upper bound of the root distance.
        up_to: An inclusive upper bound of it.
    """
    return between(ROOT_DISTANCE, gte=0.0, lt=below, lte=up_to)


def _only(condition: models.FieldCondition) -> Filter:
    return models.Filter(must=[condition])


def _musts(one: Filter) -> list[models.Condition]:
    """The conditions that a filter demands together: its own where it has no other kind."""
    if isinstance(one.must, list) and one.model_fields_set == {"must"}:
        return one.must
    return [one]


def _is_empty(field: str) -> models.IsEmptyCondition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=field))
