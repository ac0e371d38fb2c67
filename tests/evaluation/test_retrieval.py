"""Retrieval against a plain loop, with what it does where little is there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmarks import retrieval
from hiersearch.evaluation.benchmarks.retrieval import (
    group_ranks,
    retrieval_chance,
    retrieval_scores,
    sibling_scores,
)
from tests.evaluation.made_embedder import DIM, MadeEmbedder, drawn, json_file, photo_file

PHOTO_OF = [0, 0, 1, 1, 1, 2, 3, 3]


def rows(prefix: str, n: int) -> np.ndarray:
    return np.stack([drawn(f"{prefix}{at}") for at in range(n)])


def slow_ranks(queries, candidates, own, theirs, *, among_themselves=False):
    ranks = []
    for q, query in enumerate(queries):
        order = sorted(
            (c for c in range(len(candidates)) if not (among_themselves and c == q)),
            key=lambda c: -float(query @ candidates[c]),
        )
        hits = [place for place, c in enumerate(order, 1) if own[q] == theirs[c]]
        ranks.append(hits[0] if hits else len(candidates) + 1)
    return ranks


@pytest.mark.parametrize("at_once", [1, 20, 2**24])
@pytest.mark.parametrize("among_themselves", [False, True])
def test_ranks_are_those_of_a_plain_loop_in_blocks_of_any_size(
    monkeypatch, at_once, among_themselves
):
    monkeypatch.setattr(retrieval, "SCORES_AT_ONCE", at_once)
    captions, own = rows("caption", 8), PHOTO_OF
    others, theirs = (captions, own) if among_themselves else (rows("photo", 4), range(4))
    found = group_ranks(captions, others, own, list(theirs), among_themselves=among_themselves)
    expected = slow_ranks(captions, others, own, theirs, among_themselves=among_themselves)
    assert found.tolist() == expected


def test_recalls_are_shares_of_ranks():
    captions, photos = rows("c", 8), rows("p", 4)
    found = retrieval_scores(photos, captions, PHOTO_OF)
    to_image = slow_ranks(captions, photos, PHOTO_OF, range(4))
    to_text = slow_ranks(photos, captions, range(4), PHOTO_OF)
    for k in (1, 5, 10):
        assert found["text_to_image"][f"recall_at_{k}"] == np.mean([r <= k for r in to_image])
        assert found["image_to_text"][f"recall_at_{k}"] == np.mean([r <= k for r in to_text])
    assert found["text_to_image"] != found["image_to_text"]


def test_a_perfect_model_finds_everything():
    photos = np.eye(4, DIM, dtype=np.float32)
    found = retrieval_scores(photos, photos[PHOTO_OF], PHOTO_OF)
    assert found["text_to_image"]["recall_at_1"] == found["image_to_text"]["recall_at_1"] == 1.0


def test_siblings_leave_out_the_query_and_those_without_any():
    captions = rows("caption", 8)
    ranks = slow_ranks(captions, captions, PHOTO_OF, PHOTO_OF, among_themselves=True)
    asking = [at for at in range(8) if PHOTO_OF.count(PHOTO_OF[at]) > 1]
    assert len(asking) == 7
    found = sibling_scores(captions, PHOTO_OF, (1, 3))
    assert found["recall_at_1"] == np.mean([ranks[at] <= 1 for at in asking])
    assert found["recall_at_3"] == np.mean([ranks[at] <= 3 for at in asking])
    assert set(sibling_scores(captions, list(range(8)), (1,)).values()) == {None}


def test_chance_is_what_random_orders_come_to():
    draw = np.random.default_rng(0)
    sums = {"text_to_image": 0.0, "image_to_text": 0.0, "siblings": 0.0}
    times = 400
    for _ in range(times):
        photos, captions = draw.normal(size=(4, DIM)), draw.normal(size=(8, DIM))
        found = retrieval_scores(photos, captions, PHOTO_OF)
        found["siblings"] = sibling_scores(captions, PHOTO_OF)
        for name in sums:
            sums[name] += found[name]["recall_at_1"] / times
    chance = retrieval_chance(4, PHOTO_OF)
    assert chance["text_to_image"]["recall_at_1"] == pytest.approx(0.25)
    assert chance["image_to_text"]["recall_at_1"] == pytest.approx(0.25)
    # Of the seven that ask, four have one right answer among seven, three have two.
    assert chance["siblings"]["recall_at_1"] == pytest.approx(10 / 49)
    for name, value in sums.items():
        assert value == pytest.approx(chance[name]["recall_at_1"], abs=0.05)
    assert chance["text_to_image"]["recall_at_10"] == 1.0


def data(tmp_path, n=3, per_photo=2, name="coco/captions_val2017.json"):
    path = tmp_path / "data" / name
    folder = path.parent
    for at in range(n):
        photo_file(folder / f"images/{at}.png")
    json_file(
        path,
        {
            "images": [{"id": at, "file_name": f"{at}.png"} for at in range(n)],
            "annotations": [
                {"image_id": at, "caption": f"caption {no} of {at}"}
                for at in range(n)
                for no in range(per_photo)
            ],
        },
    )
    return tmp_path / "data"


def test_a_run(tmp_path):
    captions_match = MadeEmbedder(
        text=lambda text: drawn(text.rpartition(" ")[2]), photo=lambda path: drawn(path.stem)
    )
    result = retrieval.evaluate(captions_match, data(tmp_path))
    scores = result.scores["coco"]
    assert (scores["n_photos"], scores["n_captions"]) == (3, 6)
    assert scores["text_to_image"]["recall_at_1"] == scores["siblings"]["recall_at_1"] == 1.0
    assert result.chance["coco"]["text_to_image"]["recall_at_1"] == pytest.approx(1 / 3)
    assert list(result.files) == ["captions_val2017.json", "coco/photos"]
    assert any("flickr30k" in note for note in result.notes)


def test_a_text_model_is_asked_for_siblings_only(tmp_path):
    result = retrieval.evaluate(MadeEmbedder(photo=None), data(tmp_path))
    scores = result.scores["coco"]
    assert scores["text_to_image"] is None
    assert scores["siblings"]["recall_at_10"] == 1.0
    assert set(result.chance["coco"]) == {"siblings"}
    assert any("texts only" in note for note in result.notes)


def test_one_caption_each_and_missing_photos_are_said(tmp_path):
    folder = data(tmp_path, per_photo=1)
    (folder / "coco/images/1.png").unlink()
    result = retrieval.evaluate(MadeEmbedder(), folder)
    assert result.scores["coco"]["n_photos"] == 2
    assert result.scores["coco"]["siblings"]["recall_at_1"] is None
    assert any("1 photos are not there" in note for note in result.notes)
    assert any("no siblings" in note for note in result.notes)


def test_a_set_without_its_photos_is_left_out_and_said(tmp_path):
    folder = data(tmp_path)
    data(tmp_path, name="flickr30k/captions_flickr30k.json")
    shutil.rmtree(folder / "coco/images")
    result = retrieval.evaluate(MadeEmbedder(), folder)
    assert set(result.scores) == set(result.chance) == {"flickr30k"}
    assert list(result.files) == ["captions_flickr30k.json", "flickr30k/photos"]
    (note,) = result.notes
    assert note.startswith("coco: left out: none of the 3 photos")
    # A model that reads texts only needs none of them.
    assert set(retrieval.evaluate(MadeEmbedder(photo=None), folder).scores) == {"coco", "flickr30k"}
    shutil.rmtree(folder / "flickr30k/images")
    with pytest.raises(MissingDataError, match="none of the 3 photos"):
        retrieval.evaluate(MadeEmbedder(), folder)


def test_the_same_vector_for_everything_earns_nothing_at_the_first_place(tmp_path):
    same = MadeEmbedder(text=lambda _: np.eye(DIM)[0], photo=lambda _: np.eye(DIM)[0])
    scores = retrieval.evaluate(same, data(tmp_path, n=12)).scores["coco"]
    assert scores["text_to_image"]["recall_at_1"] == 0.0
    assert scores["siblings"]["recall_at_10"] == 0.0
