"""A vocabulary's vectors are kept in a file, and made again where that is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from hiersearch.concepts import builtin_vocabulary
from hiersearch.encoder.kept.vocabulary_rows import KeptRows, shipped_rows
from hiersearch.errors import ModelError

ROWS = np.random.default_rng(0).standard_normal((20, 8))
ROWS = (ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)).astype(np.float32)


def refuse():
    pytest.fail("the rows are computed")


@pytest.fixture
def kept(tmp_path) -> KeptRows:
    return KeptRows(tmp_path / "vocabularies" / "rows.npy")


def test_rows_are_computed_once(kept):
    assert kept.rows(ROWS.shape, lambda: ROWS) is ROWS
    again = kept.rows(ROWS.shape, refuse)
    np.testing.assert_array_equal(again, ROWS)
    assert again.dtype == np.float32
    assert not again.flags.writeable


def test_models_and_vocabularies_are_kept_apart(tmp_path):
    environ = {"HIERSEARCH_CACHE": str(tmp_path)}
    for names in (("a/b", "c"), ("a", "b"), ("a", "c")):
        KeptRows.of(*names, environ).rows(ROWS.shape, lambda: ROWS)
    assert len(list((tmp_path / "vocabularies").iterdir())) == 3


def spoilt(row: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[7] = row
    return rows


@pytest.mark.parametrize(
    "content",
    [
        ROWS[:10],
        ROWS.astype(np.float64),
        spoilt(0.0),
        spoilt(np.nan),
        spoilt(np.inf),
        np.array({"no": "rows"}, dtype=object),
    ],
)
def test_other_rows_are_made_again(tmp_path, kept, content, caplog):
    (tmp_path / "vocabularies").mkdir()
    np.save(tmp_path / "vocabularies" / "rows.npy", content)
    np.testing.assert_array_equal(kept.rows(ROWS.shape, lambda: ROWS), ROWS)
    assert "made again" in caplog.text
    np.testing.assert_array_equal(kept.rows(ROWS.shape, refuse), ROWS)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_cut_file_is_made_again(tmp_path, kept, length):
    kept.rows(ROWS.shape, lambda: ROWS)
    file = tmp_path / "vocabularies" / "rows.npy"
    file.write_bytes(file.read_bytes()[:length])
    np.testing.assert_array_equal(kept.rows(ROWS.shape, lambda: ROWS), ROWS)
    np.testing.assert_array_equal(kept.rows(ROWS.shape, refuse), ROWS)


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    kept = KeptRows(tmp_path / "file" / "rows.npy")
    np.testing.assert_array_equal(kept.rows(ROWS.shape, lambda: ROWS), ROWS)


class TestShipped:
    def test_the_built_in_vocabulary_comes_with_the_offline_model(self, mini):
        vocabulary = builtin_vocabulary()
        rows = shipped_rows(mini.id, vocabulary.id)

        assert rows.shape == (len(vocabulary), mini.dimension)
        assert rows.dtype == np.float32
        some = slice(None, None, 97)
        expected = mini.encode_texts(vocabulary.names[some])
        assert (rows[some].astype(float) * expected).sum(axis=1).min() > 0.99999
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)

    def test_nothing_else_does(self, mini):
        assert shipped_rows(mini.id, "another-vocabulary") is None
        assert shipped_rows("another-model", builtin_vocabulary().id) is None

    def test_a_damaged_file_is_named(self, mini, tmp_path, monkeypatch):
        damaged = tmp_path / "concepts.npy"
        damaged.write_bytes(b"damaged")
        monkeypatch.setattr(
            "hiersearch.encoder.kept.vocabulary_rows.known_vectors", lambda *_: damaged
        )
        with pytest.raises(ModelError, match=r"concepts\.npy is damaged"):
            shipped_rows(mini.id, builtin_vocabulary().id)
