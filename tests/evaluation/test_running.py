from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from inspect import signature
from types import ModuleType
from typing import ClassVar

import pytest

from hiersearch import evaluation
from hiersearch.errors import UsageError
from hiersearch.evaluation import BENCHMARKS, Embedder, Result, evaluate
from hiersearch.evaluation.benchmark import (
    Inputs,
    benchmark_named,
    benchmarks_with_option,
    open_embedder,
)
from tests.evaluation.made_embedder import MadeEmbedder
from tests.evaluation.made_hyperlex import make_hyperlex


def test_importing_the_package_and_its_names_imports_no_torch():
    code = (
        "import sys, hiersearch.evaluation as e; e.BENCHMARKS, e.Result, e.Embedder, e.evaluate; "
        "print(*{'torch', 'matplotlib', 'qdrant_client', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_its_names():
    assert set(evaluation.__all__) <= set(dir(evaluation))
    assert evaluation.Result is Result
    with pytest.raises(AttributeError, match="nonsense"):
        evaluation.nonsense  # noqa: B018


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_can_be_run_by_its_name(name):
    benchmark = benchmark_named(name)
    assert benchmark.name == name
    assert benchmark.measures
    assert benchmark.needs
    # What it says that it takes is what its function takes.
    taken = signature(import_module(BENCHMARKS[name]).evaluate).parameters
    given = {"embedder", "data", "base", "seed", "on_progress", "fetch"}
    assert set(benchmark.options) == set(taken) - given


def test_what_is_asked_of_benchmarks_instead_of_their_names():
    comparing = [name for name in BENCHMARKS if benchmark_named(name).compares_with_baseline]
    assert comparing == ["preservation"]
    assert benchmarks_with_option("baselines") == ["breeds"]
    assert benchmarks_with_option("prompts") == ["hyperlex", "breeds", "classify"]
    assert benchmarks_with_option("nonsense") == []


def test_a_benchmark_of_ones_own(monkeypatch):
    class Dimensions:
        name = "dimensions"
        measures = "How long vectors are."
        needs = "Nothing."
        options: ClassVar = {"unit": "What to count."}
        compares_with_baseline = False

        def run(self, embedder, inputs: Inputs, *, unit="numbers"):
            return Result(self.name, {unit: len(embedder.root), "seed": inputs.seed})

    module = ModuleType("made_benchmark")
    module.BENCHMARK = Dimensions()
    monkeypatch.setitem(sys.modules, "made_benchmark", module)
    monkeypatch.setitem(BENCHMARKS, "dimensions", "made_benchmark")
    made = MadeEmbedder()
    assert evaluate("dimensions", made, seed=3).scores == {"numbers": 16, "seed": 3}
    assert evaluate("dimensions", made, unit="axes").scores["axes"] == 16
    with pytest.raises(UsageError, match="no option nonsense") as caught:
        evaluate("dimensions", made, nonsense=1)
    assert "unit" in caught.value.hint


def test_the_environment_names_the_cache_folder(mini, tmp_path):
    environ = {"HIERSEARCH_CACHE": str(tmp_path / "mine")}
    data = make_hyperlex(tmp_path / "data")
    evaluate("hyperlex", mini, data=data, environ=environ)
    assert list((tmp_path / "mine").rglob("*.sqlite"))


def test_an_embedder_a_name_or_an_encoder(mini, tmp_path):
    made = MadeEmbedder()
    assert open_embedder(made) is made
    assert isinstance(open_embedder(mini), Embedder)
    data = make_hyperlex(tmp_path)
    assert evaluate("hyperlex", mini, data=data) == evaluate("hyperlex", "mini", data=str(data))


def test_options_of_a_benchmark(tmp_path):
    data = make_hyperlex(tmp_path)
    found = evaluate("hyperlex", MadeEmbedder(), data=data, prompts={"kind": "a kind of {}"})
    assert "kind" in found.scores
    with pytest.raises(UsageError, match="hyperlex has no option nonsense"):
        evaluate("hyperlex", MadeEmbedder(), data=data, nonsense=1)


def test_preservation_is_given_the_baseline():
    made = MadeEmbedder()
    found = evaluate("preservation", made, baseline=made, sample=20)
    assert found.scores["texts"]["mean_cosine"] == pytest.approx(1.0)


def test_no_such_benchmark():
    with pytest.raises(UsageError, match="no benchmark is called nonsense") as caught:
        evaluate("nonsense", "mini")
    assert "hierarcaps" in caught.value.hint
