"""`hiersearch eval` with the offline model."""

from __future__ import annotations

import json
import math

import pytest

from tests.evaluation.made_hierarcaps import make_hierarcaps
from tests.evaluation.made_hyperlex import make_hyperlex


@pytest.fixture
def data(home, demo_photos):
    return make_hyperlex(make_hierarcaps(home / "benchmarks", demo_photos))


def test_the_command_as_installed(run_installed, data):
    words = ["eval", "hierarcaps", "hyperlex", "species", "--data", data, "--model", "mini"]
    done = run_installed(*words, "--json", check=1)
    content = json.loads(done.stdout)
    assert list(content) == ["hierarcaps", "hyperlex", "run"]
    assert content["hierarcaps"]["official"]["n"] == 4
    assert content["run"]["model"]["name"] == "mini"
    assert content["run"]["model"]["id"].startswith("mini-")
    assert "hiersearch: species: " in done.stderr
    again = run_installed(*words, "--json", check=1)
    assert json.loads(again.stdout) == content
    assert "encoding photos" not in again.stderr


def test_on_a_narrow_terminal(run, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    shown = run("eval", "hyperlex", "--data", data, "--model", "mini").stdout
    assert max(map(len, shown.splitlines())) <= 30


def test_hierarcaps_of_the_development_data(run, shared_data):
    done = run("eval", "hierarcaps", "--data", shared_data, "--model", "mini", "--json")
    scores = json.loads(done.stdout)["hierarcaps"]
    for protocol in ("official", "paper"):
        found = scores[protocol]
        assert found["n"] == 500
        for name in ("precision", "recall", "tau"):
            assert math.isfinite(found[name])
    # What `benchmarks/mini.py` finds by a way of its own.
    assert scores["official"]["precision"] == pytest.approx(0.104, abs=0.005)
    assert scores["official"]["tau"] == pytest.approx(0.878, abs=0.02)
