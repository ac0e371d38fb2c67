"""BREEDS: its labels, its photos, its runs."""

from __future__ import annotations

import numpy as np
import pytest

from hiersearch.data.breeds_labels import LABELS_PART, class_photos, read_classes, read_subset
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmarks import breeds
from hiersearch.evaluation.benchmarks.breeds import breeds_chance, breeds_scores
from hiersearch.evaluation.benchmarks.label_pairs import cross_validated, pair_ranks
from tests.evaluation.made_embedder import (
    MadeEmbedder,
    drawn,
    json_file,
    numbers_in,
    photo_file,
    text_file,
)

NAMES = {
    "n00000001": "crane",
    "n00000002": "crane",
    "n00000003": "robin, American robin",
    "n00000004": "grey wolf, timber wolf",
    "n00000005": "maillot",
    "n00000006": "maillot, tank suit",
    "n00000007": "Cardigan, Cardigan Welsh corgi",
    "n00000008": "cardigan",
    "n00000009": "ouzel, robin",
}
DRAWN = {"bird": ["crane", "robin"], "canine": ["grey wolf", "Cardigan"]}


def data(folder, **subsets):
    json_file(
        folder / "dataset_class_info.json",
        [[at, wordnet_id, names] for at, (wordnet_id, names) in enumerate(NAMES.items())],
    )
    text_file(folder / "class_hierarchy.txt", "n10 n11\nn11 n00000001\nn12 n00000002\nn10 n12\n")
    text_file(folder / "node_names.txt", "n10\tentity\nn11\tbird, fowl\nn12\tmachine\n")
    for name, drawn_labels in (subsets or {"living17": DRAWN}).items():
        json_file(folder / f"{name}-true.json", drawn_labels)
    return folder


def subset_of(folder, name="living17"):
    return read_subset(folder, name, read_classes(folder)[0])


def test_labels_and_classes(tmp_path):
    subset = subset_of(data(tmp_path))
    assert subset.labels == ("bird", "canine", "crane", "robin", "grey wolf", "Cardigan")
    # The crane below the birds, and the dog, whose name is written with a capital.
    assert subset.truth == {
        "n00000001": (0, 2),
        "n00000003": (0, 3),
        "n00000004": (1, 4),
        "n00000007": (1, 5),
    }


def test_two_classes_of_one_name_share_a_label(tmp_path):
    subset = subset_of(data(tmp_path, entity13={"garment": ["maillot", "maillot"]}), "entity13")
    assert subset.labels == ("garment", "maillot")
    assert subset.truth == {"n00000005": (0, 1), "n00000006": (0, 1)}


def test_what_cannot_be_told_apart_is_refused(tmp_path):
    folder = data(tmp_path)
    (folder / "node_names.txt").unlink()
    with pytest.raises(UsageError, match="crane"):
        subset_of(folder)
    with pytest.raises(UsageError, match="unicorn"):
        subset_of(data(tmp_path, living17={"bird": ["unicorn"]}))
    with pytest.raises(UsageError, match="list"):
        subset_of(data(tmp_path, living17=["bird"]))
    text_file(folder / "living17-true.json", "bird: crane")
    with pytest.raises(UsageError, match="JSON"):
        subset_of(folder)


def test_wordnet_ids_will_do(tmp_path):
    folder = data(tmp_path, entity13=DRAWN)
    json_file(
        folder / "breeds_subsets.json",
        {"living17": [{"name": "bird, fowl", "source": ["n00000002"], "target": ["n00000003"]}]},
    )
    subset = subset_of(folder)
    assert subset.labels == ("bird", "crane", "robin")
    assert subset.truth == {"n00000002": (0, 1), "n00000003": (0, 2)}
    assert subset_of(folder, "entity13").file.name == "entity13-true.json"
    assert subset_of(folder, "entity30") is None
    json_file(folder / "breeds_subsets.json", {"living17": [{"name": "x", "source": ["n9"]}]})
    with pytest.raises(UsageError, match=r"breeds_subsets\.json"):
        subset_of(folder)


def test_photos_by_id_or_any_name(tmp_path):
    classes, _ = read_classes(data(tmp_path))
    for folder in (
        "n00000001",
        "American_robin",
        "robin",
        "timber wolf",
        "crane",
        "unknown",
        "Grey_Wolf",
    ):
        photo_file(tmp_path / "images" / folder / "1.png")
    taken, found, shared = class_photos([tmp_path / "none", tmp_path / "images"], classes)
    assert taken == tmp_path / "images"
    assert {key: len(photos) for key, photos in found.items()} == {
        "n00000001": 1,
        "n00000003": 2,
        "n00000004": 2,
    }
    assert shared == ("crane",)
    assert class_photos([tmp_path], classes)[0] is None


def expert(tiers: dict[str, str]) -> MadeEmbedder:
    """Knows each photo's class; coarse labels lie on the way from the root to their fine ones."""
    root, coarse = drawn("root"), set(tiers.values())

    def vector(word: str):
        above = drawn(tiers[word]) if word in tiers else 0.0
        total = 1.5 * root + (drawn(word) if word in coarse else above + 0.8 * drawn(word))
        return (total / np.linalg.norm(total)).astype(np.float32)

    def text(prompt: str):
        words = [word for word in sorted({*tiers, *coarse}, key=len) if word in prompt]
        return vector(words[0]) if words else root

    return MadeEmbedder(text=text, photo=lambda path: vector(path.parent.name))


