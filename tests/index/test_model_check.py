from __future__ import annotations

import numpy as np
import pytest

from hiersearch.errors import ModelError, ModelMismatchError, UsageError
from hiersearch.index import ModelCheck, TextModel, load_attached_model, model_check
from hiersearch.qdrant import Record

WORDS = ["cat", "dog", "parrot on a branch"]


def spelled(texts):
    """A stand-in for somebody's API: counts letters."""
    return [[1.0 + text.count(letter) for letter in "abcdefgh"] for text in texts]


def records(vectors):
    return [
        Record(number, {"text": word}, np.asarray(vector, dtype=np.float32))
        for number, (word, vector) in enumerate(zip(WORDS, vectors, strict=True))
    ]


def test_a_function_is_a_model():
    model = TextModel(spelled, name="api")
    rows = np.array(spelled(WORDS))
    np.testing.assert_allclose(
        model.encode_texts(WORDS), rows / np.linalg.norm(rows, axis=1)[:, None], rtol=1e-6
    )
    np.testing.assert_allclose(model.root, np.full(8, 8**-0.5), rtol=1e-6)
    check = ModelCheck(model)
    assert check(records(rows)) is True
    assert check.texts
    assert ModelCheck(spelled)(records(rows)) is True
    with pytest.raises(UsageError, match="Pass a list"):
        model.encode_texts("cat")


def test_another_function_is_refused_with_its_mean():
    rows = np.random.default_rng(0).standard_normal((3, 8))
    check = ModelCheck(spelled)
    with pytest.raises(ModelMismatchError, match="this model gives"):
        check(records(rows))
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    expected = (unit * TextModel(spelled).encode_texts(WORDS)).sum(axis=1).mean()
    assert check.mean == pytest.approx(expected, abs=1e-6)
    assert check.compared == 3


def test_an_api_that_refuses_the_empty_text_needs_a_root():
    def api(texts):
        if not all(texts):
            raise RuntimeError("input must not be empty")
        return spelled(texts)

    with pytest.raises(ModelError, match=r"input must not be empty.*root="):
        _ = TextModel(api).root
    root = TextModel(api, root=2 * np.ones(8)).root
    assert np.linalg.norm(root) == pytest.approx(1.0)
    assert ModelCheck(api)(records(spelled(WORDS))) is True


@pytest.mark.parametrize(
    "answer", [[[1.0]], [[1.0], [0.0]], [[1.0], [np.nan]], [["a"], ["b"]], np.ones((2, 2, 2))]
)
def test_what_is_not_one_vector_for_each_text(answer):
    with pytest.raises(ModelError):
        TextModel(lambda _: answer).encode_texts(["a", "b"])


def test_photos():
    with pytest.raises(ModelError, match="reads texts only"):
        TextModel(spelled).encode_photos(["photo"])
    model = TextModel(spelled, photos=lambda photos: [[3.0, 4.0] for _ in photos])
    np.testing.assert_allclose(model.encode_photos([None]), [[0.6, 0.8]], rtol=1e-6)


def test_a_photo_that_a_model_of_texts_cannot_read_is_passed_over(demo_photos):
    (record, *_) = records(spelled(WORDS))
    record.payload["path"] = str(demo_photos / "cat.jpg")
    assert ModelCheck(spelled)([record]) is True


class TestWhatACollectionWasAttachedWith:
    @pytest.fixture(autouse=True)
    def _roots(self, monkeypatch):
        roots = {"mini": 2, "mini-1": 0, "mini-aligned-1": 1, "clip-b": 3}

        def load(name: str):
            return TextModel(lambda texts: np.eye(4)[[roots[name]] * len(texts)], name=name)

        monkeypatch.setattr(model_check, "load_model", load)

    @pytest.mark.parametrize(
        ("name", "root", "expected"),
        [
            ("mini", 0, "mini-1"),
            ("mini", 2, "mini"),
            ("mini-aligned", 1, "mini-aligned-1"),
            ("clip-b", 3, "clip-b"),
        ],
    )
    def test_its_root_tells_which_weights_a_name_meant(self, name, root, expected):
        found = load_attached_model(name, lambda vector: np.allclose(vector, np.eye(4)[root]))

        assert found.name == expected
