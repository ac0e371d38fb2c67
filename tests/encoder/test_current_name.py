"""What a model that was recorded by name and id is called now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hiersearch.encoder import MODELS, HierarchicalEncoder, current_name, registry

OLD = MODELS["mini"]


@pytest.mark.parametrize("name", ["mini", "mini-aligned"])
def test_ids_that_are_known_without_loading(environ, name):
    assert MODELS[name].id == HierarchicalEncoder(name).id


def test_a_name_may_come_to_mean_newer_weights(monkeypatch):
    newer = {"mini": replace(OLD, id="newer"), "mini-1": replace(OLD, name="mini-1")}
    monkeypatch.setattr(registry, "MODELS", {**MODELS, **newer})

    assert current_name("mini", OLD.id) == "mini-1"
    assert current_name("mini", "newer") == "mini"
    assert current_name("mini", "of nobody") == "mini"
    assert current_name("/a/folder", OLD.id) == "/a/folder"
    assert current_name("clip-b", "0123") == "clip-b"
