"""Captions files and the photos that they name."""

from __future__ import annotations

import pytest

from hiersearch.data.caption_sets import caption_files, read_captions
from hiersearch.errors import MissingDataError, UsageError
from tests.evaluation.made_embedder import json_file, photo_file, text_file

COCO = {
    "images": [{"id": 7, "file_name": "000000000007.png"}, {"id": 3, "file_name": "b.png"}],
    "annotations": [
        {"image_id": 3, "caption": " b  first\n"},
        {"image_id": 7, "caption": "seven"},
        {"image_id": 3, "caption": "b second"},
    ],
}


def test_captions_lie_by_their_photo_in_the_files_order(tmp_path):
    photo_file(tmp_path / "images/b.png")
    photo_file(tmp_path / "images/000000000007.png")
    found = read_captions(json_file(tmp_path / "captions.json", COCO))
    assert [path.name for path in found.photos] == ["000000000007.png", "b.png"]
    assert found.captions == ("seven", "b first", "b second")
    assert found.photo_of == (0, 1, 1)
    assert found.missing == 0
    first = read_captions(tmp_path / "captions.json", per_photo=1)
    assert (first.captions, first.photo_of) == (("seven", "b first"), (0, 1))


def test_a_coco_photo_is_known_by_its_number(tmp_path):
    photo = photo_file(tmp_path / "val2014/COCO_val2014_000000000007.png")
    found = read_captions(json_file(tmp_path / "annotations/captions.json", COCO))
    assert found.photos == (photo,)
    assert found.captions == ("seven",)
    assert found.missing == 1


def test_photos_may_be_named_or_not_needed(tmp_path):
    path = json_file(tmp_path / "captions.json", COCO)
    photo_file(tmp_path / "elsewhere/b.png")
    assert len(read_captions(path, photos=tmp_path / "elsewhere").photos) == 1
    assert len(read_captions(path, need_photos=False).captions) == 3
    with pytest.raises(MissingDataError, match="none of the 2 photos"):
        read_captions(path)


def test_of_the_usual_splits_the_test_split_is_read(tmp_path):
    path = json_file(
        tmp_path / "dataset_flickr30k.json",
        {
            "images": [
                {"filename": "a.png", "split": "train", "sentences": [{"raw": "no"}]},
                {"filename": "b.png", "split": "test", "sentences": [{"raw": "one"}, {"raw": "2"}]},
            ]
        },
    )
    photo_file(tmp_path / "flickr30k-images/b.png")
    found = read_captions(path)
    assert found.captions == ("one", "2")
    assert found.missing == 0


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"annotations": []},
        {"images": [], "annotations": [{"image_id": 1, "caption": "of nothing"}]},
        {"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": []}]},
        {"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "caption": 5}]},
        {"images": [{"id": 1, "file_name": "a"}], "annotations": []},
    ],
    ids=str,
)
def test_other_content_is_refused(tmp_path, content):
    with pytest.raises(UsageError, match=r"captions\.json"):
        read_captions(json_file(tmp_path / "captions.json", content))


def test_no_json_is_refused(tmp_path):
    with pytest.raises(UsageError, match="JSON"):
        read_captions(text_file(tmp_path / "captions.json", "a,b\n1,2\n"))


def test_files_are_found_by_set(tmp_path):
    with pytest.raises(MissingDataError, match=r"captions_val2017\.json"):
        caption_files(tmp_path)
    flickr = json_file(tmp_path / "flickr30k/dataset_flickr30k.json", COCO)
    assert caption_files(tmp_path) == {"flickr30k": flickr}
    loose = json_file(tmp_path / "hierarcaps/some_captions_dev.json", COCO)
    assert caption_files(tmp_path) == {"coco": loose, "flickr30k": flickr}
    own = json_file(tmp_path / "coco/annotations/captions_val2014.json", COCO)
    assert caption_files(tmp_path)["coco"] == own
    within = json_file(tmp_path / "retrieval/captions_val2017.json", COCO)
    assert caption_files(tmp_path)["coco"] == within
    assert caption_files(tmp_path / "retrieval") == {"coco": within}
    assert caption_files(flickr) == {"flickr30k": flickr}
    assert caption_files(own) == {"coco": own}


def test_any_csv_file_with_the_right_columns(tmp_path):
    content = "image,caption,split\nb.png, b  first,x\na.png,a,x\nb.png,b second,x\n"
    path = text_file(tmp_path / "retrieval/mine.csv", content)
    text_file(tmp_path / "retrieval/other.csv", "image,words\nb.png,x\n")
    assert caption_files(tmp_path) == caption_files(path) == {"mine": path}
    photo = photo_file(tmp_path / "retrieval/images/b.png")
    found = read_captions(path)
    assert (found.photos, found.captions, found.photo_of) == (
        (photo,), ("b first", "b second"), (0, 0)
    )  # fmt: skip
    assert (found.missing, found.folder) == (1, path.parent)
    coco = json_file(tmp_path / "retrieval/captions_val2017.json", COCO)
    assert caption_files(tmp_path) == {"mine": path, "coco": coco}


@pytest.mark.parametrize("row", ["a.png,", ",a"])
def test_a_row_without_photo_or_caption_is_refused(tmp_path, row):
    path = text_file(tmp_path / "mine.csv", f"file,caption\na.png,a\n{row}\n")
    with pytest.raises(UsageError, match=r"row 2 of .* lacks a photo or a caption"):
        read_captions(path)
    text_file(path, "file,words\na.png,a\n")
    with pytest.raises(UsageError, match="has no column caption"):
        read_captions(path)


def test_a_flickr_file_is_not_taken_for_coco(tmp_path):
    path = json_file(tmp_path / "captions_flickr30k.json", COCO)
    assert caption_files(tmp_path) == {"flickr30k": path}


def test_the_development_data(shared_data):
    path = caption_files(shared_data)["coco"]
    found = read_captions(path, per_photo=5)
    assert (len(found.photos), len(found.captions), found.missing) == (500, 2500, 0)
