from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import IndexNotFoundError, StoreError
from hiersearch.index.manifest import (
    Manifest,
    has_manifest,
    load_vocabulary,
    read_manifest,
    save_vocabulary,
    write_manifest,
)
from hiersearch.levels import Calibration

VOCABULARY = Vocabulary([Concept("a", "a"), Concept("b", "b", ("a",), 1.5)], "test")


def manifest(**changes) -> Manifest:
    values = {
        "model": "mini",
        "model_id": "mini-1",
        "root": np.array([0.6, 0.8], dtype=np.float32),
        "vocabulary_id": VOCABULARY.id,
        "photo_size": 224,
        "labelled": True,
    }
    return Manifest(**{**values, **changes})


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_is_written_is_read_to_the_bit(tmp_path):
    centre = np.random.default_rng(0).normal(size=384).astype(np.float32)
    written = manifest(root=centre, calibration=Calibration(centre, 0.1, 0.2), labelled=False)
    write_manifest(tmp_path, written)
    read = read_manifest(tmp_path)
    np.testing.assert_array_equal(read.root, written.root)
    np.testing.assert_array_equal(read.calibration.centre, centre)
    assert (read.calibration.temperature, read.calibration.text_temperature) == (0.1, 0.2)
    assert (read.model, read.model_id, read.photo_size) == ("mini", "mini-1", 224)
    assert read.labelled is False
    assert read_manifest(tmp_path).vocabulary_id == VOCABULARY.id


def test_no_index_is_a_usable_message(tmp_path):
    assert not has_manifest(tmp_path)
    with pytest.raises(IndexNotFoundError, match=r"no index at .*hiersearch index"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}', '{"version": 1, "root": 3}'])
def test_a_damaged_manifest_names_itself(tmp_path, damage):
    write_manifest(tmp_path, manifest())
    only_file(tmp_path).write_text(damage)
    with pytest.raises(StoreError, match="damaged"):
        read_manifest(tmp_path)


def test_a_later_format_is_not_guessed_at(tmp_path):
    write_manifest(tmp_path, manifest())
    file = only_file(tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}))
    with pytest.raises(StoreError, match="format 99"):
        read_manifest(tmp_path)


def test_a_write_that_fails_leaves_the_old_manifest_and_no_debris(tmp_path, monkeypatch):
    write_manifest(tmp_path, manifest())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hiersearch.index.manifest.os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_manifest(tmp_path, manifest(model="other"))
    assert read_manifest(tmp_path).model == "mini"
    assert only_file(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_manifest(tmp_path / "file" / "index", manifest())


def test_a_vocabulary_is_kept_under_its_id(tmp_path):
    save_vocabulary(tmp_path, VOCABULARY)
    assert load_vocabulary(tmp_path, VOCABULARY.id) == VOCABULARY
    assert load_vocabulary(tmp_path, VOCABULARY.id).id == VOCABULARY.id


@pytest.mark.parametrize("damage", [b"", b"not gzip", None])
def test_a_damaged_or_missing_vocabulary_is_an_error(tmp_path, damage):
    save_vocabulary(tmp_path, VOCABULARY)
    if damage is None:
        only_file(tmp_path).unlink()
    else:
        only_file(tmp_path).write_bytes(damage)
    with pytest.raises(StoreError, match="cannot read the index's vocabulary"):
        load_vocabulary(tmp_path, VOCABULARY.id)
