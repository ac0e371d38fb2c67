"""How far a tuned encoder has moved."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from scipy import stats

from hiersearch.errors import UsageError
from hiersearch.evaluation.benchmarks import preservation, retrieval
from hiersearch.evaluation.benchmarks.preservation import (
    differences,
    moved,
    moved_by_chance,
    pairwise_cosines,
)
from tests.evaluation.made_embedder import (
    DIM,
    MadeEmbedder,
    drawn,
    json_file,
    numbers_in,
    photo_file,
)


def rows(prefix: str, n: int = 12, dim: int = DIM) -> np.ndarray:
    return np.stack([drawn(f"{prefix}{at}", dim) for at in range(n)])


def nudged(text: str) -> np.ndarray:
    total = drawn(text) + 0.5 * drawn(f"nudge {text}")
    return (total / np.linalg.norm(total)).astype(np.float32)


def test_scores_agree_with_a_slow_reference():
    ours, theirs = np.stack([nudged(f"a{at}") for at in range(12)]), rows("a")
    cosines = [float(a @ b) for a, b in zip(ours, theirs, strict=True)]
    pairs = [(a, b) for a in range(12) for b in range(a + 1, 12)]
    expected = stats.spearmanr(
        [ours[a] @ ours[b] for a, b in pairs], [theirs[a] @ theirs[b] for a, b in pairs]
    ).statistic
    found = moved(ours, theirs)
    assert found["mean_cosine"] == pytest.approx(np.mean(cosines), abs=1e-6)
    assert found["least_cosine"] == pytest.approx(min(cosines), abs=1e-6)
    assert found["pairwise_spearman"] == pytest.approx(expected, abs=1e-6)
    assert len(pairwise_cosines(ours)) == 66


def test_the_same_vectors_have_not_moved():
    found = moved(rows("a"), rows("a"))
    assert found == pytest.approx(
        {"mean_cosine": 1.0, "least_cosine": 1.0, "pairwise_spearman": 1.0}
    )


def test_a_turn_of_the_space_moves_vectors_but_not_their_order():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, DIM)))[0].astype(np.float32)
    found = moved(rows("a") @ turn, rows("a"))
    assert found["pairwise_spearman"] > 0.999
    assert found["mean_cosine"] < 0.5


def test_what_is_not_defined():
    assert moved(rows("a", 4), rows("a", 4, 8))["mean_cosine"] is None
    assert moved(rows("a", 4), rows("a", 4, 8))["pairwise_spearman"] is not None
    assert moved(rows("a", 2), rows("a", 2))["pairwise_spearman"] is None
    same = np.stack([drawn("x")] * 4)
    assert moved(same, rows("a", 4))["pairwise_spearman"] == 0.0
    assert moved_by_chance(rows("a", 1), rows("a", 1)) == {}


@pytest.mark.parametrize("seed", range(5))
def test_chance_never_compares_a_vector_with_its_own(seed):
    apart = np.eye(5, dtype=np.float32)
    assert moved_by_chance(apart, apart, seed=seed)["mean_cosine"] == 0.0


def test_differences_are_of_numbers_on_both_sides():
    after = {"a": {"r": 0.5, "n": 10, "none": None}, "b": 1.0, "new": 0.1}
    before = {"a": {"r": 0.75, "n": 10, "none": 0.2}, "b": 0.25}
    assert differences(after, before) == {"a": {"r": -0.25}, "b": 0.75}


def data(tmp_path, name="coco/captions_val2017.json"):
    path = tmp_path / name
    for at in range(5):
        photo_file(path.parent / f"images/{at}.png")
    json_file(
        path,
        {
            "images": [{"id": at, "file_name": f"{at}.png"} for at in range(5)],
            "annotations": [{"image_id": at % 5, "caption": f"caption {at}"} for at in range(10)],
        },
    )
    return tmp_path


def test_a_run(tmp_path):
    tuned, base = MadeEmbedder(text=nudged), MadeEmbedder()
    result = preservation.evaluate(tuned, data(tmp_path), base=base)
    scores = result.scores
    captions = [f"caption {at}" for at in range(10)]
    expected = np.mean([nudged(text) @ drawn(text) for text in captions])
    assert scores["texts"]["mean_cosine"] == pytest.approx(expected, abs=1e-6)
    assert (scores["texts"]["n"], scores["photos"]["n"]) == (10, 5)
    assert scores["photos"]["mean_cosine"] == pytest.approx(1.0)
    assert scores["root_cosine"] == pytest.approx(float(nudged("") @ drawn("")))
    assert scores["baseline"] == "made"
    assert set(scores["retrieval"]["coco"]) == {"text_to_image", "image_to_text", "siblings"}
    assert set(numbers_in(result.chance["retrieval"])) == {0.0}
    assert list(result.files) == ["captions_val2017.json", "coco/photos"]
    after, before = (retrieval.evaluate(each, tmp_path).scores["coco"] for each in (tuned, base))
    for name in ("text_to_image", "image_to_text", "siblings"):
        for k, delta in scores["retrieval"]["coco"][name].items():
            assert delta == after[name][k] - before[name][k]
    back = preservation.evaluate(base, tmp_path, base=tuned).scores["retrieval"]
    assert numbers_in(back) == [-delta for delta in numbers_in(scores["retrieval"])]
    assert any(numbers_in(back))


def test_without_data_the_built_in_vocabulary_is_read():
    result = preservation.evaluate(MadeEmbedder(nudged), None, base=MadeEmbedder(), sample=20)
    assert result.scores["texts"]["n"] == 20
    assert result.scores["photos"] is result.scores["retrieval"] is None
    assert any("built-in vocabulary" in note for note in result.notes)
    other = preservation.evaluate(
        MadeEmbedder(nudged), None, base=MadeEmbedder(), sample=20, seed=1
    )
    assert other.scores["texts"] != result.scores["texts"]


def test_captions_without_photos_are_still_texts(tmp_path):
    folder = data(tmp_path)
    shutil.rmtree(folder / "coco/images")
    result = preservation.evaluate(MadeEmbedder(nudged), folder, base=MadeEmbedder())
    assert result.scores["texts"]["n"] == 10
    assert result.scores["photos"] is result.scores["retrieval"] is None
    assert list(result.files) == ["captions_val2017.json"]
    (note,) = result.notes
    assert note.startswith("Photos and retrieval are left out: none of the 5 photos")


def test_a_set_without_its_photos_gives_way_to_one_that_has_them(tmp_path):
    folder = data(tmp_path)
    data(tmp_path, "flickr30k/captions_flickr30k.json")
    shutil.rmtree(folder / "coco/images")
    result = preservation.evaluate(MadeEmbedder(nudged), folder, base=MadeEmbedder())
    assert result.scores["photos"]["n"] == 5
    assert set(result.scores["retrieval"]) == {"flickr30k"}
    assert list(result.files) == ["captions_flickr30k.json", "flickr30k/photos"]
    (note,) = result.notes
    assert note.startswith("coco: left out: none of the 5 photos")


def test_models_without_photos_or_of_another_dimension(tmp_path):
    short = MadeEmbedder(text=lambda text: drawn(text, 8), photo=None)
    result = preservation.evaluate(short, data(tmp_path), base=MadeEmbedder())
    assert result.scores["photos"] is None
    assert result.scores["texts"]["mean_cosine"] is None
    assert result.scores["root_cosine"] is None
    assert any("8 and 16 dimensions" in note for note in result.notes)
    assert any("texts only" in note for note in result.notes)


def test_a_base_is_needed(tmp_path):
    with pytest.raises(UsageError, match="--baseline"):
        preservation.evaluate(MadeEmbedder(), tmp_path)
