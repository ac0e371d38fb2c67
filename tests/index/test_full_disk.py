"""On a full disk, what is full is said; what was stored stays, and can be read."""

from __future__ import annotations

import numpy as np
import pytest

from hiersearch import PhotoIndex
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.kept import VectorCache
from hiersearch.errors import HiersearchError, ModelError, StoreError
from tests.disks import fill, small_disk
from tests.index.made import VOCABULARY
from tests.index.test_reading import told


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 600):
        yield tmp_path / "disk"


def test_no_index_is_made(disk, folder, mini):
    fill(disk, free=30)
    full = r"the disk that holds .* is full \(\d+ MB free\)"
    with (
        PhotoIndex.create(disk / "index", model=mini, concepts=VOCABULARY) as index,
        pytest.raises(StoreError, match=full) as caught,
    ):
        index.add(folder)
    assert "Make at least 6" in caught.value.hint
    (disk / "ballast").unlink()
    with PhotoIndex.open(disk / "index", model=mini) as index:
        assert index.add(folder).added == 3


def test_what_was_stored_stays_and_is_read(disk, folder, mini):
    place = disk / "index"
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        index.add(folder / "cat.jpg", folder / "coffee.jpg")
        before = told(index)
    for free in (30, 1):
        ballast = fill(disk, free)
        with (
            pytest.raises(StoreError, match="is full"),
            PhotoIndex.open(place, model=mini) as index,
        ):
            index.add(folder)
        with PhotoIndex.open(place, model=mini, read_only=True) as reader:
            assert told(reader) == before
    ballast.unlink()
    with PhotoIndex.open(place, model=mini) as index:
        assert index.add(folder).added == 1


def test_a_run_that_stored_everything_ends_well_without_room_to_tidy_up(disk, folder, mini, caplog):
    with PhotoIndex.create(disk / "index", model=mini, concepts=VOCABULARY) as index:
        index.add(folder / "cat.jpg")
        size = index._store.connection.client.shards.size("photos")
        assert size > 2**20
        fill(disk, free=65)  # enough to store, not to have the photos twice
        assert index.add(folder).added == 2
        assert index.photo_count == 3
    assert "tidied up by a later run" in caplog.text
    assert "is full" in caplog.text


def test_the_cache_of_models(disk, monkeypatch):
    monkeypatch.setenv("HIERSEARCH_CACHE", str(disk / "cache"))
    for free in (2, 20, 60):
        fill(disk, free)
        with pytest.raises(ModelError, match="cannot be written") as caught:
            _ = HierarchicalEncoder("mini").model
        assert str(disk) in caught.value.message
        assert "No space left" in caught.value.message
        assert "MB free" in caught.value.hint
    (disk / "ballast").unlink()
    assert HierarchicalEncoder("mini").model is not None
    left = [path for path in (disk / "cache").rglob("*") if path.name.startswith(".unfinished")]
    assert left == []


def test_the_cache_of_vectors(disk):
    def compute(keys):
        return np.ones((len(keys), 384), dtype=np.float32)

    fill(disk, free=0)
    for must_keep in (True, False):
        cache = VectorCache(disk / "vectors.sqlite", "m", must_keep=must_keep)
        if must_keep:
            with pytest.raises(HiersearchError, match=r"full|disk I/O") as caught:
                cache.vectors([str(number) for number in range(3000)], compute)
            assert str(disk) in str(caught.value)
        else:
            assert cache.vectors([str(number) for number in range(3000)], compute).shape[0] == 3000
