"""Several processes that make one index at once: what one has stored, no other loses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiersearch import PhotoIndex
from hiersearch.errors import StoreError, StoreLockedError
from hiersearch.index import photo_index
from hiersearch.qdrant.edge.folder_lock import FolderLock
from tests.index.made import VOCABULARY


@pytest.fixture
def made_while_loading(monkeypatch, tmp_path, folder, mini):
    """Another run makes and fills the index while a run loads its model."""

    def load(model):
        monkeypatch.undo()
        with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as other:
            assert other.add(folder).added == 3
        return model

    monkeypatch.setattr(photo_index, "load_encoder", load)


@pytest.mark.usefixtures("made_while_loading")
def test_an_index_that_was_filled_while_the_model_was_loaded_is_opened(tmp_path, folder, mini):
    with PhotoIndex.create(
        tmp_path / "index", model=mini, concepts=VOCABULARY, exist_ok=True
    ) as index:
        assert index.photo_count == 3
        assert index.add(folder).unchanged == 3


@pytest.mark.usefixtures("made_while_loading")
def test_or_refused_and_left_as_it_is(tmp_path, mini):
    with pytest.raises(StoreError, match="meanwhile"):
        PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY)
    with PhotoIndex.open(tmp_path / "index", model=mini) as index:
        assert index.photo_count == 3


def test_who_makes_an_index_has_it_until_it_is_closed(tmp_path, mini):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY):
        with pytest.raises(StoreLockedError):
            PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY)
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(tmp_path / "index")
    PhotoIndex.open(tmp_path / "index").close()


def test_the_lock_ends_with_its_process(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from hiersearch.qdrant.edge.folder_lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print('has it', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "has it\n"
        with pytest.raises(StoreLockedError):
            FolderLock(Path(tmp_path / "store"))
    finally:
        holder.kill()
        holder.communicate()
    FolderLock(Path(tmp_path / "store")).close()


def test_what_killed_writers_have_left_is_removed_by_the_next(tmp_path, folder, mini):
    place = tmp_path / "index"
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    before = {path.name for path in place.iterdir()}
    for name in (".draft-abc", ".deleted-x_y"):
        (place / name / "segments").mkdir(parents=True)
    for name in (".hiersearch-index.json.ab12", ".photos.edition.cd34", ".vocabulary-1.json.gz.x"):
        (place / name).write_bytes(b"half")
    with PhotoIndex.open(place, read_only=True) as reader:
        assert reader.photo_count == 3
    assert (place / ".draft-abc").exists()  # who reads changes nothing
    with PhotoIndex.open(place, model=mini) as index:
        assert index.photo_count == 3
    assert {path.name for path in place.iterdir()} == before
