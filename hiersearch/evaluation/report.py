"""What benchmarks found, and all that a reader needs to judge it: as data, and as JSON.

The papers' numbers, each with where it stands: to be set beside what was measured.

They lie in `reference.json`, a table of a paper each. A row that the copy of the paper at hand had
lost the label of is marked as inferred. RE is Alper & Averbuch-Elor 2024, RCME Sastry et al. 2025.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Result, Scores

__all__ = [
    "ModelLabel",
    "Reference",
    "Report",
    "Row",
    "Value",
    "all_references",
    "flat",
    "package_versions",
    "references_for",
]

PACKAGES = ("hiersearch", "torch", "transformers", "sentence-transformers", "numpy")

Value: TypeAlias = float | int | str | None


class ModelLabel(NamedTuple):
    """Which model was measured.

    Attributes:
        name: What was asked for.
        id: What it is, wherever it lies.
    """

    name: str
    id: str


class Row(NamedTuple):
    """One score.

    Attributes:
        path: Its names, from the outermost group to its own.
        value: What was measured; None where it is not defined.
        baseline: The same of the baseline; None where there is none.
        difference: Value less baseline, of scores and not of counts.
        chance: What guessing would give, where that is known.
        paper: What a paper has for the model, where it has it.
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
        model: What was measured.
        results: One for each benchmark.
        seed: Of all that was drawn.
        baseline: The model that it is compared with.
        baseline_results: Its results by benchmark.
        failed: Benchmarks that could not be run, and why.
        versions: Of the packages that have a part in it.
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

    def rows(self, result: Result) -> list[Row]:
        """Every score of a result, with what it is to be compared with."""
        before = self.baseline_results.get(result.benchmark)
        baseline = dict(flat(before.scores)) if before else {}
        chance = dict(flat(result.chance))
        paper = {
            path: value
            for reference in self.references(result.benchmark)
            for path, value in flat(reference.scores)
        }
        return [
            Row(
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
            The scores of each benchmark under its name, and under "run" all that belongs to them:
            versions, seed, models, checksums, chance, notes, references and, where there is a
            baseline, its scores and the difference.
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
                    (row.path, row.difference)
                    for row in self.rows(each)
                    if row.difference is not None
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


def flat(scores: Scores, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """The values of nested scores, each with its names from the outermost on."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from flat(value, (*above, name))
        else:
            yield (*above, name), value


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


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


FILE = "reference.json"


@dataclass(frozen=True)
class Reference:
    """What a paper's table has for one model and one benchmark.

    Attributes:
        benchmark: The benchmark's name here.
        paper: Authors, year and arXiv number.
        table: Which table or section.
        row: The row's label.
        models: Names of the model on the Hugging Face hub and here; empty where none is known.
        data: What was measured on.
        scores: The numbers, under the names that they have in a `Result`.
        inferred: Whether the label or the order of columns is inferred and not stated.
        notes: What else a reader should know.
    """

    benchmark: str
    paper: str
    table: str
    row: str
    models: tuple[str, ...]
    data: str
    scores: Scores
    inferred: bool
    notes: tuple[str, ...]

    @property
    def source(self) -> str:
        """Where the numbers stand, in one line."""
        inferred = " (inferred)" if self.inferred else ""
        return f"{self.paper}, {self.table}, row {self.row}{inferred}; {self.data}"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a report."""
        return {
            "paper": self.paper,
            "table": self.table,
            "row": self.row,
            "inferred": self.inferred,
            "data": self.data,
            "scores": self.scores,
            "notes": list(self.notes),
        }


def references_for(model: str, benchmark: str) -> tuple[Reference, ...]:
    """The papers' numbers for a model.

    Args:
        model: A name on the Hugging Face hub, or a short name such as "clip-b". A folder's path
            has none: what lies in it is not known by its name.
        benchmark: A benchmark's name.
    """
    wanted = model.lower()
    return tuple(
        each
        for each in all_references()
        if each.benchmark == benchmark and wanted in (name.lower() for name in each.models)
    )


@cache
def all_references() -> tuple[Reference, ...]:
    """All of them, also of models that are nowhere to be had."""
    content = json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    found = []
    for table in content["tables"]:
        data = content["data"] | table.get("data", {})
        for row in table["rows"]:
            for benchmark, scores in _by_benchmark(table["columns"], row["values"]).items():
                found.append(
                    Reference(
                        benchmark=benchmark,
                        paper=content["papers"][table["paper"]],
                        table=table["table"],
                        row=row["row"],
                        models=tuple(content["models"].get(row.get("model"), ())),
                        data=data[benchmark],
                        scores=scores,
                        inferred=row.get("inferred", False),
                        notes=tuple(table["notes"].get(benchmark, ())),
                    )
                )
    return tuple(found)


def _by_benchmark(columns: list[str], values: list[float | None]) -> dict[str, dict[str, Any]]:
    """Nested scores for each benchmark, of columns like "hierarcaps.official.tau"."""
    found: dict[str, dict[str, Any]] = {}
    for column, value in zip(columns, values, strict=True):
        if value is not None:
            *above, name = column.split(".")
            scores: dict[str, Any] = found
            for each in above:
                scores = scores.setdefault(each, {})
            scores[name] = value
    return found
