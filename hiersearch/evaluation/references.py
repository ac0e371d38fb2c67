"""The papers' numbers, each with where it was published, to compare measured scores with.

They are in `reference.json`, with a table for each table of a paper. RE is Alper & Averbuch-Elor
2024, RCME Sastry et al. 2025. Rows whose label was lost in the copy of the paper that was used are
marked as inferred.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Scores

__all__ = ["Reference", "all_references", "references_for"]

REFERENCES = "reference.json"


@dataclass(frozen=True)
class Reference:
    """What a paper reports for one model and one benchmark.

    Attributes:
        benchmark: The benchmark's name.
        paper: Authors, year and arXiv number.
        table: The table or section.
        row: The row's label.
        models: The model's names on the Hugging Face hub and here; empty if none is known.
        data: The data that was measured on.
        scores: The numbers, under their names in a `Result`.
        inferred: Whether the label or the order of columns is inferred rather than stated.
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
        """Where the numbers were published, in one line."""
        inferred = " (inferred)" if self.inferred else ""
        return f"{self.paper}, {self.table}, row {self.row}{inferred}; {self.data}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
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
        model: A name on the Hugging Face hub, or a short name such as "clip-b". There are none for
            a folder, whose path does not say what is in it.
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
    """The numbers of all papers, also for models that were never released."""
    content = json.loads(files(__package__).joinpath(REFERENCES).read_text(encoding="utf-8"))
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
    """Nested scores for each benchmark, from columns like "hierarcaps.official.tau"."""
    found: dict[str, dict[str, Any]] = {}
    for column, value in zip(columns, values, strict=True):
        if value is not None:
            *above, name = column.split(".")
            scores: dict[str, Any] = found
            for each in above:
                scores = scores.setdefault(each, {})
            scores[name] = value
    return found
