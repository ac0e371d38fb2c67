"""What benchmarks found, and all that a reader needs to judge it: as data, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hiersearch.evaluation.references import Reference, references_for

if TYPE_CHECKING:
    from hiersearch.evaluation.result import Result, Scores

__all__ = ["ModelLabel", "Report", "Row", "Value", "flat", "package_versions"]

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
