from __future__ import annotations

import shutil

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import ModelError, UnreadablePhotoError
from hiersearch.evaluation import embedder as module
from hiersearch.evaluation.embedder import Embedder
from hiersearch.photos import content_hash

TEXTS = ["a cat", "animal", "a cat", "rocket"]


class Counting:
    """An encoder that counts what it is asked for."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.texts, self.photos, self.batches = [], 0, []

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode_texts(self, texts):
        self.texts += texts
        return self._encoder.encode_texts(texts)

    def encode_photo_batches(self, batches):
        for photos in batches:
            self.batches.append(len(photos))
            self.photos += len(photos)
            yield self._encoder.encode_photos(photos)


@pytest.fixture(scope="module")
def photos(demo_photos):
    return sorted(demo_photos.iterdir())[:3]


def test_it_says_what_the_model_is(mini, tmp_path):
    embedder = Embedder(mini, cache=tmp_path)
    assert (embedder.id, embedder.name, embedder.has_photos) == (mini.id, "mini", True)
    np.testing.assert_array_equal(embedder.root, mini.root)


@pytest.mark.parametrize("cached", [True, False])
def test_vectors_are_the_encoders(mini, tmp_path, photos, cached):
    embedder = Embedder(mini, cache=tmp_path if cached else None)
    np.testing.assert_allclose(embedder.texts(TEXTS), mini.encode_texts(TEXTS), atol=1e-5)
    paths = [photos[1], photos[0], photos[1]]
    np.testing.assert_allclose(embedder.photos(paths), mini.encode_photos(paths), atol=0.03)
    assert embedder.texts(TEXTS).dtype == np.float32
    assert list(tmp_path.rglob("*.sqlite")) == (
        [tmp_path / "vectors" / f"{mini.id}.sqlite"] if cached else []
    )


def test_a_second_run_computes_nothing(mini, tmp_path, photos):
    first = Counting(mini)
    once = Embedder(first, cache=tmp_path)
    texts, vectors = once.texts(TEXTS), once.photos(photos)
    assert sorted(first.texts) == ["a cat", "animal", "rocket"]
    assert first.photos == len(photos)
    second = Counting(mini)
    again = Embedder(second, cache=tmp_path)
    np.testing.assert_array_equal(again.texts(TEXTS), texts)
    np.testing.assert_array_equal(again.photos(photos), vectors)
    assert (second.texts, second.photos) == ([], 0)


def test_a_photo_is_known_by_its_content(mini, tmp_path, photos):
    path = tmp_path / "photo"
    shutil.copyfile(photos[0], path)
    counting = Counting(mini)
    embedder = Embedder(counting, cache=tmp_path / "cache")
    embedder.photos([photos[0]])
    first = embedder.photos([path])
    assert counting.photos == 1
    shutil.copyfile(photos[1], path)
    assert not np.allclose(embedder.photos([path]), first, atol=0.01)
    assert counting.photos == 2


def test_a_text_that_looks_like_a_photos_key_is_a_text(mini, tmp_path, photos):
    embedder = Embedder(mini, cache=tmp_path)
    embedder.photos(photos[:1])
    key = content_hash(photos[0])
    np.testing.assert_allclose(embedder.texts([key]), mini.encode_texts([key]), atol=1e-5)


def test_photos_are_decoded_a_few_at_a_time_and_progress_is_told(
    mini, tmp_path, photos, monkeypatch
):
    monkeypatch.setattr(module, "PHOTOS_AT_ONCE", 2)
    told = []
    counting = Counting(mini)
    Embedder(counting, cache=tmp_path).photos(photos, lambda *news: told.append(news))
    assert counting.batches == [2, 1]
    assert told == [("encoding photos", 2, 3), ("encoding photos", 3, 3)]


def test_nothing_has_the_models_dimension(mini, tmp_path):
    embedder = Embedder(mini, cache=tmp_path)
    assert embedder.texts([]).shape == (0, mini.dimension)
    assert embedder.photos([]).shape == (0, mini.dimension)


def test_a_photo_that_cannot_be_read_is_named(mini, tmp_path):
    embedder = Embedder(mini, cache=tmp_path)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    for path in (broken, tmp_path / "absent.jpg"):
        with pytest.raises(UnreadablePhotoError, match=path.name) as caught:
            embedder.photos([path])
        assert caught.value.hint


def test_a_model_of_texts_alone(mini, tmp_path, photos):
    text_only = HierarchicalEncoder(SentenceTransformer(modules=text_modules(mini)))
    embedder = Embedder(text_only, cache=tmp_path)
    assert not embedder.has_photos
    with pytest.raises(ModelError):
        embedder.photos(photos)


def text_modules(mini):
    return list(mini.model[0].sub_modules["text"])
