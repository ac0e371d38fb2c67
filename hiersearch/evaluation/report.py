"""A report of what benchmarks measured: as a table for a terminal, as Markdown, and as JSON.

Beside each score stands what it is compared with: the baseline's score, what guessing would score,
and what a paper reports for the same model.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hiersearch.evaluation.references import references_for

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hiersearch.evaluation.benchmark import Result, Scores
    from hiersearch.evaluation.references import Reference

__all__ = [
    "ModelLabel",
    "Report",
    "ScoreLine",
    "Value",
    "as_lines",
    "as_markdown",
    "flat",
    "package_versions",
]

PACKAGES = ("hiersearch", "torch", "transformers", "sentence-transformers", "numpy")

COLUMNS = ("measured", "baseline", "change", "chance", "paper")

CELL = 8
"""Width of a column of numbers."""

LEAST_NAME = 18
"""The least width for a score's name beside its numbers; if there is less, they go below it."""

MOST_NAME = 44

Value: TypeAlias = float | int | str | None


class ModelLabel(NamedTuple):
    """The model that was measured.

    Attributes:
        name: The name or folder that was given.
        id: Identifies its weights.
    """

    name: str
    id: str


class ScoreLine(NamedTuple):
    """One score, and what it is compared with.

    Attributes:
        path: The names of its groups, from the outermost, and its own.
        value: What was measured; None if it is not defined.
        baseline: The baseline's score, if there is one.
        difference: Value minus baseline; None for counts.
        chance: What guessing would score, if that is known.
        paper: What a paper reports for this model, if any does.
    """

    path: tuple[str, ...]
    value: Value
    baseline: Value = None
    difference: float | None = None
    chance: Value = None
    paper: Value = None


