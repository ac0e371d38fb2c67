"""The payload fields of a photo, and the conditions that `--where` takes, on them or on any field.

A photo's chain has its fields in `hiersearch.trees`, its root distance in `hiersearch.qdrant`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hiersearch.errors import FilterError
from hiersearch.photos import Photo
from hiersearch.qdrant import all_of, between, between_times, either, equals, none_of
from hiersearch.trees import CONCEPTS, LIKELY

if TYPE_CHECKING:
    from hiersearch.qdrant import Filter

__all__ = [
    "FOLDER",
    "HASH",
    "HEIGHT",
    "KEYS",
    "MTIME",
    "NAME",
    "PATH",
    "PHOTO_INDEXES",
    "SIZE",
    "TAKEN",
    "WIDTH",
    "field_filter",
    "parse_where",
    "photo_payload",
    "photo_point",
    "shows",
]

PATH = "path"
"""The photo's files: several where their content is equal. As `photos.path_to_text` gives them."""

NAME = "name"
"""The names of the files, in the order of `PATH`."""

FOLDER = "folder"
"""Every folder above any of the files, as `photos.photo_folders` gives them."""

MTIME = "mtime"
"""When each file was last changed, in seconds since 1970, in the order of `PATH`."""

SIZE = "size"
"""Length of the file in bytes."""

HASH = "hash"
"""Of the file's content, as `photos.content_hash` gives it."""

TAKEN = "taken"
"""When the photo was taken, by the camera's clock: ISO 8601 without a time zone, if it is known."""

WIDTH = "width"
"""Width of the upright photo in pixels."""

HEIGHT = "height"
"""Height of the upright photo in pixels."""

PHOTO_INDEXES: Mapping[str, str] = MappingProxyType(
    {
        PATH: "keyword",
        NAME: "keyword",
        FOLDER: "keyword",
        TAKEN: "datetime",
        MTIME: "float",
        SIZE: "integer",
        WIDTH: "integer",
        HEIGHT: "integer",
        LIKELY: "keyword",
    }
)
"""The payload indexes of a collection of photos, for `HierarchicalCollection.create`."""

_CONCEPT = "concept"
"""What `--where` calls a concept that the photo shows; stored as `CONCEPTS`, or as `LIKELY`."""

