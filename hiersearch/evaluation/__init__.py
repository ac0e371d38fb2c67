"""The papers' benchmarks: run them, report their scores, plot them.

Importing the package does not import torch; the names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import BENCHMARKS, Benchmark, Result, evaluate
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.evaluation.report import Report

__all__ = ["BENCHMARKS", "Benchmark", "Embedder", "Report", "Result", "evaluate"]

_MODULES = {
    "hiersearch.evaluation.embedder": ("Embedder",),
    "hiersearch.evaluation.report": ("Report",),
    "hiersearch.evaluation.benchmark": ("BENCHMARKS", "Benchmark", "Result", "evaluate"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
