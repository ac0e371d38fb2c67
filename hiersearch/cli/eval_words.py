"""What the words after `hiersearch eval` mean; what cannot be meant is refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

__all__ = ["benchmark_names", "benchmark_options", "data_folder"]

_ALL = "all"
_NEEDS_BASELINE = "preservation"


def benchmark_names(words: Sequence[str], *, has_baseline: bool) -> list[str]:
    """The benchmarks that are meant, each once.

    Raises:
        UsageError: There is no such benchmark, or it needs what was not given.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.running import BENCHMARKS, benchmark_module

    for word in words:
        if word != _ALL:
            benchmark_module(word)
    if _NEEDS_BASELINE in words and not has_baseline:
        raise UsageError(
            "preservation compares a model with the one it was made of, which was not given",
            hint="Give it, too: --baseline MODEL",
        )
    if _ALL in words:
        if not has_baseline:
            typer.echo(f"{_NEEDS_BASELINE} is left out: it needs --baseline MODEL", err=True)
        return [name for name in BENCHMARKS if has_baseline or name != _NEEDS_BASELINE]
    return list(dict.fromkeys(words))


def benchmark_options(
    names: Sequence[str], *, single_prompts: bool, sets: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """What benchmarks are told beside the usual, by their names.

    Raises:
        UsageError: An option goes with a benchmark that is not run.
    """
    from hiersearch.errors import UsageError
    from hiersearch.evaluation.prompts import PAIR_PROMPTS

    found: dict[str, dict[str, Any]] = {}
    if single_prompts:
        found["breeds"] = {"baselines": PAIR_PROMPTS}
    if sets:
        found["classify"] = {"sets": list(dict.fromkeys(sets))}
    for name, option in (("breeds", "--single-prompts"), ("classify", "--set")):
        if name in found and name not in names:
            raise UsageError(f"{option} goes with {name}", hint=f"Name {name}, or leave it out")
    return found


def data_folder(given: Path | None) -> Path | None:
    """The folder of data, from the option or else the environment.

    Raises:
        UsageError: It is not there.
    """
    from hiersearch.config import absolute
    from hiersearch.errors import UsageError

    named = given or os.environ.get("HIERSEARCH_DATA")
    folder = absolute(named) if named else None
    if folder is not None and not folder.exists():
        raise UsageError(f"there is no folder {folder}", hint="Give the folder that holds the data")
    return folder
