"""Reads documents whose format is a dataclass, and says what is wrong with damaged ones.

What is as it was written is taken as it is. Only what is not is given to pydantic, which knows what
may be read all the same and what to say of the rest: importing it takes longer than all else here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from hiersearch.errors import StoreError

__all__ = ["read_form"]

Form = TypeVar("Form")


def read_form(content: bytes, form: type[Form], *, place: str, hint: str) -> Form:
    """The content of a document, of which unknown fields are ignored.

    Args:
        content: JSON.
        form: A dataclass of its fields, which may be texts, numbers, lists, tuples, mappings from
            texts, other dataclasses, or None.
        place: Where it lies, for the error.
        hint: What to do if it is damaged.

    Raises:
        StoreError: It is damaged.
    """
    try:
        found: Form = _plain(json.loads(content.decode(), parse_constant=_other), form)
    except (ValueError, RecursionError):  # JSONDecodeError and UnicodeDecodeError among them
        return _judged(content, form, place, hint)
    return found


def _judged(content: bytes, form: type[Form], place: str, hint: str) -> Form:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{place} is damaged ({where + ': ' if where else ''}{first['msg']})", hint=hint
        ) from error


def _plain(value: Any, kind: Any) -> Any:
    """A value as a type says, where it is exactly that; raises ValueError where it is not."""
    if kind in (str, int, bool, float, NoneType):
        return value if type(value) is kind else _other(value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        for one in inner:
            with suppress(ValueError):
                return _plain(value, one)
        _other(value)
    if is_dataclass(kind):
        return _dataclass(value, kind)
    if origin is list and type(value) is list:
        return [_plain(one, inner[0]) for one in value]
    if origin is tuple and type(value) is list and len(value) == len(inner):
        return tuple(map(_plain, value, inner))
    if origin is dict and type(value) is dict:
        return {key: _plain(one, inner[1]) for key, one in value.items()}
    return _other(value)


def _dataclass(value: Any, kind: Any) -> Any:
    if type(value) is not dict:
        _other(value)
    types, required = _fields(kind)
    if not required <= value.keys():
        _other(value)
    return kind(**{name: _plain(value[name], of) for name, of in types.items() if name in value})


@cache
def _fields(kind: Callable[..., Any]) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The types of a dataclass's fields, and which of them have no default."""
    listed: Any = fields(kind)  # type: ignore[arg-type]
    types = get_type_hints(kind)
    required = frozenset(one.name for one in listed if one.default is MISSING)
    return {one.name: types[one.name] for one in listed}, required


def _other(value: object) -> NoReturn:
    raise ValueError(f"{value!r:.40} is not as it was written")