def test_a_run(tmp_path):
    folder = data(tmp_path / "breeds", living17=DRAWN, entity13=DRAWN)
    for name, count in (("robin", 3), ("grey wolf", 3)):
        for at in range(count):
            photo_file(tmp_path / f"breeds/images/{name}/{at}.png", (at, count, len(name)))
    tiers = {"crane": "bird", "robin": "bird", "grey wolf": "canine", "Cardigan": "canine"}
    result = breeds.evaluate(expert(tiers), tmp_path)
    scores = result.scores["living17"]
    assert scores["recall_at_5"] == 1.0
    assert (scores["n"], scores["n_classes"], scores["n_labels"]) == (6, 2, 6)
    assert result.scores["entity13"]["recall_at_1"] == scores["recall_at_1"]
    assert result.scores["mean"]["recall_at_5"] == 1.0
    assert result.scores["entity30"] is None
    assert result.chance["living17"] == pytest.approx(breeds_chance(6))
    assert "entity30" not in result.chance
    assert any("living17: photos of 2 of its 4 classes" in note for note in result.notes)
    assert any("entity30-true.json" in note for note in result.notes)
    assert {"photos", "living17-true.json", "dataset_class_info.json"} <= set(result.files)
    assert np.isfinite(numbers_in(result.scores)).all()
    assert breeds.evaluate(MadeEmbedder(), folder).scores["living17"]["n"] == 6


def test_baselines_on_request(tmp_path):
    data(tmp_path)
    for at in range(2):
        photo_file(tmp_path / f"images/robin/{at}.png", (at, 0, 0))
    embedder = MadeEmbedder()
    prompt = "this is a {fine}, a type of {coarse}"
    result = breeds.evaluate(embedder, tmp_path, subsets=["living17"], baselines=[prompt])
    found = result.scores["living17"]["single_prompts"][prompt]
    assert result.scores["mean"]["single_prompts"][prompt] == found  # where references stand
    assert set(found) == {"recall_at_1", "recall_at_5"}
    asked = {text for text in embedder.asked if text.startswith("this is a")}
    assert len(asked) == 6 * 5
    assert "this is a robin, a type of bird" in asked
    assert result.chance["living17"]["single_prompts"][prompt]["recall_at_1"] == 1 / 30


def test_labels_that_are_not_there_are_fetched_and_photos_stay_where_they_are(tmp_path):
    for at in range(2):
        photo_file(tmp_path / f"data/imagenet/val/robin/{at}.png", (at, 0, 0))
    labels = data(tmp_path / "cache", living17=DRAWN, entity13=DRAWN)
    asked = []

    def fetch(part):
        asked.append(part)
        return labels

    result = breeds.evaluate(MadeEmbedder(), tmp_path / "data", fetch=fetch)
    assert asked == [LABELS_PART]
    assert result.scores["entity13"]["n"] == result.scores["living17"]["n"] == 2

    def offline(part):
        raise MissingDataError(f"{part} cannot be had")

    with pytest.raises(MissingDataError, match=r"dataset_class_info\.json; breeds labels cannot"):
        breeds.evaluate(MadeEmbedder(), tmp_path / "data", fetch=offline)


def test_the_ensemble_is_used_by_default(tmp_path):
    data(tmp_path)
    photo_file(tmp_path / "images/robin/0.png")
    embedder = MadeEmbedder()
    result = breeds.evaluate(embedder, tmp_path, subsets=["living17"])
    assert len({text for text in embedder.asked if "robin" in text}) == 80
    assert result.scores["living17"]["recall_at_1"] is None
    assert result.scores["mean"]["recall_at_1"] is None
    assert any("one photo" in note for note in result.notes)


def test_scores_are_cross_validated_with_the_seed():
    root, labels = drawn("root"), np.stack([drawn(f"label {at}") for at in range(5)])
    photos = np.stack([drawn(f"photo {at}") for at in range(15)])
    truth = [((at, at + 1) if at % 2 else (at + 1, at)) for at in range(4)] * 4
    truth = truth[:15]
    ranks = pair_ranks(photos, labels, root, truth)
    found = [breeds_scores(photos, labels, root, truth, seed=seed) for seed in range(5)]
    for seed, scores in enumerate(found):
        for k in (1, 5):
            expected = cross_validated(ranks, k, seed=seed)
            assert scores[f"recall_at_{k}"] == expected.recall
            assert tuple(scores["constants"][f"recall_at_{k}"].values()) == expected.constants
    assert len({scores["recall_at_5"] for scores in found}) > 1


def test_chance_is_a_blind_guess_of_an_ordered_pair():
    assert breeds_chance(6) == {"recall_at_1": 1 / 30, "recall_at_5": 5 / 30}
    assert breeds_chance(2)["recall_at_5"] == 1.0


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(MissingDataError, match=r"dataset_class_info\.json"):
        breeds.evaluate(MadeEmbedder(), tmp_path)
    data(tmp_path)
    with pytest.raises(MissingDataError, match="no photos of ImageNet classes"):
        breeds.evaluate(MadeEmbedder(), tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"subsets": ["living18"]}, {"subsets": []}, {"baselines": ["a {}"]}, {"constants": []}],
)
def test_wrong_options_are_refused_before_anything_is_read(tmp_path, options):
    with pytest.raises(UsageError, match=r"no subset|both labels|no constants"):
        breeds.evaluate(MadeEmbedder(), tmp_path / "none", **options)


def test_the_development_data(shared_data):
    folder = shared_data / "breeds"
    classes, files = read_classes(folder)
    assert (len(classes.names), len(files)) == (1000, 3)
    sizes = {}
    for name in breeds.SUBSETS:
        subset = read_subset(folder, name, classes)
        sizes[name] = (len(subset.truth), len(subset.labels))
    assert sizes == {
        "living17": (68, 85),
        "nonliving26": (104, 130),
        "entity13": (260, 272),
        "entity30": (240, 270),
    }
    _, found, shared = class_photos([shared_data / "photos/imagenette"], classes)
    assert (len(found), shared) == (10, ())