_EXPRESSION = re.compile(r"\s*([A-Za-z_]+)\s*(==|!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_MOMENT = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?"
)
_NUMBER = re.compile(r"([0-9]{1,15})\s*([A-Za-z]*)")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_ANY_CONDITION = re.compile(r"\s*([^=!<>]+?)\s*(==|!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
_FRACTION = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_ANY_ALLOWED = "Write FIELD=VALUE, with one of = != > >= < <=, such as year>=2020"
_GREATEST = 2**53
"""Whole numbers up to here are exact in the floats that ranges are made of."""


def photo_point(content: str) -> str:
    """The id of a photo's point: the hash of its content as a UUID, which stores accept.

    Args:
        content: As `photos.content_hash` gives it.
    """
    return str(UUID(hex=content))


def photo_payload(photo: Photo) -> dict[str, Any]:
    """The payload fields that a photo's content decides."""
    payload: dict[str, Any] = {
        HASH: photo.content_hash,
        WIDTH: photo.width,
        HEIGHT: photo.height,
    }
    if photo.taken is not None:
        # The camera's clock, which is what people mean by a date; with a zone it would be shifted.
        payload[TAKEN] = photo.taken.replace(tzinfo=None).isoformat()
    return payload


def parse_where(
    expressions: Sequence[str],
    concept_id: Callable[[str], str] = str,
    *,
    trees: bool = False,
) -> Filter | None:
    """The filter for photos that meet every condition.

    KEY OP VALUE, with OP one of `= != > >= < <=`:

    * `folder`, `name`, `path`, `concept`: `=` and `!=`. A folder is a full path or just a name, at
      any depth. A photo has a concept if it surely or perhaps shows it, or a kind of it.
    * `taken`, `mtime`: a year, month, day, minute or second in ISO 8601, the whole of it:
      `taken=2020-05` is that month, `taken>2020` begins with 2021, `taken<=2020` ends with 2020.
      `taken` is the clock of the camera, `mtime` that of this machine.
    * `size`, `width`, `height`: whole numbers; a size may have a unit (`2MB` is 2,000,000).

    Photos without the field meet `!=` and no other condition.

    Args:
        expressions: The conditions, or one alone; no condition gives no filter.
        concept_id: Looks up a concept's id by what was written; by default that is the id.
        trees: Whether the photos have trees.

    Raises:
        FilterError: A condition cannot be read; the hint says what is allowed.
    """
    given = [expressions] if isinstance(expressions, str) else list(expressions)
    return all_of(*(_condition(expression, concept_id, trees) for expression in given))


def field_filter(expression: str, kinds: Mapping[str, str] | None = None) -> Filter:
    """The filter for a condition on any payload field.

    `=` and `!=` compare text, whole numbers, fractions, true and false, whichever the field holds;
    the others compare numbers. Points without the field meet `!=` and no other condition.

    Args:
        expression: FIELD OP VALUE, with OP one of `= != > >= < <=`.
        kinds: The kind of payload index of each field that has one ("keyword", "integer", "float",
            "bool"): such a field is only compared as that, as strict servers demand.

    Raises:
        FilterError: The condition cannot be read.
    """
    match = _ANY_CONDITION.fullmatch(expression)
    if match is None or any("\ud800" <= letter <= "\udfff" for letter in expression):
        raise FilterError(f"the condition {expression!r} cannot be read", hint=_ANY_ALLOWED)
    field, operator, value = match[1], match[2], match[3]
    if not value:
        raise FilterError(f"the condition {expression!r} has no value", hint=_ANY_ALLOWED)
    if operator in ("=", "==", "!="):
        equal = _equals(field, value, (kinds or {}).get(field))
        return none_of(equal) if operator == "!=" else equal
    number = _any_number(value)
    if number is None:
        raise FilterError(
            f"{field!r} can be compared by {operator} with a number only, not with {value!r}",
            hint=_ANY_ALLOWED,
        )
    bound = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[operator]
    return between(field, **{bound: number})


def _equals(field: str, value: str, kind: str | None) -> Filter:
    """Points whose field is the value, as any type that it can be read as."""
    number = _any_number(value)
    ways: dict[str, Filter] = {"keyword": equals(field, value)}
    if value in ("true", "false"):
        ways["bool"] = equals(field, value == "true")
    if number is not None:
        ways["float"] = between(field, gte=number, lte=number)
        if re.fullmatch(r"[+-]?\d+", value) and abs(int(value)) < 2**63:
            ways["integer"] = equals(field, int(value))
    if kind in ways:
        return ways[kind]
    if len(ways) == 1:
        return ways["keyword"]
    return either(*ways.values())


def _any_number(value: str) -> float | None:
    number = float(value) if _FRACTION.fullmatch(value) else math.inf
    return number if math.isfinite(number) else None


def _condition(expression: object, concept_id: Callable[[str], str], trees: bool) -> Filter:
    match = _EXPRESSION.fullmatch(expression) if isinstance(expression, str) else None
    if match is None:
        raise FilterError(f"the condition {expression!r} cannot be read", hint=_ALLOWED)
    key, operator, value = match[1].lower(), match[2], match[3].strip()
    read = _READERS.get(key)
    if read is None:
        raise FilterError(f"there is no photo field called {key!r}", hint=_ALLOWED)
    if not value:
        raise FilterError(f"the condition {expression!r} has no value", hint=_ALLOWED)
    found = read(key, "=" if operator in ("==", "!=") else operator, value)
    if key == _CONCEPT:
        value = concept_id(value)
        found = shows(value) if trees else equals(CONCEPTS, value)
    return none_of(found) if operator == "!=" else found


def shows(concept: str) -> Filter:
    """Photos with trees that surely or perhaps show a concept.

    Args:
        concept: Its id.
    """
    return either(equals(CONCEPTS, concept), equals(LIKELY, concept))


def _text(key: str, operator: str, value: str) -> Filter:
    if operator != "=":
        raise FilterError(f"{key!r} can be compared with = and != only", hint=_ALLOWED)
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise FilterError(f"the value of {key!r} is not valid Unicode: {value!a}")
    if key in (FOLDER, PATH):
        value = value.rstrip("/") or "/"
    return equals(key, value)


def _number(key: str, operator: str, value: str) -> Filter:
    match = _NUMBER.fullmatch(value)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None or (key != SIZE and match[2]):
        kind = "a whole number, as 1000" + (" or 2MB" if key == SIZE else "")
        raise FilterError(f"the value of {key!r} is not {kind}: {value!r}")
    number = int(match[1]) * unit
    if number > _GREATEST:
        raise FilterError(f"the value of {key!r} is too great: {value!r}")
    return between(key, **_span(operator, number, number + 1))


def _moment(key: str, operator: str, value: str) -> Filter:
    start, end = _period(key, value)
    if key == TAKEN:
        return between_times(key, **_span(operator, start, end))
    try:
        seconds = start.timestamp(), end.timestamp()
    except (OverflowError, OSError, ValueError):
        raise FilterError(f"the value of {key!r} is out of range: {value!r}") from None
    return between(key, **_span(operator, *seconds))


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
        raise FilterError(f"the value of {key!r} is not a date that exists: {value!r}") from None
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

_READERS: dict[str, Callable[[str, str, str], Filter]] = {
    FOLDER: _text,
    NAME: _text,
    PATH: _text,
    _CONCEPT: _text,
    TAKEN: _moment,
    MTIME: _moment,
    SIZE: _number,
    WIDTH: _number,
    HEIGHT: _number,
}

KEYS = tuple(_READERS)
"""The keys that a condition can have."""

_ALLOWED = (
    "Write KEY OP VALUE, as taken>=2020-05 or folder=Holidays, with KEY one of "
    + ", ".join(KEYS)
    + " and OP one of = != > >= < <="
)
