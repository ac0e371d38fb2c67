from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import (
    MissingPhotosError,
    PhotosNotFoundError,
)
from hiersearch.index import PhotoIndex
from tests.index.made import VOCABULARY, add, stored


def test_photos_are_stored_with_what_is_known_of_them(index, folder):
    assert add(index, folder) == {"added": 3}
    cat = stored(index)["cat.jpg"]
    assert cat["path"] == [str(folder / "cat.jpg")]
    assert cat["size"] == (folder / "cat.jpg").stat().st_size
    assert cat["mtime"] == [pytest.approx((folder / "cat.jpg").stat().st_mtime, abs=1e-5)]
    with Image.open(folder / "cat.jpg") as image:
        assert (cat["width"], cat["height"]) == image.size
    assert len(cat["hash"]) == 32
    assert str(folder) in cat["folder"]
    assert "photos" in cat["folder"]
    assert cat["chain"] == ["animal", "cat"]
    assert cat["concepts"] == ["animal", "cat"]
    assert 1 >= cat["masses"][0] >= cat["masses"][1] >= 0.3
    assert 0 < cat["root_distance"] < 2
    assert "taken" not in cat


def test_root_distance_is_that_of_the_vector(index, folder, mini):
    index.add(folder)
    for record in index._store.photos.scroll(with_vectors=True):
        expected = np.linalg.norm(record.vector.astype(float) - mini.root.astype(float))
        assert record.payload["root_distance"] == pytest.approx(expected, abs=6e-6)


def test_running_again_reads_nothing(index, folder, counting, demo_photos, monkeypatch):
    content, odd = (folder / "cat.jpg").read_bytes(), np.random.default_rng(0)
    for number in range(60):
        file = folder / f"{number}.png"
        file.write_bytes(content)
        nanoseconds = int(odd.integers(10**18, 2 * 10**18))
        os.utime(file, ns=(nanoseconds, nanoseconds))
    index.add(folder)
    before = counting.photos
    assert before == 3

    def refuse(*_, **__):
        raise AssertionError("a file was read")

    monkeypatch.setattr("hiersearch.photos.PhotoReaders.read", refuse)
    monkeypatch.setattr("hiersearch.photos.PhotoReaders.content_hash", refuse)
    assert add(index, folder) == {"unchanged": 63}
    assert counting.photos == before


def test_only_new_and_changed_files_are_encoded(index, folder, counting, demo_photos):
    index.add(folder)
    shutil.copy(demo_photos / "rocket.jpg", folder / "rocket.jpg")
    shutil.copy(demo_photos / "flower.jpg", folder / "cat.jpg")
    counting.photos = 0
    assert add(index, folder) == {"added": 1, "updated": 1, "unchanged": 2}
    assert counting.photos == 2
    assert set(stored(index)) == {"cat.jpg", "coffee.jpg", "motorcycle.jpg", "rocket.jpg"}
    assert index.info().photos == 4


