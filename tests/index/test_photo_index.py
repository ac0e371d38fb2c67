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
    FilterError,
    IndexNotFoundError,
    MissingPhotosError,
    ModelMismatchError,
    PhotosNotFoundError,
    StoreError,
    StoreLockedError,
    UnreadablePhotoError,
    UsageError,
    VocabularyError,
)
from hiersearch.index import PhotoIndex

VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("cat", "cat", ("animal",)),
        Concept("dog", "dog", ("animal",)),
        Concept("vehicle", "vehicle"),
        Concept("motorcycle", "motorcycle", ("vehicle",)),
        Concept("drink", "drink"),
        Concept("coffee", "coffee", ("drink",)),
    ],
    "test",
)


@pytest.fixture
def folder(tmp_path, demo_photos) -> Path:
    """A folder of three real photographs that tests may change."""
    copy = tmp_path / "photos"
    copy.mkdir()
    for name in ("cat.png", "coffee.png", "motorcycle.png"):
        shutil.copy2(demo_photos / name, copy / name)
    return copy


@pytest.fixture
def index(tmp_path, mini):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as made:
        yield made


def stored(index: PhotoIndex) -> dict[str, dict]:
    """Every stored photo's payload by the names of its files."""
    return {
        " ".join(sorted(record.payload["name"])): record.payload
        for record in index._store.photos.scroll()
    }


def add(index: PhotoIndex, *paths, **options) -> dict[str, int]:
    """What a run did, without what it did not do."""
    summary = index.add(*paths, **options)
    counts = {**vars(summary), "skipped": len(summary.skipped), "lost": len(summary.lost)}
    return {key: value for key, value in counts.items() if value}


