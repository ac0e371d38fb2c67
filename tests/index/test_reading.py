"""An index in a folder is read by many at once, while it is changed, and where nobody can write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from hiersearch import PhotoIndex
from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import StoreLockedError, StoreUnreachableError, UsageError
from hiersearch.index import copy_index
from hiersearch.qdrant.edge.shards import changed_path, edition_path
from tests.disks import mounted_read_only
from tests.index.made import VOCABULARY


@pytest.fixture
def place(tmp_path, folder, mini):
    """An index of the folder's three photos."""
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    return tmp_path / "index"


def told(index):
    """What an index tells; scores to so many digits as do not depend on who adds them up."""
    answer = index.query("a cat", limit=10)
    photos = [[(hit.path, hit.copies) for hit in level.photos] for level in answer.levels]
    levels = [(level.concept_id, level.count, level.sure) for level in answer.levels]
    scores = [round(hit.score, 5) for hit in answer.photos]
    nearest = [hit.path for hit in answer.photos]
    return levels, photos, nearest, scores, index.concept_counts(), index.info()


def ask(place, model=None):
    with PhotoIndex.open(place, model=model, read_only=True) as index:
        return told(index)


def test_it_answers_as_who_has_the_index_open(place, mini):
    with PhotoIndex.open(place, model=mini) as index:
        expected = told(index)
        assert ask(place, mini) == expected
    assert ask(place, mini) == expected


def test_many_read_at_once(place, mini):
    with (
        PhotoIndex.open(place, model=mini, read_only=True) as one,
        PhotoIndex.open(place, model=mini, read_only=True) as other,
        PhotoIndex.open(place, model=mini) as writer,
    ):
        assert one.photo_count == other.photo_count == writer.photo_count == 3


def test_a_reader_changes_nothing(place, folder, mini):
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with PhotoIndex.open(place, model=mini, read_only=True) as index:
        index.query("a dog")
        index.query(image=next(folder.glob("*.*")))
        with pytest.raises(UsageError, match="for reading only"):
            index.add(folder)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_it_sees_what_was_committed_last(place, folder, mini):
    extra = folder / "another"
    extra.mkdir()
    shutil.copy(next(folder.glob("*.*")), extra / "copy.jpg")
    (extra / "copy.jpg").write_bytes((extra / "copy.jpg").read_bytes() + b"\0")
    with PhotoIndex.open(place, model=mini) as writer:
        with PhotoIndex.open(place, read_only=True) as reader:
            writer.add(folder)
            assert (writer.photo_count, reader.photo_count) == (4, 3)
        with PhotoIndex.open(place, read_only=True) as reader:
            assert reader.photo_count == 4
            assert reader.info() == writer.info()


def test_what_a_killed_run_has_stored_is_seen_by_who_can_open_the_store(place, mini, caplog):
    with PhotoIndex.open(place, model=mini) as killed:
        one = next(iter(killed._store.photos.scroll_ids()))[0]
        killed._store.photos.delete([one])
        assert changed_path(place, "photos").exists()
        with PhotoIndex.open(place, read_only=True) as reader:  # it cannot: it is locked
            assert reader.photo_count == 3
        assert "this is what was committed on" in caplog.text
    with PhotoIndex.open(place, read_only=True) as reader:
        assert reader.photo_count == 2
        with pytest.raises(UsageError, match="for reading only"):
            reader.add()
    with PhotoIndex.open(place, model=mini) as index:
        index._store.commit()
    assert not changed_path(place, "photos").exists()
    with PhotoIndex.open(place, read_only=True) as one, PhotoIndex.open(place, read_only=True):
        assert one.photo_count == 2


def test_an_index_of_before_is_read_as_it_was_until_it_is_next_changed(place, folder, mini):
    edition_path(place, "photos").unlink()
    expected = ask(place, mini)
    with PhotoIndex.open(place, model=mini) as index:
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(place, read_only=True)
        assert index.add(folder).unchanged == 3
    assert edition_path(place, "photos").exists()
    assert ask(place, mini) == expected


