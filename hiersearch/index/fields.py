"""`--where` expressions: KEY OP VALUE, as `taken>=2020-05`, `folder=Holidays`, `width>1000`.

Filters on photos, and the payload fields that they stand on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import unquote

from qdrant_client import models

from hiersearch.errors import FilterError

__all__ = [
    "KEYS",
    "PHOTO_INDEXES",
    "Filter",
    "combine",
    "concept_filter",
    "parse_where",
    "photo_folders",
]

Condition: TypeAlias = models.FieldCondition | models.Filter

_EXPRESSION = re.compile(r"\s*([A-Za-z_]+)\s*(==|!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_MOMENT = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?"
)
_NUMBER = re.compile(r"([0-9]{1,15})\s*([A-Za-z]*)")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_GREATEST = 2**53
"""Whole numbers up to here are exact in the floats that ranges are made of."""


def parse_where(
    expressions: Sequence[str], concept_id: Callable[[str], str] = str
) -> models.Filter | None:
    """The filter that every expression must agree to.

    KEY OP VALUE, with OP one of `= != > >= < <=`:

    * `folder`, `name`, `path`, `concept`: `=` and `!=`. A folder is a full path or just a name, at
      any depth. A concept stands for all concepts below it.
    * `taken`, `mtime`: a year, month, day, minute or second in ISO 8601, and all of it:
      `taken=2020-05` is that month, `taken>2020` begins with 2021, `taken<=2020` ends with 2020.
      `taken` is the clock of the camera, `mtime` that of this machine.
    * `size`, `width`, `height`: whole numbers; a size may have a unit (`2MB` is 2,000,000).

    `!=` is true of photos that do not have the field at all, every other operator false.

    Args:
        expressions: The expressions; none gives no filter.
        concept_id: Gives a concept's id by what was written; by default that is the id.

    Raises:
        FilterError: An expression cannot be read; says what is allowed.
    """
    given = [expressions] if isinstance(expressions, str) else list(expressions)
    conditions: list[Any] = [_condition(expression, concept_id) for expression in given]
    return models.Filter(must=conditions) if conditions else None


def _condition(expression: object, concept_id: Callable[[str], str]) -> Condition:
    match = _EXPRESSION.fullmatch(expression) if isinstance(expression, str) else None
    if match is None:
        raise FilterError(f"the condition {expression!r} cannot be read", hint=_ALLOWED)
    key, operator, value = match[1].lower(), match[2], match[3].strip()
    read = _READERS.get(key)
    if read is None:
        raise FilterError(f"there is no photo field called {key!r}", hint=_ALLOWED)
    if not value:
        raise FilterError(f"the condition {expression!r} has no value", hint=_ALLOWED)
    if key == "concept":
        value = concept_id(value)
    if operator == "!=":
        return models.Filter(must_not=[read(key, "=", value)])
    return read(key, "=" if operator == "==" else operator, value)


def _text(key: str, operator: str, value: str) -> models.FieldCondition:
    if operator != "=":
        raise FilterError(f"{key!r} can be compared with = and != only", hint=_ALLOWED)
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise FilterError(f"the value of {key!r} is not valid Unicode: {value!a}")
    field = "concepts" if key == "concept" else key
    if key in ("folder", "path"):
        value = value.rstrip("/") or "/"
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _number(key: str, operator: str, value: str) -> models.FieldCondition:
    match = _NUMBER.fullmatch(value)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None or (key != "size" and match[2]):
        kind = "a whole number, as 1000" + (" or 2MB" if key == "size" else "")
        raise FilterError(f"the value of {key!r} is not {kind}: {value!r}")
    number = int(match[1]) * unit
    if number > _GREATEST:
        raise FilterError(f"the value of {key!r} is too great: {value!r}")
    return models.FieldCondition(key=key, range=models.Range(**_span(operator, number, number + 1)))


def _moment(key: str, operator: str, value: str) -> models.FieldCondition:
    start, end = _period(key, value)
    if key == "taken":
        bounds = models.DatetimeRange(**_span(operator, start, end))
        return models.FieldCondition(key=key, range=bounds)
    try:
        seconds = start.timestamp(), end.timestamp()
    except (OverflowError, OSError, ValueError):
        raise FilterError(f"the value of {key!r} is out of range: {value!r}") from None
    return models.FieldCondition(key=key, range=models.Range(**_span(operator, *seconds)))


def _span(operator: str, start: Any, end: Any) -> dict[str, Any]:
    """Bounds of a range, for the half-open period from start to end that the value stands for."""
    return {
        "=": {"gte": start, "lt": end},
        ">": {"gte": end},
        ">=": {"gte": start},
        "<": {"lt": start},
        "<=": {"lt": end},
    }[operator]


def _period(key: str, value: str) -> tuple[datetime, datetime]:
    """The first moment of the year, month, day, minute or second, and the first moment after it."""
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise FilterError(
            f"the value of {key!r} is not a date: {value!r}",
            hint="Write it as 2020, 2020-05, 2020-05-17 or 2020-05-17T14:30",
        )
    year, month, day = (int(part or 1) for part in match.groups()[:3])
    hour, minute, second = (int(part or 0) for part in match.groups()[3:6])
    fraction = int((match[7] or "").ljust(6, "0"))
    try:
        start = datetime(year, month, day, hour, minute, second, fraction)
    except ValueError:
        raise FilterError(f"the value of {key!r} is no date there is: {value!r}") from None
    try:
        if match[2] is None:
            return start, datetime(year + 1, 1, 1)
        if match[3] is None:
            return start, datetime(year + month // 12, month % 12 + 1, 1)
        return start, start + _LENGTHS[sum(match[part] is not None for part in (4, 6, 7))]
    except (ValueError, OverflowError):
        return start, datetime.max  # the calendar ends with the year 9999


_LENGTHS = (
    timedelta(days=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
    timedelta(microseconds=1),
)

_READERS: dict[str, Callable[[str, str, str], models.FieldCondition]] = {
    "folder": _text,
    "name": _text,
    "path": _text,
    "concept": _text,
    "taken": _moment,
    "mtime": _moment,
    "size": _number,
    "width": _number,
    "height": _number,
}

KEYS = tuple(_READERS)
"""The fields that an expression can speak of."""

_ALLOWED = (
    "Write KEY OP VALUE, as taken>=2020-05 or folder=Holidays, with KEY one of "
    + ", ".join(KEYS)
    + " and OP one of = != > >= < <="
)


Filter: TypeAlias = models.Filter
"""A condition on points."""

PHOTO_INDEXES: Mapping[str, str] = MappingProxyType(
    {
        "path": "keyword",
        "name": "keyword",
        "folder": "keyword",
        "taken": "datetime",
        "mtime": "float",
        "size": "integer",
        "width": "integer",
        "height": "integer",
    }
)
"""The payload indexes that a collection of photos needs, for `HierarchicalCollection.create`."""


def combine(*filters: models.Filter | None) -> models.Filter | None:
    """The filter that all of them must agree to; None where there is none."""
    given = [one for one in filters if one is not None]
    if len(given) <= 1:
        return given[0] if given else None
    return models.Filter(must=list(given))


def concept_filter(concept_id: str) -> models.Filter:
    """Photos that lie under a concept."""
    return models.Filter(
        must=[models.FieldCondition(key="concepts", match=models.MatchValue(value=concept_id))]
    )


def photo_folders(path: str) -> list[str]:
    """Every value of `folder=...` that finds a photo: its folders' full paths and their names.

    `/home/ann/Photos/2020/cat.jpg` lies in `/home/ann/Photos/2020`, `/home/ann/Photos`, ..., `/`,
    and in any folder called `2020`, `Photos`, `ann` or `home`.

    Args:
        path: The absolute path as it stands in the payload. Of a percent-encoded `file://` URI,
            those folders that are valid Unicode are given as they are, the others encoded.

    Returns:
        Full paths from the innermost out, then names likewise, each once.
    """
    encoded = path.startswith(_URI)
    # Plain text work: this runs for every photo of an index.
    names = path.removeprefix(_URI).strip("/").split("/")[:-1]
    full = [f"/{'/'.join(names[:depth])}" for depth in range(len(names), -1, -1)]
    names.reverse()
    if encoded:
        full = [_decoded(folder) or _URI + folder for folder in full]
        names = [_decoded(name) or name for name in names]
    return list(dict.fromkeys(full + names))


_URI = "file://"


def _decoded(text: str) -> str | None:
    """The text without percent encoding, where that is valid Unicode."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
