from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import hiersearch
from hiersearch.errors import require

MODULES = [
    module.name
    for module in pkgutil.walk_packages(hiersearch.__path__, "hiersearch.")
    if not module.name.endswith("__main__")
]


NAMES = [
    "Answer",
    "AsyncHierarchicalCollection",
    "AttachSummary",
    "CollectionOptions",
    "Concept",
    "ContrastiveLoss",
    "CopySummary",
    "EdgeClient",
    "EntailmentConeLoss",
    "Filter",
    "HierarchicalCollection",
    "HierarchicalEncoder",
    "HiersearchError",
    "Hit",
    "IndexInfo",
    "IngestSummary",
    "Level",
    "MissingPackageError",
    "ModelCheck",
    "MoveSummary",
    "PairSettings",
    "PhotoHit",
    "PhotoIndex",
    "RadialCrossModalLoss",
    "RadialEmbeddingLoss",
    "TextModel",
    "TrainingSettings",
    "Vocabulary",
    "all_of",
    "any_of",
    "between",
    "builtin_vocabulary",
    "copy_index",
    "equals",
    "evaluate",
    "move_index",
    "none_of",
    "read_vocabulary",
    "train",
    "train_pairs",
]


def test_the_names_for_users_are_these():
    assert hiersearch.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there(name):
    assert getattr(hiersearch, name).__name__ == name
    assert name in dir(hiersearch)


def test_importing_the_package_or_the_command_line_loads_no_heavy_library():
    heavy = "torch transformers sentence_transformers scipy sklearn pydantic httpx qdrant_client"
    code = (
        "import sys, hiersearch, hiersearch.cli\n"
        f"loaded = set({heavy.split()}) & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("train", "train"), ("RadialEmbeddingLoss", "train"), ("evaluate", "eval")],
)
def test_a_name_whose_extra_is_missing_says_so_on_use(name, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=rf'pip install "hiersearch\[{extra}\]"') as caught:
        getattr(hiersearch, name)
    assert isinstance(caught.value, hiersearch.HiersearchError)
    assert "\n" not in str(caught.value)


def test_an_error_inside_a_package_that_is_there_stays_what_it_is(tmp_path, monkeypatch):
    (tmp_path / "hs_broken.py").write_text("import hs_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="hs_not_there") as caught:
        require("hs_broken", extra="models")
    assert not isinstance(caught.value, hiersearch.HiersearchError)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        hiersearch.nonsense  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for offered in module.__all__:
        assert hasattr(module, offered)