def test_a_damaged_edition_is_told_and_the_index_read_instead(place, folder, mini, caplog):
    expected = ask(place, mini)
    edition_path(place, "photos").write_bytes(b"nothing of the kind" * 10)
    assert ask(place, mini) == expected
    assert "the index itself is read instead" in caplog.text
    with PhotoIndex.open(place, model=mini) as index:
        index.add(folder)
    caplog.clear()
    assert ask(place, mini) == expected
    assert not caplog.text


def test_labels_and_their_vocabulary_belong_together(place, folder, mini):
    other = Vocabulary([Concept("thing", "thing"), Concept("beast", "beast", ("thing",))], "other")
    with PhotoIndex.open(place, read_only=True) as reader:
        with PhotoIndex.open(place, model=mini) as writer:
            writer.add(folder, concepts=other)
        assert {one.id for one in reader.vocabulary} == {one.id for one in VOCABULARY}
        assert set(reader.concept_counts()) <= {one.id for one in VOCABULARY}
    with PhotoIndex.open(place, read_only=True) as reader:
        assert reader.vocabulary.id == other.id
        assert set(reader.concept_counts()) <= {"thing", "beast"}


def test_a_vocabulary_without_parents(tmp_path, folder, mini):
    flat = Vocabulary([Concept(name, name) for name in ("cat", "dog", "an animal")], "flat")
    place = tmp_path / "flat"
    with PhotoIndex.create(place, model=mini, concepts=flat) as index:
        index.add(folder)
        expected = told(index)
    with PhotoIndex.open(place, model=mini, read_only=True) as reader:
        assert told(reader) == expected
        work = reader._store.concepts._schema.client.path
        assert work.is_dir()
    assert not work.exists()


def test_a_copy_can_be_read_as_its_source_can(place, tmp_path, mini):
    copy_index(place, tmp_path / "copy")
    with PhotoIndex.open(tmp_path / "copy", model=mini):  # has it locked
        assert ask(tmp_path / "copy", mini)[:-1] == ask(place, mini)[:-1]


def test_on_a_disk_that_cannot_be_written_to(place, mini):
    expected = ask(place, mini)
    with mounted_read_only(place):
        assert ask(place, mini) == expected
        with pytest.raises(StoreUnreachableError, match="Read-only file system"):
            PhotoIndex.open(place, model=mini)
    edition_path(place, "photos").unlink()
    with mounted_read_only(place), pytest.raises(StoreUnreachableError, match="Read-only"):
        ask(place, mini)


def test_a_backup_that_cannot_be_written_to_is_copied_back(place, tmp_path, folder, mini):
    expected = ask(place, mini)
    with mounted_read_only(place):
        assert copy_index(place, tmp_path / "back").copied == 3
        assert copy_index(place, tmp_path / "back").unchanged == 3
    assert ask(tmp_path / "back", mini)[:-1] == expected[:-1]
    with PhotoIndex.open(tmp_path / "back", model=mini) as index:
        assert index.add(folder).unchanged == 3
        assert index.check().is_whole


def test_by_a_user_who_may_only_read(place):
    """For root, modes mean nothing, so the reader becomes somebody else."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:  # tmp_path is below a folder that is root's alone
        shared = shutil.copytree(place, Path(name) / "index")
        for path in [Path(name), shared, *shared.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = counted_by_nobody(shared)
    assert done.stdout == "3\n", done.stderr


def counted_by_nobody(place):
    """The photos of an index as another user counts them."""
    program = (
        "import os, sys; from hiersearch import PhotoIndex\n"
        "def count():\n"
        "    with PhotoIndex.open(sys.argv[1], read_only=True) as index: return index.photo_count\n"
        "count(); os.setgid(65534); os.setuid(65534); print(count())\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(place)], capture_output=True, text=True, check=False
    )


def test_vectors_are_as_the_engine_has_them(place):
    with PhotoIndex.open(place) as index, PhotoIndex.open(place, read_only=True) as reader:
        for mine, theirs in zip(
            reader._store.photos.scroll(with_vectors=True),
            index._store.photos.scroll(with_vectors=True),
            strict=True,
        ):
            assert mine.payload == theirs.payload
            assert np.array_equal(mine.vector, theirs.vector)
