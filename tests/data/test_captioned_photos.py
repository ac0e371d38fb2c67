"""Captioned photos, read from a file."""

from __future__ import annotations

import gzip

import pytest

from hiersearch.data.captioned_photos import has_captions, is_kept, read_captioned
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.files import read_table


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in [f"{n}.jpg" for n in range(40)] + ["more/x.jpg"]:
        (folder / name).touch()
    return folder


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_captions_of_a_photo_come_together(tmp_path, photos):
    path = write(
        tmp_path / "c.csv",
        "caption,file",
        '"a dog,  running",0.jpg',
        "a cat,1.jpg",
        "a black dog,0.jpg",
        "a hill,more/x.jpg",
    )

    found = read_captioned(path, photos)

    every = {one.path.name: one.captions for one in (*found.train, *found.kept)}
    assert every == {
        "0.jpg": ("a dog, running", "a black dog"),
        "1.jpg": ("a cat",),
        "x.jpg": ("a hill",),
    }
    assert found.missing == ()


def test_a_fixed_tenth_is_kept(tmp_path, photos):
    path = write(tmp_path / "c.csv", "file,caption", *(f"{n}.jpg,a cat" for n in range(40)))

    found = read_captioned(path, photos)

    assert {one.path.name for one in found.kept} == {
        f"{n}.jpg" for n in range(40) if is_kept(f"{n}.jpg")
    }
    assert 0 < len(found.kept) < 12
    assert len(found.train) + len(found.kept) == 40
    assert is_kept("flickr8k/1.jpg") == is_kept("other/1.jpg") == is_kept("1.jpg")
    share = sum(is_kept(f"{n}.png") for n in range(5000)) / 5000
    assert share == pytest.approx(0.1, abs=0.02)


def test_only_rows_of_the_split_train_are_read(tmp_path, photos):
    path = write(
        tmp_path / "c.csv", "file,caption,split", "0.jpg,a,train", "1.jpg,b,dev", "2.jpg,c,val"
    )

    found = read_captioned(path, photos)

    assert [one.path.name for one in (*found.train, *found.kept)] == ["0.jpg"]


def test_what_is_missing_or_malformed_is_told(tmp_path, photos):
    rows = [f"{n % 40}.jpg,a cat" for n in range(300)]
    path = write(tmp_path / "c.csv", "file,caption", *rows, "gone.jpg,a dog", "3.jpg,")

    found = read_captioned(path, photos)

    assert found.missing == ("gone.jpg",)
    assert [(one.line, one.reason) for one in found.problems] == [(303, "an empty text")]


def test_a_folder_without_the_photos(tmp_path, photos):
    path = write(tmp_path / "c.csv", "file,caption", "0.jpg,a cat")

    with pytest.raises(MissingDataError, match="none of the 1 photos") as caught:
        read_captioned(path, tmp_path)

    assert "--photos" in caught.value.hint


def test_other_columns(tmp_path, photos):
    path = write(tmp_path / "c.csv", "photo,text", "0.jpg,a cat")

    assert not has_captions(read_table(path))
    with pytest.raises(UsageError, match="no columns file and caption"):
        read_captioned(path, photos)


def test_a_compressed_file(tmp_path, photos):
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(b"file,caption\n0.jpg,a cat\n"))

    found = read_captioned(path, photos)

    assert len(found.train) + len(found.kept) == 1