@dataclass(frozen=True)
class Report:
    """The results of one model, and of its baseline.

    Attributes:
        model: The model that was measured.
        results: One for each benchmark.
        seed: Random seed.
        baseline: The model that it is compared with.
        baseline_results: The baseline's results by benchmark.
        failed: The benchmarks that could not be run, each with the reason.
        versions: The versions of the packages involved.
    """

    model: ModelLabel
    results: Sequence[Result]
    seed: int = 0
    baseline: ModelLabel | None = None
    baseline_results: Mapping[str, Result] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: package_versions())

    def references(self, benchmark: str) -> tuple[Reference, ...]:
        """The papers' numbers for the model, if it is one of theirs."""
        return references_for(self.model.name, benchmark)

    def score_lines(self, result: Result) -> list[ScoreLine]:
        """Every score of a result, with what it is compared with."""
        before = self.baseline_results.get(result.benchmark)
        baseline = dict(flat(before.scores)) if before else {}
        chance = dict(flat(result.chance))
        paper = {
            path: value
            for reference in self.references(result.benchmark)
            for path, value in flat(reference.scores)
        }
        return [
            ScoreLine(
                path,
                value,
                baseline.get(path),
                _difference(value, baseline.get(path)),
                chance.get(path),
                paper.get(path),
            )
            for path, value in flat(result.scores)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`.

        Returns:
            The scores of each benchmark under its name, and under "run" how they came about:
            versions, seed, models, checksums, chance, notes, references and, if there is a
            baseline, its scores and the differences.
        """
        run: dict[str, Any] = {
            "version": 1,
            "model": self.model._asdict(),
            "seed": self.seed,
            "versions": dict(self.versions),
        }
        for name in ("files", "chance", "notes"):
            run[name] = {each.benchmark: _jsonable(getattr(each, name)) for each in self.results}
        run["references"] = {
            each.benchmark: [reference.to_json() for reference in found]
            for each in self.results
            if (found := self.references(each.benchmark))
        }
        if self.baseline is not None:
            run["baseline"] = self.baseline._asdict() | {
                "scores": {name: _jsonable(each.scores) for name, each in self._before()}
            }
            run["difference"] = {
                each.benchmark: _nested(
                    (line.path, line.difference)
                    for line in self.score_lines(each)
                    if line.difference is not None
                )
                for each in self.results
                if each.benchmark in self.baseline_results
            }
        run["failed"] = dict(self.failed)
        return {each.benchmark: _jsonable(each.scores) for each in self.results} | {"run": run}

    def _before(self) -> Iterator[tuple[str, Result]]:
        for each in self.results:
            if each.benchmark in self.baseline_results:
                yield each.benchmark, self.baseline_results[each.benchmark]


def as_lines(report: Report, width: int = 100) -> list[str]:
    """A report for a terminal.

    Args:
        report: The report.
        width: The most columns that a line may take.
    """
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"model: {report.model.name}")]
    if report.baseline is not None:
        parts.append(Text(f"baseline: {report.baseline.name}"))
    for result in report.results:
        parts += ["", Text(result.benchmark), _table(report.score_lines(result), width)]
        if notes := _notes(report, result):
            parts.append(_bullets(notes))
    for name, reason in report.failed.items():
        parts += ["", Text(f"{name}: not measured. {reason}")]
    return _rendered(parts, width)


def as_markdown(report: Report) -> str:
    """A report as a Markdown document."""
    lines = ["# Evaluation", "", f"Model: `{report.model.name}` (id `{report.model.id}`)"]
    if report.baseline is not None:
        lines += ["", f"Baseline: `{report.baseline.name}` (id `{report.baseline.id}`)"]
    for result in report.results:
        scores = report.score_lines(result)
        columns = _columns(scores)
        lines += ["", f"## {result.benchmark}", ""]
        lines += [_markdown_row(["score", *columns]), _markdown_row(["---"] * (len(columns) + 1))]
        lines += [
            _markdown_row([_escaped(" / ".join(line.path)), *map(_escaped, _cells(line, columns))])
            for line in scores
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


def flat(scores: Scores, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """The values of nested scores, each with its names from the outermost inwards."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from flat(value, (*above, name))
        else:
            yield (*above, name), value


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The versions of those of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _table(scores: Sequence[ScoreLine], width: int) -> RenderableType:
    """Names on the left and numbers beside them, or below them if the terminal is too narrow."""
    from rich.columns import Columns
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    columns = _columns(scores)
    numbers = (CELL + 2) * len(columns)
    beside = width - numbers >= LEAST_NAME
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), show_header=beside)
    table.add_column(max_width=min(MOST_NAME, width - numbers) if beside else width)
    for column in columns if beside else ():
        table.add_column(column, justify="right", min_width=CELL, no_wrap=True)
    for depth, name, line in _indented(scores):
        cells = _cells(line, columns) if line else []
        if line and max(map(len, cells)) > CELL:  # words, such as a prompt
            name, cells = f"{name}: {line.value}", []
        # Padding, unlike leading spaces, also indents the lines that a long name is wrapped into.
        indented = Padding(Text(name), (0, 0, 0, 2 * depth))
        table.add_row(indented, *(cells if beside else []))
        if cells and not beside:
            named = zip(columns, cells, strict=True)
            numbers_below = [Text(f"{column} {cell}") for column, cell in named if cell]
            table.add_row(Padding(Columns(numbers_below, (0, 2)), (0, 0, 0, 2 * depth + 2)))
    return table


def _bullets(notes: Sequence[str]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    for note in notes:
        table.add_row("*", Text(note))
    return table


def _rendered(parts: Sequence[RenderableType], width: int) -> list[str]:
    from rich.console import Console, Group

    # Plain text of this width, whatever the terminal can do.
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(Group(*parts))
    return [line.rstrip() for line in capture.get().splitlines()]


def _indented(scores: Sequence[ScoreLine]) -> Iterator[tuple[int, str, ScoreLine | None]]:
    """Each score's depth and name; before it those of the groups that begin with it."""
    above: tuple[str, ...] = ()
    for line in scores:
        groups = line.path[:-1]
        shared = 0
        while shared < min(len(above), len(groups)) and above[shared] == groups[shared]:
            shared += 1
        for depth in range(shared, len(groups)):
            yield depth + 1, groups[depth], None
        above = groups
        yield len(line.path), line.path[-1], line


def _columns(scores: Sequence[ScoreLine]) -> list[str]:
    """The columns that are not empty."""
    return [
        column
        for column in COLUMNS
        if column == "measured" or any(_value(line, column) is not None for line in scores)
    ]


def _cells(line: ScoreLine, columns: Sequence[str]) -> list[str]:
    return [_shown(_value(line, column), column) for column in columns]


def _value(line: ScoreLine, column: str) -> Value:
    return {
        "measured": line.value,
        "baseline": line.baseline,
        "change": line.difference,
        "chance": line.chance,
        "paper": line.paper,
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


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _difference(value: Value, baseline: Value) -> float | None:
    if isinstance(value, float) and isinstance(baseline, float):
        return value - baseline
    return None


def _nested(rows: Iterator[tuple[tuple[str, ...], Value]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in rows:
        inner = found
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    return found


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _jsonable(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
