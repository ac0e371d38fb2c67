from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

GENERATOR = Path(__file__).parents[1] / "docs" / "generate_cli.py"


@pytest.fixture
def generator() -> ModuleType:
    if not GENERATOR.exists():
        pytest.skip("docs/ does not come with this copy")
    spec = importlib.util.spec_from_file_location("generate_cli", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_in_docs_is_current(generator):
    page = generator.PAGE.read_text(encoding="utf-8")
    assert page == generator.cli_reference(), "run: python docs/generate_cli.py"


def test_it_depends_on_the_commands_alone(generator, monkeypatch):
    written = generator.cli_reference()
    for name, value in {"COLUMNS": "30", "HIERSEARCH_MODEL": "x", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    assert generator.cli_reference() == written
    assert "\x1b" not in written
