"""Moving an index to another model: its photos are read again."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hiersearch.config import cache_dir
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import IndexNotFoundError, MissingPhotosError
from hiersearch.index import PhotoIndex, is_moving, move_index
from hiersearch.index.storage import IndexStore
from tests.index.made import VOCABULARY

OTHER = "mini-1"


@pytest.fixture
def own(environ, tmp_path) -> dict[str, str]:
    """The environment, with this test's own folder for what is being moved."""
    (tmp_path / "cache").mkdir()
    for name in ("models", "vectors"):  # which take long to make
        shared = cache_dir(environ) / name
        shared.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / name).symlink_to(shared)
    return dict(environ) | {"HIERSEARCH_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def made(place, folder, mini, own):
    with PhotoIndex.create(place, model="mini", concepts=VOCABULARY, environ=own) as index:
        index.add(folder)
        return {"paths": index.files(), "counts": index.concept_counts()}


def vectors(place) -> dict[str, np.ndarray]:
    store = IndexStore.open(place)
    try:
        records = list(store.photos.scroll(payload=["name"], with_vectors=True))
        return {record.payload["name"][0]: record.vector for record in records}
    finally:
        store.close()


def test_an_index_moves(place, folder, made, own):
    told = []
    with PhotoIndex.open(place, environ=own) as index:
        assert index.is_of("mini")
        assert not index.is_of(OTHER)

    done = move_index(place, OTHER, environ=own, on_progress=lambda task, *_: told.append(task))

    assert (done.photos, done.dropped, done.skipped) == (3, (), ())
    assert {"indexing photos", "copying photos"} <= set(told)
    with PhotoIndex.open(place, environ=own) as index:
        assert index.info().model == OTHER
        assert sorted(index.files()) == sorted(made["paths"])
        assert index.vocabulary == VOCABULARY
        assert index.query("a cat").levels
    encoder = HierarchicalEncoder(OTHER)
    for name, vector in vectors(place).items():
        expected = encoder.encode_photos([folder / name])[0]
        np.testing.assert_allclose(vector, expected, atol=1e-3)
    assert not list((cache_dir(own) / "moving").iterdir())


def test_photos_that_are_not_there_are_not_dropped_unasked(place, folder, made, own):
    (folder / "coffee.jpg").unlink()

    with pytest.raises(MissingPhotosError, match=r"1 photos .*coffee\.jpg") as caught:
        move_index(place, OTHER, environ=own)

    assert "--prune" in caught.value.hint
    with PhotoIndex.open(place, environ=own) as index:
        assert index.info().model == "mini"
        assert index.photo_count == 3
    done = move_index(place, OTHER, prune=True, environ=own)
    assert done.photos == 2
    assert len(done.dropped) == 1
    assert done.dropped[0].endswith("coffee.jpg")


def test_a_move_that_is_cut_off_goes_on(place, made, own, monkeypatch):
    class CutOffError(Exception):
        pass

    def cut_off(*_, **__):
        raise CutOffError

    monkeypatch.setattr(sys.modules["hiersearch.index.moving"], "copy_index", cut_off)
    assert not is_moving(place, OTHER, environ=own)
    with pytest.raises(CutOffError):
        move_index(place, OTHER, environ=own)
    assert is_moving(place, OTHER, environ=own)
    with PhotoIndex.open(place, environ=own) as index:
        assert index.info().model == "mini"  # which goes on answering
    monkeypatch.undo()
    told = []

    done = move_index(place, OTHER, environ=own, on_progress=lambda task, *_: told.append(task))

    assert done.photos == 3
    assert "indexing photos" not in told
    assert not is_moving(place, OTHER, environ=own)


def test_what_an_earlier_move_left_of_photos_since_dropped(place, folder, made, own):
    class CutOffError(Exception):
        pass

    def cut_off(task, done, total):
        if task == "indexing photos" and done == total:
            raise CutOffError

    with pytest.raises(CutOffError):
        move_index(place, OTHER, environ=own, on_progress=cut_off)
    (folder / "coffee.jpg").unlink()
    with PhotoIndex.open(place, environ=own) as index:
        index.add(folder)
        assert index.photo_count == 2

    assert move_index(place, OTHER, environ=own).photos == 2


def test_where_there_is_no_index(tmp_path, own):
    with pytest.raises(IndexNotFoundError):
        move_index(tmp_path / "nowhere", OTHER, environ=own)
