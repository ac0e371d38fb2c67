from __future__ import annotations

import subprocess
import sys

import pytest

from hiersearch import evaluation
from hiersearch.errors import UsageError
from hiersearch.evaluation import BENCHMARKS, Embedder, Result, evaluate
from hiersearch.evaluation.benchmark import benchmark_module, open_embedder
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
    assert callable(benchmark_module(name).evaluate)


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