class CountingEncoder:
    """The real encoder, counting the photos that it sees."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.photos = 0

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode_photos(self, photos):
        self.photos += len(photos)
        return self._encoder.encode_photos(photos)

    def encode_photo_batches(self, batches):
        return self._encoder.encode_photo_batches(map(self._counted, batches))

    def _counted(self, batch):
        self.photos += len(batch)
        return batch


@pytest.fixture
def counting(index, mini) -> CountingEncoder:
    counter = CountingEncoder(mini)
    index.__dict__["_encoder"] = counter
    return counter


def test_photos_are_stored_with_what_is_known_of_them(index, folder):
    assert add(index, folder) == {"added": 3}
    cat = stored(index)["cat.png"]
    assert cat["path"] == [str(folder / "cat.png")]
    assert cat["size"] == (folder / "cat.png").stat().st_size
    assert cat["mtime"] == [pytest.approx((folder / "cat.png").stat().st_mtime, abs=1e-5)]
    with Image.open(folder / "cat.png") as image:
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
        assert record.payload["root_distance"] == pytest.approx(expected, abs=1e-6)


def test_an_image_query_goes_from_general_to_specific(index, folder):
    index.add(folder)
    answer = index.query(image=folder / "cat.png", limit=2)
    assert [(level.level, level.concept, level.count) for level in answer.levels] == [
        (1, "animal", 1),
        (2, "cat", 1),
    ]
    assert answer.levels[1].photos[0].path == folder / "cat.png"
    assert answer.levels[1].photos[0].score == pytest.approx(1, abs=1e-5)
    assert len(answer.photos) == 2
    assert answer.photos[0].path == folder / "cat.png"


def test_a_text_query_finds_its_photos(index, folder):
    index.add(folder)
    answer = index.query("a motorcycle", levels=1, limit=1)
    assert [level.concept for level in answer.levels] == ["motorcycle"]
    assert answer.photos[0].path == folder / "motorcycle.png"


def test_answers_as_json_have_the_documented_shape(index, folder):
    index.add(folder)
    data = index.query("a cat", limit=1).to_json()
    assert data["version"] == 1
    assert data["query"] == "a cat"
    assert list(data["levels"][0]) == ["level", "concept", "mass", "angle", "count", "photos"]
    assert data["levels"][0]["photos"] == [
        {"path": str(folder / "cat.png"), "score": data["levels"][0]["photos"][0]["score"]}
    ]


def test_angles_are_the_geometry_of_the_vectors(index, folder, mini):
    index.add(folder)
    answer = index.query("a cat")
    root, child = mini.root.astype(float), mini.encode_texts(["a cat"])[0].astype(float)
    for level in answer.levels:
        parent = mini.encode_texts([level.concept])[0].astype(float)
        outward, onward = parent - root, child - parent
        cosine = outward @ onward / np.linalg.norm(outward) / np.linalg.norm(onward)
        assert level.angle == pytest.approx(np.arccos(cosine), abs=1e-3)


def test_running_again_reads_nothing(index, folder, counting, demo_photos, monkeypatch):
    content, odd = (folder / "cat.png").read_bytes(), np.random.default_rng(0)
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

    monkeypatch.setattr("hiersearch.ingest.reading.read_photo", refuse)
    monkeypatch.setattr("hiersearch.ingest.reading.content_hash", refuse)
    assert add(index, folder) == {"unchanged": 63}
    assert counting.photos == before


def test_only_new_and_changed_files_are_encoded(index, folder, counting, demo_photos):
    index.add(folder)
    shutil.copy(demo_photos / "rocket.jpg", folder / "rocket.jpg")
    shutil.copy(demo_photos / "flower.jpg", folder / "cat.png")
    counting.photos = 0
    assert add(index, folder) == {"added": 1, "updated": 1, "unchanged": 2}
    assert counting.photos == 2
    assert set(stored(index)) == {"cat.png", "coffee.png", "motorcycle.png", "rocket.jpg"}
    assert index.info().photos == 4


def test_a_touched_file_is_not_encoded_again(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    os.utime(folder / "cat.png", (1, 1))
    assert add(index, folder) == {"unchanged": 3}
    assert counting.photos == 0
    assert stored(index)["cat.png"]["mtime"] == [1.0]


def test_a_moved_file_is_recognised(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    (folder / "pets").mkdir()
    (folder / "cat.png").rename(folder / "pets" / "tom.png")
    assert add(index, folder) == {"moved": 1, "unchanged": 2}
    assert counting.photos == 0
    assert set(stored(index)) == {"tom.png", "coffee.png", "motorcycle.png"}
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
    shutil.copy(folder / "cat.png", folder / "copy.png")
    assert add(index, folder) == {"added": 3, "copies": 1}
    assert counting.photos == 3
    info = index.info()
    assert (info.photos, info.files) == (3, 4)
    first, *_ = index.query("a cat", limit=3).photos
    assert {first.path.name, *(copy.name for copy in first.copies)} == {"cat.png", "copy.png"}


def test_a_deleted_copy_leaves_the_photo(index, folder):
    shutil.copy(folder / "cat.png", folder / "copy.png")
    index.add(folder)
    (folder / "cat.png").unlink()
    assert add(index, folder) == {"removed": 1, "unchanged": 3}
    assert set(stored(index)) == {"copy.png", "coffee.png", "motorcycle.png"}


def test_deleted_files_are_dropped_but_only_below_the_given_paths(index, folder, demo_photos):
    index.add(folder, demo_photos)
    (folder / "coffee.png").unlink()
    assert add(index, demo_photos) == {"unchanged": 12}
    summary = index.add(folder)
    assert (summary.removed, summary.unchanged) == (1, 2)
    assert len(stored(index)) == 12  # the demo's own coffee.png is still there


@pytest.mark.parametrize("make_lost", ["remove", "empty"])
def test_a_lost_folder_keeps_its_photos_until_told(index, folder, make_lost):
    disk = folder / "disk"
    disk.mkdir()
    (folder / "cat.png").rename(disk / "cat.png")
    index.add(folder)
    if make_lost == "remove":
        shutil.rmtree(disk)
    else:
        (disk / "cat.png").unlink()
    summary = index.add(folder)
    assert summary.lost == {disk: 1}
    with pytest.raises(MissingPhotosError, match=f"{disk} .*--prune"):
        summary.raise_for_lost()
    assert "cat.png" in stored(index)
    assert add(index, folder, prune=True) == {"removed": 1, "unchanged": 2}
    assert "cat.png" not in stored(index)


def test_a_folder_that_was_renamed_is_found_under_its_new_name_and_can_be_dropped(index, folder):
    index.add(folder)
    renamed = folder.rename(folder.with_name("renamed"))
    assert add(index, renamed) == {"copies": 3}
    assert index.query("a cat", limit=1).photos[0].path == renamed / "cat.png"
    with pytest.raises(PhotosNotFoundError):
        index.add(folder)
    assert add(index, folder, prune=True) == {"removed": 3}
    assert index.info().files == 3
    with pytest.raises(PhotosNotFoundError):
        index.add(folder, prune=True)


def test_one_lost_file_moves_to_one_place_only(index, folder):
    index.add(folder)
    cat = (folder / "cat.png").read_bytes()
    (folder / "cat.png").unlink()
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
    (folder / "cat.png").write_bytes(b"half a")
    summary = index.add(folder)
    assert [skip.path.name for skip in summary.skipped] == ["cat.png"]
    assert "cat.png" in stored(index)


def test_names_that_are_not_utf8_come_back_as_they_were(index, folder):
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.png"))
    (folder / "cat.png").rename(odd)
    index.add(folder)
    (first,) = index.query("a cat", limit=1).photos
    assert first.path == odd
    assert add(index, folder) == {"unchanged": 3}


def test_where_filters_photos_and_counts(index, folder):
    index.add(folder)
    answer = index.query("a cat", where=["name=coffee.png"])
    assert [photo.path.name for photo in answer.photos] == ["coffee.png"]
    assert {level.count for level in answer.levels} == {0}
    assert index.concept_counts(["name=coffee.png"]) == {"coffee": 1, "drink": 1}


def test_concept_counts_include_ancestors(index, folder):
    index.add(folder)
    counts = index.concept_counts()
    assert (counts["animal"], counts["cat"], counts["vehicle"]) == (1, 1, 1)


def test_another_vocabulary_relabels_without_encoding_a_photo(index, folder, counting):
    index.add(folder)
    counting.photos = 0
    other = Vocabulary(
        [Concept("pet", "pet"), Concept("kitten", "kitten", ("pet",)), Concept("cup", "cup")], "x"
    )
    assert add(index, concepts=other) == {"relabelled": 3}
    assert counting.photos == 0
    assert stored(index)["cat.png"]["chain"] == ["pet", "kitten"]
    assert index.query(image=folder / "cat.png").levels[-1].concept == "kitten"
    assert add(index, folder, concepts=other) == {"unchanged": 3}


def test_a_vocabulary_without_parents_gives_radial_paths(index, folder):
    index.add(folder)
    flat = Vocabulary([Concept(word, word) for word in ("animal", "cat", "cup", "wheel")], "flat")
    assert add(index, concepts=flat) == {"relabelled": 3}
    (*_, last) = index.query(image=folder / "cat.png").levels
    assert (last.concept, last.mass) == ("cat", None)
    assert last.count == 1


@pytest.mark.parametrize("parents", [("pet",), ()], ids=["hierarchy", "flat"])
def test_relabelling_that_was_cut_off_is_finished_by_the_next_run(
    index, folder, monkeypatch, parents
):
    index.add(folder)
    other = Vocabulary([Concept("pet", "pet"), Concept("tabby", "tabby", parents)], "x")

    def power_cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hiersearch.index.photo_index.relabel", power_cut)
        with pytest.raises(KeyboardInterrupt):
            index.add(concepts=other)
    with pytest.raises(StoreError, match="cut off"):
        index.query("a cat")
    assert add(index, folder) == {"relabelled": 3, "unchanged": 3}
    assert stored(index)["cat.png"]["chain"][-1] == "tabby"


def test_an_index_is_opened_again_as_it_was(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        expected = index.query("a cat").to_json()
    with PhotoIndex.open(tmp_path / "i", model=mini) as index:
        assert index.query("a cat").to_json() == expected
        assert index.vocabulary == VOCABULARY


def test_another_model_is_refused(tmp_path, folder, mini):
    class Other:
        name, id = "other", "another-id"

        def __eq__(self, value):
            return self is value

    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        index.__dict__.pop("_encoder", None)
        index._given = Other()
        with pytest.raises(ModelMismatchError, match="was made with mini"):
            index.query("a cat")


def test_no_index_and_two_indexes_in_one_place_are_errors(tmp_path, folder, mini):
    with pytest.raises(IndexNotFoundError):
        PhotoIndex.open(tmp_path / "nowhere")
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    with pytest.raises(StoreError, match="already"):
        PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY)
    with PhotoIndex.create(tmp_path / "i", exist_ok=True) as index:
        assert index.photo_count == 3
    with pytest.raises(UsageError, match="another vocabulary"):
        PhotoIndex.create(tmp_path / "i", concepts="builtin", exist_ok=True)


def test_an_index_without_photos_is_made_anew(tmp_path, folder, mini):
    other = Vocabulary([Concept("pet", "pet"), Concept("cat", "cat", ("pet",))], "x")
    PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY).close()
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=other, exist_ok=True) as index:
        index.add(folder)
        assert stored(index)["cat.png"]["chain"] == ["pet", "cat"]


def test_a_second_opener_is_told_that_the_index_is_locked(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(tmp_path / "i", model=mini)
    with PhotoIndex.open(tmp_path / "i") as third:
        assert third.info().photos == 3


def test_an_index_without_photos_says_so(index):
    with pytest.raises(PhotosNotFoundError, match="holds no photos yet"):
        index.query("a cat")
    assert index.info().photos == 0


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, UsageError),
        ({"text": "cat", "image": "cat.png"}, UsageError),
        ({"text": "  "}, UsageError),
        ({"text": "cat", "levels": 0}, UsageError),
        ({"text": "cat", "limit": -1}, UsageError),
        ({"text": "cat", "where": ["nonsense"]}, FilterError),
        ({"image": "nowhere.png"}, UnreadablePhotoError),
    ],
)
def test_queries_that_make_no_sense(index, folder, query, error):
    index.add(folder)
    with pytest.raises(error):
        index.query(**query)


def test_a_path_that_is_not_there_changes_nothing_either(index, folder):
    index.add(folder)
    other = Vocabulary([Concept("pet", "pet")], "x")
    with pytest.raises(PhotosNotFoundError):
        index.add(folder / "nowhere", concepts=other)
    assert index.vocabulary == VOCABULARY


def test_a_locked_index_is_not_changed(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(tmp_path / "i").add(concepts=Vocabulary([Concept("x", "x")], "x"))
        assert index.query("a cat").levels
    with PhotoIndex.open(tmp_path / "i") as index:
        assert index.vocabulary == VOCABULARY


def test_where_takes_a_concept_by_its_name(index, folder):
    named = Vocabulary([Concept("n1", "animal"), Concept("n2", "Cat", ("n1",))], "x")
    index.add(folder, concepts=named)
    (photo,) = index.query("something", where=["concept=cat"]).photos
    assert photo.path.name == "cat.png"
    with pytest.raises(FilterError, match="no concept 'unicorn'"):
        index.query("something", where=["concept=unicorn"])


class WithoutTemperature:
    """The real encoder, as if nobody had measured its temperature."""

    temperature = None

    def __init__(self, encoder):
        self._encoder = encoder

    def __getattr__(self, name):
        return getattr(self._encoder, name)


def test_a_model_without_a_temperature_is_calibrated_again_as_photos_come(
    index, folder, mini, demo_photos
):
    index.__dict__["_encoder"] = WithoutTemperature(mini)
    index.add(folder / "cat.png")
    first = index._store.manifest
    assert first.calibrated_on == 1
    summary = index.add(demo_photos)
    assert summary.relabelled == 12
    second = index._store.manifest
    assert second.calibrated_on == 12
    assert second.calibration.temperature != first.calibration.temperature
    assert second.labelled
    np.testing.assert_array_equal(second.calibration.centre, first.calibration.centre)


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
    for name in ("rocket.jpg", "flower.jpg", "moon.png"):
        shutil.copy(demo_photos / name, folder / name)
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        (folder / "cat.png").rename(folder / "swap")
        (folder / "coffee.png").rename(folder / "cat.png")
        (folder / "swap").rename(folder / "coffee.png")
        (folder / "rocket.jpg").rename(folder / "z-moved.jpg")
        shutil.copy(demo_photos / "temple.jpg", folder / "flower.jpg")
        shutil.copy(folder / "motorcycle.png", folder / "copy.png")
        (folder / "moon.png").unlink()
        with monkeypatch.context() as patch:
            cut_after(writes, index, patch)
            with contextlib.suppress(PowerCut):
                index.add(folder)
        index.add(folder)
        assert set(stored(index)) == {
            "cat.png",
            "coffee.png",
            "copy.png motorcycle.png",
            "flower.jpg",
            "z-moved.jpg",
        }
        assert index.info().files == 6
        assert "coffee" in stored(index)["cat.png"]["concepts"]
        assert "cat" in stored(index)["coffee.png"]["concepts"]
        assert set(add(index, folder)) == {"unchanged"}


def test_a_vocabulary_with_a_cycle_changes_nothing(index, folder, tmp_path):
    index.add(folder)
    (tmp_path / "words.csv").write_text("concept,parent\na,b\nb,a\n")
    with pytest.raises(VocabularyError, match="line"):
        index.add(folder, concepts=tmp_path / "words.csv")
    assert index.vocabulary == VOCABULARY
    assert index.query("a cat").levels


def test_progress_reports_only_what_is_stored(index, folder):
    told = []

    def tell(task, done, total):
        if task == "indexing photos":
            told.append((done, total, index._store.photos.count()))

    index.add(folder, on_progress=tell)
    assert told == [(3, 3, 3)]
