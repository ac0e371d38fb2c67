"""What a benchmark found, in a shape that every report can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, TypeAlias

__all__ = ["Result", "Scores"]

Scores: TypeAlias = Mapping[str, "float | int | str | Scores | None"]
"""Named values, nested as deep as need be. A value that is not defined is None, never NaN."""


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Numbers are made plain Python ones, so that any of it can be written as JSON. One that is not
    finite becomes None, and a note says which.

    Attributes:
        benchmark: Its name.
        scores: What was measured.
        chance: What guessing would give, under the same names; a subset of them.
        notes: What a reader of the scores should know: what is undefined and why, what was left
            out, what the model had seen before.
        files: The data's files by name, each with its checksum.
        series: What plots draw; not part of a report in text.
    """

    benchmark: str
    scores: Scores
    chance: Scores = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, Sequence[float] | Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        undefined = [f"{name} is not defined for this data" for name in _undefined(self.scores)]
        object.__setattr__(self, "notes", (*self.notes, *undefined))
        object.__setattr__(self, "scores", _plain(self.scores))
        object.__setattr__(self, "chance", _plain(self.chance))


def _undefined(scores: Scores, above: str = "") -> Iterator[str]:
    """The names of the numbers that are not finite."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _undefined(value, f"{above}{name} ")
        elif isinstance(value, Real) and not math.isfinite(value):
            yield f"{above}{name}"


def _plain(scores: Scores) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            plain[name] = _plain(value)
        elif isinstance(value, Integral):
            plain[name] = int(value)
        elif isinstance(value, Real):
            plain[name] = float(value) if math.isfinite(value) else None
        else:
            plain[name] = value
    return plain
