"""CONTRIBUTING is right about the tree, and each of its recipes works when it is followed."""

from __future__ import annotations

import ast
import re
import sys
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import hiersearch

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "hiersearch"
TEXT = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MODULES = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


def drawn() -> Iterator[str]:
    """The paths that the tree names, folders with a slash at the end."""
    (tree,) = re.findall(r"^```\n(hiersearch/\n.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    for line in tree.splitlines():
        name = line.split()[0]
        yield f"hiersearch/{name}" if line.startswith(" ") else name


def test_everything_in_the_tree_is_there_and_every_folder_is_in_the_tree():
    for path in drawn():
        assert (PROJECT / path).is_dir() if path.endswith("/") else (PROJECT / path).is_file(), path
    folders = {
        f"hiersearch/{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }
    assert folders <= set(drawn())


def test_the_house_has_room():
    assert len(MODULES) <= 190
    assert max(Counter(path.parent for path in MODULES).values()) <= 14
    twice = [name for name, times in Counter(path.name for path in MODULES).items() if times > 1]
    assert not twice
    for path in MODULES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path


def test_the_threat_model_names_tests_that_there_are():
    text = (PROJECT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|benchmarks)/\S+\.py)`", text)
    assert len(named) > 15
    for path in named:
        assert (PROJECT / path).is_file(), path


def test_two_pages_are_two_pages():
    assert len(TEXT.split()) <= 900


def test_a_model_is_added_as_one_entry(monkeypatch, tmp_path):
    from hiersearch.encoder import HierarchicalEncoder, registry
    from hiersearch.encoder.mini.first_generation import mini_1_folder

    mine = registry.Model("mine", lambda cache: mini_1_folder(cache), 384, "MIT", "What mini sees.")
    monkeypatch.setattr(registry, "MODELS", {**registry.MODELS, "mine": mine})
    encoder = HierarchicalEncoder("mine")
    assert (encoder.name, encoder.dimension) == ("mine", 384)


def test_a_benchmark_is_added_as_one_module_and_one_line(monkeypatch, mini):
    from hiersearch.evaluation import benchmark

    @dataclass(frozen=True)
    class Counting:
        name: str = "counting"
        measures: str = "How long a vector is."
        needs: str = "Nothing."
        options: dict[str, str] = field(default_factory=lambda: {"texts": "What to encode."})
        compares_with_baseline: bool = False

        def run(self, embedder, inputs, *, texts=("a cat",)):
            assert inputs.seed == 0
            vectors = embedder.texts(list(texts))
            scores = {"length": vectors.shape[1], "n_texts": len(vectors)}
            return benchmark.Result(benchmark=self.name, scores=scores, chance={"length": 0.0})

    module = types.ModuleType("counting_benchmark")
    module.BENCHMARK = Counting()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    added = {**benchmark.BENCHMARKS, "counting": module.__name__}
    monkeypatch.setattr(benchmark, "BENCHMARKS", added)
    result = hiersearch.evaluate("counting", mini, texts=["a", "b"])
    assert result.scores == {"length": 384, "n_texts": 2}


def test_a_loss_is_added_as_a_cost_and_one_line(mini):
    import torch

    from hiersearch.alignment.losses import Cost, TripleTerms

    class SquaredAngle:
        def __call__(self, angles, distances, sign):
            del distances
            return sign * angles**2

    cost: Cost = SquaredAngle()
    terms = TripleTerms(cost=cost, mean=1.0, minimax=0.0)
    assert terms.cost is cost
    angles = torch.tensor([0.5, 1.0])
    assert terms.cost(angles, angles, -1).tolist() == [-0.25, -1.0]


@pytest.mark.parametrize("plugin", sorted(path.name for path in (PROJECT / "plugins").iterdir()))
def test_a_plugin_uses_the_public_api_alone(plugin):
    for path in (PROJECT / "plugins" / plugin).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hiersearch"):
                assert not any(part.startswith("_") for part in node.module.split(".")), path
                assert not any(name.name.startswith("_") for name in node.names), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                assert not (node.attr.startswith("_") and not node.attr.startswith("__")), path
