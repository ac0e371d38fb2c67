from __future__ import annotations

import os
import shutil
import sys

import pytest

from hiersearch.data.data_files import find_photo, photos_checksum, photos_there
from hiersearch.errors import MissingDataError, UnreadablePhotoError
from hiersearch.evaluation.benchmarks import breeds, classify, hierarcaps, retrieval, species
from tests.evaluation.made_embedder import MadeEmbedder, json_file, photo_file, text_file
from tests.evaluation.made_hierarcaps import write_csv


@pytest.fixture
def photos(tmp_path):
    return [photo_file(tmp_path / f"data/{name}.png", (at, 0, 0)) for at, name in enumerate("ab")]


def test_the_checksum_hangs_on_names_and_contents_and_not_on_place_or_order(photos, tmp_path):
    base = tmp_path / "data"
    first = photos_checksum(photos, base)
    assert len(first) == 16
    assert photos_checksum([*reversed(photos), photos[0]], base) == first
    assert photos_checksum(iter(photos), base) == first
    assert photos_checksum(photos[:1], base) != first
    shutil.copytree(base, tmp_path / "copy")
    copied = sorted((tmp_path / "copy").iterdir())
    assert photos_checksum(copied, tmp_path / "copy") == first
    assert photos_checksum(copied, tmp_path) != first  # another name from there
    photo_file(copied[0], (9, 9, 9))
    assert photos_checksum(copied, tmp_path / "copy") != first
    copied[0].rename(tmp_path / "copy/c.png")
    with pytest.raises(UnreadablePhotoError):
        photos_checksum(copied, tmp_path / "copy")


def test_photos_elsewhere_go_by_their_name(photos, tmp_path):
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copied = sorted((tmp_path / "copy").iterdir())
    (tmp_path / "base").mkdir()
    found = [photos_checksum(each, tmp_path / "base") for each in (photos, copied)]
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_names_that_are_no_text(photos, tmp_path):
    odd = tmp_path / "data" / os.fsdecode(b"caf\xe9.png")
    photos[0].rename(odd)
    assert photos_checksum([odd], tmp_path / "data")


def test_a_photo_is_found_by_name(tmp_path):
    assert find_photo(tmp_path, "a.png") is None
    below = photo_file(tmp_path / "photos/a.png")
    assert find_photo(tmp_path, "a.png") == below
    above = photo_file(tmp_path / "a.png")
    assert find_photo(tmp_path, "a.png") == above
    assert find_photo(tmp_path, "a.png", ["photos"]) == below
    assert find_photo(tmp_path, "") is None


def test_rows_without_a_photo_are_left_out(tmp_path):
    here = photo_file(tmp_path / "images/a.png")
    rows = [("a.png", 1), ("b.png", 2)]
    assert photos_there(tmp_path / "some.csv", rows) == [(here, 1)]
    with pytest.raises(MissingDataError, match=r"none of the 1 photos .* such as b\.png"):
        photos_there(tmp_path / "some.csv", rows[1:])


def hierarcaps_of(folder):
    rows = [(f"animal => {name}", f"{name}.png") for name in ("cat", "dog")]
    write_csv(folder / "hierarcaps_test.csv", ["captions", "file"], rows)


def retrieval_of(folder):
    images = [{"id": at, "file_name": f"{name}.png"} for at, name in enumerate(("cat", "dog"))]
    captions = [{"image_id": at, "caption": f"caption {at}"} for at in range(2)]
    json_file(folder / "captions_val2017.json", {"images": images, "annotations": captions})


def species_of(folder):
    rows = [(f"{name}.png", "Canis", name) for name in ("cat", "dog")]
    write_csv(folder / "taxonomy.csv", ["file", "genus", "species"], rows)


def classify_of(folder):
    rows = [(f"{name}.png", name) for name in ("cat", "dog")]
    write_csv(folder / "pets.csv", ["file", "class"], rows)


def breeds_of(folder):
    json_file(
        folder / "dataset_class_info.json", [[0, "n00000001", "cat"], [1, "n00000002", "dog"]]
    )
    json_file(folder / "living17-true.json", {"animal": ["cat", "dog"]})
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        shutil.copy2(folder / f"images/{name}.png", folder / name)
    shutil.rmtree(folder / "images")


@pytest.mark.parametrize(
    ("module", "make", "key"),
    [
        (hierarcaps, hierarcaps_of, "photos"),
        (retrieval, retrieval_of, "coco/photos"),
        (species, species_of, "photos"),
        (classify, classify_of, "pets/photos"),
        (breeds, breeds_of, "photos"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_benchmark_says_which_photos_it_read(tmp_path, module, make, key):
    folder = tmp_path / "data"
    for at, name in enumerate(("cat", "dog")):
        photo_file(folder / f"images/{name}.png", (at, 0, 0))
    text_file(folder / "images/readme.txt", "not a photo")
    make(folder)
    first = module.evaluate(MadeEmbedder(), folder).files
    assert len(first[key]) == 16
    moved = folder.rename(tmp_path / "moved")
    assert module.evaluate(MadeEmbedder(), moved).files == first
    photo_file(next(moved.rglob("dog.png")), (7, 7, 7))
    again = module.evaluate(MadeEmbedder(), moved).files
    assert {name for name in first if first[name] != again[name]} == {key}