def test_a_touched_file_is_not_encoded_again(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    os.utime(folder / "cat.jpg", (1, 1))
    assert add(index, folder) == {"unchanged": 3}
    assert counting.photos == 0
    assert stored(index)["cat.jpg"]["mtime"] == [1.0]


def test_a_moved_file_is_recognised(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    (folder / "pets").mkdir()
    (folder / "cat.jpg").rename(folder / "pets" / "tom.png")
    assert add(index, folder) == {"moved": 1, "unchanged": 2}
    assert counting.photos == 0
    assert set(stored(index)) == {"tom.png", "coffee.jpg", "motorcycle.jpg"}
    assert add(index, folder) == {"unchanged": 3}


def test_a_whole_folder_that_moved_is_no_lost_folder(index, folder, counting):
    index.add(folder.parent / "photos")
    counting.photos = 0
    folder.rename(folder.parent / "pictures")
    (folder.parent / "pictures" / "more").mkdir()
    summary = index.add(folder.parent)
    assert (summary.moved, summary.removed, summary.lost) == (3, 0, {})
    assert counting.photos == 0
    assert index.info().files == 3


def test_equal_files_are_one_photo_shown_once(index, folder, counting):
    shutil.copy(folder / "cat.jpg", folder / "copy.png")
    assert add(index, folder) == {"added": 3, "copies": 1}
    assert counting.photos == 3
    info = index.info()
    assert (info.photos, info.files) == (3, 4)
    first, *_ = index.query("a cat", limit=3).photos
    assert {first.path.name, *(copy.name for copy in first.copies)} == {"cat.jpg", "copy.png"}


def test_a_deleted_copy_leaves_the_photo(index, folder):
    shutil.copy(folder / "cat.jpg", folder / "copy.png")
    index.add(folder)
    (folder / "cat.jpg").unlink()
    assert add(index, folder) == {"removed": 1, "unchanged": 3}
    assert set(stored(index)) == {"copy.png", "coffee.jpg", "motorcycle.jpg"}


def test_deleted_files_are_dropped_but_only_below_the_given_paths(index, folder, demo_photos):
    index.add(folder, demo_photos)
    (folder / "coffee.jpg").unlink()
    assert add(index, demo_photos) == {"unchanged": 12}
    summary = index.add(folder)
    assert (summary.removed, summary.unchanged) == (1, 2)
    assert len(stored(index)) == 12  # the demo's own coffee.jpg is still there


@pytest.mark.parametrize("make_lost", ["remove", "empty"])
def test_a_lost_folder_keeps_its_photos_until_told(index, folder, make_lost):
    disk = folder / "disk"
    disk.mkdir()
    (folder / "cat.jpg").rename(disk / "cat.jpg")
    index.add(folder)
    if make_lost == "remove":
        shutil.rmtree(disk)
    else:
        (disk / "cat.jpg").unlink()
    summary = index.add(folder)
    assert summary.lost == {disk: 1}
    with pytest.raises(MissingPhotosError, match=f"{disk} .*--prune"):
        summary.raise_for_lost()
    assert "cat.jpg" in stored(index)
    assert add(index, folder, prune=True) == {"removed": 1, "unchanged": 2}
    assert "cat.jpg" not in stored(index)


def test_a_folder_that_was_renamed_is_found_under_its_new_name_and_can_be_dropped(index, folder):
    index.add(folder)
    renamed = folder.rename(folder.with_name("renamed"))
    assert add(index, renamed) == {"copies": 3}
    assert index.query("a cat", limit=1).photos[0].path == renamed / "cat.jpg"
    with pytest.raises(PhotosNotFoundError):
        index.add(folder)
    assert add(index, folder, prune=True) == {"removed": 3}
    assert index.info().files == 3
    with pytest.raises(PhotosNotFoundError):
        index.add(folder, prune=True)


def test_one_lost_file_moves_to_one_place_only(index, folder):
    index.add(folder)
    cat = (folder / "cat.jpg").read_bytes()
    (folder / "cat.jpg").unlink()
    (folder / "a.png").write_bytes(cat)
    (folder / "b.png").write_bytes(cat)
    assert add(index, folder) == {"moved": 1, "copies": 1, "unchanged": 2}


def test_a_path_that_is_suddenly_empty_is_an_error_not_a_deletion(index, folder):
    index.add(folder)
    for photo in folder.iterdir():
        photo.unlink()
    with pytest.raises(MissingPhotosError):
        index.add(folder).raise_for_lost()
    assert len(stored(index)) == 3


def test_a_missing_path_is_an_error(index, folder):
    with pytest.raises(PhotosNotFoundError, match="nowhere"):
        index.add(folder / "nowhere")


def test_an_empty_folder_is_an_error(index, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotosNotFoundError, match="no photos in"):
        index.add(tmp_path / "empty")


def test_files_that_cannot_be_read_are_skipped_with_the_reason(index, folder):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not a photo")
    summary = index.add(folder)
    assert [(skip.path.name, bool(skip.reason)) for skip in summary.skipped] == [
        ("broken.jpg", True)
    ]
    assert summary.added == 3


def test_a_photo_that_can_no_longer_be_read_keeps_its_place(index, folder):
    index.add(folder)
    (folder / "cat.jpg").write_bytes(b"half a")
    summary = index.add(folder)
    assert [skip.path.name for skip in summary.skipped] == ["cat.jpg"]
    assert "cat.jpg" in stored(index)


def test_names_that_are_not_utf8_come_back_as_they_were(index, folder):
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.png"))
    (folder / "cat.jpg").rename(odd)
    index.add(folder)
    (first,) = index.query("a cat", limit=1).photos
    assert first.path == odd
    assert add(index, folder) == {"unchanged": 3}


def test_a_path_that_is_not_there_changes_nothing_either(index, folder):
    index.add(folder)
    other = Vocabulary([Concept("pet", "pet")], "x")
    with pytest.raises(PhotosNotFoundError):
        index.add(folder / "nowhere", concepts=other)
    assert index.vocabulary == VOCABULARY


class PowerCut(BaseException):
    """What no code catches."""


def cut_after(writes: int, index: PhotoIndex, monkeypatch) -> None:
    """Lets so many writes to the photos through, and none after."""
    left = [writes]

    def cutting(write):
        def cut(*arguments):
            if not left[0]:
                raise PowerCut
            left[0] -= 1
            return write(*arguments)

        return cut

    for name in ("upsert", "set_payload", "delete"):
        monkeypatch.setattr(index._store.photos, name, cutting(getattr(index._store.photos, name)))


@pytest.mark.parametrize("writes", range(6))
def test_a_run_that_is_cut_off_after_any_write_is_finished_by_the_next(
    tmp_path, mini, folder, demo_photos, writes, monkeypatch
):
    """Swaps, moves, changes, copies and deletions at once, cut off, end as if never cut."""
    for name in ("rocket.jpg", "flower.jpg", "galaxies.jpg"):
        shutil.copy(demo_photos / name, folder / name)
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        (folder / "cat.jpg").rename(folder / "swap")
        (folder / "coffee.jpg").rename(folder / "cat.jpg")
        (folder / "swap").rename(folder / "coffee.jpg")
        (folder / "rocket.jpg").rename(folder / "z-moved.jpg")
        shutil.copy(demo_photos / "temple.jpg", folder / "flower.jpg")
        shutil.copy(folder / "motorcycle.jpg", folder / "copy.png")
        (folder / "galaxies.jpg").unlink()
        with monkeypatch.context() as patch:
            cut_after(writes, index, patch)
            with contextlib.suppress(PowerCut):
                index.add(folder)
        index.add(folder)
        assert set(stored(index)) == {
            "cat.jpg",
            "coffee.jpg",
            "copy.png motorcycle.jpg",
            "flower.jpg",
            "z-moved.jpg",
        }
        assert index.info().files == 6
        assert "coffee" in stored(index)["cat.jpg"]["concepts"]
        assert "cat" in stored(index)["coffee.jpg"]["concepts"]
        assert set(add(index, folder)) == {"unchanged"}


def test_progress_reports_only_what_is_stored(index, folder):
    told = []

    def tell(task, done, total):
        if task == "indexing photos":
            told.append((done, total, index._store.photos.count()))

    index.add(folder, on_progress=tell)
    assert told == [(3, 3, 3)]
