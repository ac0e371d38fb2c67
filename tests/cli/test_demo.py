from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

from hiersearch.cli.photos.demo import DEMO_PHOTOS, copy_demo_photos

SAMPLES = resources.files("hiersearch.cli.photos") / "samples"


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "new" / "photos"
    copy_demo_photos(folder)
    return folder


def test_all_that_come_with_it_are_copied_and_nothing_else(copied):
    there = sorted(file.name for file in SAMPLES.iterdir())
    assert there == sorted([*DEMO_PHOTOS, "LICENSES"])
    assert sorted(path.name for path in copied.iterdir()) == sorted(DEMO_PHOTOS)
    for path in copied.iterdir():
        assert path.read_bytes() == SAMPLES.joinpath(path.name).read_bytes()


@pytest.mark.parametrize("name", DEMO_PHOTOS)
def test_each_is_a_small_photo_that_tells_nothing_else(copied, name):
    with Image.open(copied / name) as photo:
        photo.load()
        assert photo.format == "JPEG"
        assert 300 <= max(photo.size) <= 720
        assert not photo.getexif()
        assert not {"icc_profile", "comment", "photoshop", "xmp"} & set(photo.info)
    assert (copied / name).stat().st_size < 150_000


def test_each_has_its_maker_and_its_terms():
    text = SAMPLES.joinpath("LICENSES").read_text(encoding="utf-8")
    told = dict(re.findall(r"^(\S+\.jpg)\n((?:    .*\n)+)", text, flags=re.MULTILINE))
    assert sorted(told) == sorted(DEMO_PHOTOS)
    for name, terms in told.items():
        assert re.search(r"(By|From) .*[:.,]", terms), name
        granted = r"CC0 1\.0|CC BY 2\.0|Public domain|No known copyright|grant permission"
        assert re.search(granted, terms), name


def test_a_photo_that_is_there_stays_and_a_partial_one_is_replaced(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"mine")
    (tmp_path / ".coffee.jpg.part").write_bytes(b"cut off")
    copy_demo_photos(tmp_path)
    assert (tmp_path / "cat.jpg").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(DEMO_PHOTOS)
    with Image.open(tmp_path / "coffee.jpg") as photo:
        photo.load()


def test_a_copy_that_is_cut_off_leaves_no_photo(tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        copy_demo_photos(tmp_path)
    assert not list(tmp_path.glob("*.jpg"))
