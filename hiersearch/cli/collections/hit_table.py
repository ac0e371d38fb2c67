"""Hits of a collection as a table that fits the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.cells import cell_len, set_cell_size

from hiersearch.cli.terminal import printable

if TYPE_CHECKING:
    from hiersearch.qdrant import Hit

__all__ = ["hit_lines", "value_of"]

_LEAST_COLUMN = 12

_TELLING = (
    *("path", "file", "filename", "file_name", "name", "title", "caption", "text"),
    *("description", "page_content", "document", "content", "url"),
)
"""Fields by which people know what a point is; servers give fields in any order."""


def value_of(hit: Hit, field: str) -> Any:
    """A payload field; a dot in its name leads into an object, as in filters."""
    value: Any = hit.payload
    if field in hit.payload:
        return hit.payload[field]
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def hit_lines(
    hits: Sequence[Hit], fields: Sequence[str] | None, width: int
) -> tuple[list[str], list[str]]:
    """Hits as a table, and the fields for which it has no room.

    Args:
        hits: At least one.
        fields: Payload fields to show; None for all, those first that tell what a point is.
        width: Columns to fill at most.
    """
    if fields is None:
        fields = sorted({name for hit in hits for name in hit.payload}, key=_telling_first)
    columns = [["id", *(printable(str(hit.id)) for hit in hits)]]
    columns.append(["score", *(f"{hit.score:.3f}" for hit in hits)])
    if any(hit.angle is not None for hit in hits):
        angles = (math.degrees(hit.angle or 0.0) for hit in hits)
        columns.append(["angle", *(f"{angle:.1f}°" for angle in angles)])
    numbers = len(columns)
    columns += [[printable(name), *(_cell(value_of(hit, name)) for hit in hits)] for name in fields]
    sizes = [max(map(cell_len, column)) for column in columns]
    room = width - sum(sizes[:numbers]) - 2 * numbers
    sizes[numbers:] = _fitted(sizes[numbers:], room)
    shown = len(sizes)
    lines = []
    for row in range(len(hits) + 1):
        cells = []
        for position, size in enumerate(sizes):
            cell = columns[position][row]
            right = 0 < position < numbers
            padding = " " * (size - cell_len(cell))
            cells.append(padding + cell if right else _short(cell, size))
        line = "  ".join(cells).rstrip()
        lines.append(line if row else typer.style(line, dim=True))
    return lines, [printable(name) for name in fields[shown - numbers :]]


def _fitted(sizes: list[int], room: int) -> list[int]:
    """Widths of columns that fit: the widest shrink first, then the last are left out."""
    while sizes:
        over = sum(sizes) + 2 * (len(sizes) - 1) - room
        widest = max(range(len(sizes)), key=sizes.__getitem__)
        if over <= 0 or (len(sizes) == 1 and sizes[0] <= _LEAST_COLUMN):
            break
        if sizes[widest] > _LEAST_COLUMN:
            sizes[widest] -= 1
        else:
            sizes.pop()
    return sizes


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(" ".join(text.split()))


def _short(text: str, size: int) -> str:
    return (
        set_cell_size(text, size) if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…"
    )


def _telling_first(field: str) -> tuple[int, str]:
    return _TELLING.index(field) if field in _TELLING else len(_TELLING), field
