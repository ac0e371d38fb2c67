from __future__ import annotations

import json

import pytest
import torch

from hiersearch.encoder.model_folder import (
    SIDECAR_NAME,
    Sidecar,
    fingerprint,
    read_sidecar,
    write_sidecar,
)
from hiersearch.errors import ModelError


def test_a_folder_without_a_sidecar_says_nothing(tmp_path):
    assert read_sidecar(tmp_path) == Sidecar()


@pytest.mark.parametrize(
    "sidecar",
    [
        Sidecar(),
        Sidecar(root=(0.6, 0.8), temperature=0.04, id="mini-1", weights="ab", files={"a/b": 3}),
    ],
)
def test_what_is_written_is_read(tmp_path, sidecar):
    write_sidecar(tmp_path, sidecar)

    assert read_sidecar(tmp_path) == sidecar


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "states no version"),
        ("{}", "states no version"),
        ('{"version": 2}', "version 2"),
        ('{"version": 1, "root": []}', "root"),
        ('{"version": 1, "root": [0, NaN]}', "root"),
        ('{"version": 1, "root": ["0"]}', "root"),
        ('{"version": 1, "temperature": 0}', "temperature"),
        ('{"version": 1, "temperature": "warm"}', "temperature"),
        ('{"version": 1, "id": 3}', "id"),
        ('{"version": 1, "files": []}', "files"),
    ],
)
def test_a_damaged_sidecar_is_named(tmp_path, text, reason):
    (tmp_path / SIDECAR_NAME).write_text(text)

    with pytest.raises(ModelError, match=reason) as caught:
        read_sidecar(tmp_path)

    assert str(tmp_path) in str(caught.value)


def test_unknown_entries_are_left_for_later_versions(tmp_path):
    (tmp_path / SIDECAR_NAME).write_text(json.dumps({"version": 1, "colour": "green"}))

    assert read_sidecar(tmp_path) == Sidecar()


def test_the_fingerprint_is_of_names_shapes_and_values():
    state = {"a": torch.arange(6.0), "b": torch.tensor(3)}
    others = [
        {"a": torch.arange(6.0), "c": torch.tensor(3)},
        {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)},
        {"a": torch.arange(6.0) + 1e-6, "b": torch.tensor(3)},
        {"a": torch.arange(6.0)},
    ]

    assert len({fingerprint(each) for each in [state, *others]}) == 5


def test_the_fingerprint_is_not_of_order_layout_or_precision():
    weight = torch.randn(4, 3).half()
    state = {"a": weight, "b": torch.zeros(0)}
    same = {"b": torch.zeros(0), "a": weight.T.contiguous().T.float()}

    assert fingerprint(state) == fingerprint(same)
