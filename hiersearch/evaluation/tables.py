"""A report for people: lines for a terminal of any width, and Markdown."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hiersearch.evaluation.benchmark import Result
    from hiersearch.evaluation.report import Report, Row, Value

__all__ = ["as_lines", "as_markdown"]

LEAST_NAME = 18
"""Columns that a score's name needs beside numbers; with less, numbers go below it."""

CELL = 8
MOST_NAME = 44

COLUMNS = ("measured", "baseline", "change", "chance", "paper")


def as_lines(report: Report, width: int = 100) -> list[str]:
    """A report for a terminal.

    Args:
        report: What to show.
        width: Columns to fill at most; names and words that are longer stay whole only as far as
            they fit.
    """
    lines = _wrapped(f"model: {report.model.name}", width)
    if report.baseline is not None:
        lines += _wrapped(f"baseline: {report.baseline.name}", width)
    for result in report.results:
        lines += [
            "",
            result.benchmark,
            *_table(report, result, width),
            *_remarks(report, result, width),
        ]
    for name, reason in report.failed.items():
        lines += ["", *_wrapped(f"{name}: not measured. {reason}", width)]
    return lines


def as_markdown(report: Report) -> str:
    """A report as a Markdown document."""
    lines = ["# Evaluation", "", f"Model: `{report.model.name}` (id `{report.model.id}`)"]
    if report.baseline is not None:
        lines += ["", f"Baseline: `{report.baseline.name}` (id `{report.baseline.id}`)"]
    for result in report.results:
        rows = report.rows(result)
        columns = _columns(rows)
        lines += ["", f"## {result.benchmark}", ""]
        lines += [_line(["score", *columns]), _line(["---"] * (len(columns) + 1))]
        lines += [
            _line([_escaped(" / ".join(row.path)), *map(_escaped, _cells(row, columns))])
            for row in rows
        ]
        notes = [f"* {_escaped(note)}" for note in _notes(report, result)]
        notes += [f"* {_escaped(name)}: `{digest}`" for name, digest in result.files.items()]
        lines += ["", *notes] if notes else []
    lines += ["", "## Run", "", f"* seed: {report.seed}"]
    lines += [f"* {package} {number}" for package, number in report.versions.items()]
    lines += [
        f"* {name}: not measured. {_escaped(reason)}" for name, reason in report.failed.items()
    ]
    return "\n".join([*lines, ""])


def _table(report: Report, result: Result, width: int) -> list[str]:
    rows = report.rows(result)
    columns = _columns(rows)
    named = list(_indented(rows))
    numbers = (CELL + 2) * len(columns)
    if width - numbers < LEAST_NAME:
        return _stacked(named, columns, width)
    size = min(MOST_NAME, width - numbers, max(len(name) for name, _ in named))
    lines = [" " * size + "".join(f"  {column:>{CELL}}" for column in columns)]
    for name, row in named:
        cells = [f"  {cell:>{CELL}}" for cell in _cells(row, columns)] if row else []
        if any(len(cell) > CELL + 2 for cell in cells):  # a word, such as a prompt
            lines += _wrapped(f"{name}: {row.value}" if row else name, width)
        else:
            lines.append((f"{_cut(name, size):<{size}}" + "".join(cells)).rstrip())
    return lines


def _stacked(
    named: Iterable[tuple[str, Row | None]], columns: Sequence[str], width: int
) -> list[str]:
    """Each name, and its numbers below it."""
    lines = []
    for name, row in named:
        lines.append(_cut(name, width))
        if row is not None:
            cells = zip(columns, _cells(row, columns), strict=True)
            numbers = "  ".join(f"{column} {cell}" for column, cell in cells if cell)
            indent = " " * (len(name) - len(name.lstrip()) + 2)
            lines += _wrapped(f"{indent}{numbers}", width)
    return lines


def _indented(rows: Iterable[Row]) -> Iterable[tuple[str, Row | None]]:
    """Each score's name, and before it those of the groups that begin with it."""
    above: tuple[str, ...] = ()
    for row in rows:
        groups = row.path[:-1]
        shared = 0
        while shared < min(len(above), len(groups)) and above[shared] == groups[shared]:
            shared += 1
        for depth in range(shared, len(groups)):
            yield "  " * (depth + 1) + groups[depth], None
        above = groups
        yield "  " * len(row.path) + row.path[-1], row


def _columns(rows: Sequence[Row]) -> list[str]:
    """The columns in which there is anything."""
    return [
        column
        for column in COLUMNS
        if column == "measured" or any(_value(row, column) is not None for row in rows)
    ]


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return [_shown(_value(row, column), column) for column in columns]


def _value(row: Row, column: str) -> Value:
    return {
        "measured": row.value,
        "baseline": row.baseline,
        "change": row.difference,
        "chance": row.chance,
        "paper": row.paper,
    }[column]


def _shown(value: Value, column: str) -> str:
    if value is None:
        return "-" if column == "measured" else ""
    if not isinstance(value, float):
        return str(value)
    if column == "paper":
        return f"{value:.3f}".removesuffix("0")
    if column == "change":
        return f"{value:+.3f}"
    # Chance is often a few in a thousand: three digits would show nothing.
    return f"{value:.3f}" if abs(value) >= 0.01 or not value else f"{value:.2g}"


def _notes(report: Report, result: Result) -> list[str]:
    notes = list(result.notes)
    for reference in report.references(result.benchmark):
        notes += [f"paper: {reference.source}", *reference.notes]
    return list(dict.fromkeys(notes))


def _remarks(report: Report, result: Result, width: int) -> list[str]:
    return [
        line
        for note in _notes(report, result)
        for line in textwrap.wrap(note, max(width, 2), initial_indent="* ", subsequent_indent="  ")
    ]


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, max(width, len(indent) + 1), subsequent_indent=indent) or [""]


def _cut(name: str, size: int) -> str:
    return name if len(name) <= size else f"{name[: size - 1]}…"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
