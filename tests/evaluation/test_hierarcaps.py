from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from hiersearch.data.data_files import checksum, photos_checksum
from hiersearch.data.hierarcaps_files import (
    TRAIN_PART,
    find_pairs_file,
    read_items,
    read_pairs,
)
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.errors import MissingDataError, UnreadablePhotoError, UsageError
from hiersearch.evaluation import protocols
from hiersearch.evaluation.benchmarks.entailment import entailment_angles, measure_entailment
from hiersearch.evaluation.benchmarks.hierarcaps import control_subsets, evaluate, recall_by_radius
from hiersearch.evaluation.embedder import Embedder
from hiersearch.geometry import exterior_angle
from tests.evaluation.made_hierarcaps import PAIRS, TEXTS, make_hierarcaps, write_csv


@pytest.fixture(scope="module")
def embedder(mini, tmp_path_factory):
    return Embedder(mini, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def data(tmp_path, demo_photos):
    return make_hierarcaps(tmp_path / "data", demo_photos)


@pytest.fixture(scope="module")
def result(embedder, tmp_path_factory, demo_photos):
    return evaluate(embedder, make_hierarcaps(tmp_path_factory.mktemp("data"), demo_photos))


def numbers(scores):
    for value in scores.values():
        if isinstance(value, dict):
            yield from numbers(value)
        else:
            yield value


class TestFiles:
    def test_items_have_texts_and_the_photo_of_that_name(self, data):
        items = read_items(data / "hierarcaps" / "hierarcaps_test.csv")
        assert [" => ".join(item.texts) for item in items] == list(TEXTS.values())
        assert [item.photo.stem for item in items] == [f"COCO_{name}" for name in TEXTS]

    @pytest.mark.parametrize(
        ("column", "cell", "lies"),
        [
            ("file", "deep/a.png", "deep/a.png"),
            ("image", "a.png", "a.png"),
            ("image_url", "https://example.org/x/a%20b.jpg?size=1", "images/a b.jpg"),
            ("image_url", "http://example.org/COCO_val2014_0007.jpg", "images/0007.jpg"),
            (
                "image_url",
                "http://example.org/COCO_val2014_0007.jpg",
                "val2014/COCO_val2014_0007.jpg",
            ),
            ("id", "12", "photos/12.jpeg"),
        ],
    )
    def test_where_a_photo_may_lie(self, tmp_path, column, cell, lies):
        (tmp_path / lies).parent.mkdir(exist_ok=True)
        (tmp_path / lies).touch()
        (tmp_path / "images").mkdir(exist_ok=True)
        path = write_csv(tmp_path / "a.csv", ["captions", column], [("a => b", cell)])
        (item,) = read_items(path)
        assert item.photo == tmp_path / lies

    def test_a_photo_that_is_not_there_is_none(self, tmp_path):
        path = write_csv(tmp_path / "a.csv", ["captions", "image_url"], [("a=>b", "")])
        (item,) = read_items(path)
        assert item == type(item)(("a", "b"), None)

    @pytest.mark.parametrize("cell", ["alone", "a => ", " => b", "a =>  => c"])
    def test_a_row_without_a_hierarchy_is_named(self, tmp_path, cell):
        path = write_csv(tmp_path / "a.csv", ["captions"], [("a => b",), (cell,)])
        with pytest.raises(UsageError, match="row 2"):
            read_items(path)

    def test_pairs_leave_out_rows_that_do_not_match(self, tmp_path):
        rows = [("a => b", "c => d"), ("a => b", ""), ("a", "b"), ("a => b", "c => d => e")]
        pairs = read_pairs(write_csv(tmp_path / "p.csv", ["positive", "negative"], rows))
        assert pairs.hierarchies == ((("a", "b"), ("c", "d")),)
        assert pairs.left_out == 3

    def test_the_pairs_lie_beside_the_test_file(self, data):
        test_file = data / "hierarcaps" / "hierarcaps_test.csv"
        assert find_pairs_file(test_file) == data / "hierarcaps" / "hierarcaps_pairs.csv.gz"
        find_pairs_file(test_file).unlink()
        assert find_pairs_file(test_file) is None


class TestEvaluate:
    def test_the_protocols_are_what_the_pure_functions_say(self, result, embedder, demo_photos):
        truth = [tuple(texts.split(" => ")) for texts in TEXTS.values()]
        names = [text for texts in truth for text in texts]
        files = {path.stem: path for path in demo_photos.iterdir()}
        photos = embedder.photos([files[name] for name in TEXTS])
        vectors = embedder.texts(names)
        for protocol in ("official", "paper"):
            found = getattr(protocols, protocol)(photos, vectors, embedder.root, truth, names)
            assert found.recall > 0
            assert result.scores[protocol] == {
                "precision": pytest.approx(found.precision),
                "recall": pytest.approx(found.recall),
                "f1": pytest.approx(found.f1),
                "tau": pytest.approx(found.tau),
                **{
                    f"recall_tier_{tier}": pytest.approx(share)
                    for tier, share in enumerate(found.recall_per_tier, start=1)
                },
                "n": 4,
            }
            drawn = np.mean([len(set(chain)) for chain in found.chains]) / 16
            assert result.chance[protocol]["recall"] == pytest.approx(drawn)
        assert result.scores["official"] != result.scores["paper"]

    def test_everything_is_a_finite_number_in_json(self, result):
        assert set(result.scores) == {"official", "paper", "entailment", "control"}
        json.dumps([result.scores, result.chance, result.series, result.files], allow_nan=False)
        assert all(v is None or math.isfinite(v) for v in numbers(result.scores))

    def test_chance_is_that_of_texts_drawn_at_random(self, result):
        # 16 texts, of which 4 are right for each photo.
        chance = result.chance["official"]
        assert chance["precision"] == pytest.approx(4 / 16)
        assert chance["tau"] == 0.0
        assert chance["recall"] == chance["recall_tier_1"] == chance["recall_tier_4"]
        assert set(chance) < set(result.scores["official"])

    def test_files_are_named_with_checksums(self, embedder, data):
        folder = data / "hierarcaps"
        lists = {
            name: checksum(folder / name)
            for name in ("hierarcaps_test.csv", "hierarcaps_pairs.csv.gz")
        }
        photos = photos_checksum((folder / "images").iterdir(), folder)
        assert evaluate(embedder, data).files == lists | {"photos": photos}

    def test_a_file_or_its_folder_may_be_given(self, embedder, data, result):
        folder = data / "hierarcaps"
        for given in (folder, folder / "hierarcaps_test.csv"):
            assert evaluate(embedder, given).scores == result.scores
        (folder / "hierarcaps_test.csv").rename(folder / "mine.csv")
        assert evaluate(embedder, data).scores == result.scores

    def test_fewer_items_than_the_release_are_noted(self, result):
        assert any("1000" in note and "4 items" in note for note in result.notes)

    def test_series_are_what_plots_need(self, result, embedder):
        tiers = result.series["root_distance_by_tier"]
        assert list(tiers) == ["1", "2", "3", "4"]
        astronaut = embedder.texts(["person", "astronaut"])
        distances = np.linalg.norm(astronaut - embedder.root, axis=1)
        assert [tiers["1"][0], tiers["2"][0]] == pytest.approx(distances.tolist(), abs=1e-5)
        recall = result.series["recall_by_radius"]["recall"]
        assert recall == sorted(recall)
        assert recall[-1] == pytest.approx(result.scores["official"]["recall"])
        assert len(recall) == len(result.series["recall_by_radius"]["radius"]) == 50
        assert len(result.series["entailment"]["positive"]) == 5

    def test_photos_that_are_not_there_leave_their_items_out_but_not_their_texts(
        self, embedder, data
    ):
        next((data / "hierarcaps" / "images").glob("*cat*")).unlink()
        found = evaluate(embedder, data)
        assert found.scores["official"]["n"] == 3
        assert any("1 of 4 photos" in note for note in found.notes)
        assert found.chance["official"]["precision"] == pytest.approx(4 / 16)
        assert len(found.series["root_distance_by_tier"]["1"]) == 4

    def test_no_photo_at_all_says_where_to_put_them(self, embedder, data):
        for path in (data / "hierarcaps" / "images").iterdir():
            path.unlink()
        with pytest.raises(MissingDataError, match="none of the 4 photos") as caught:
            evaluate(embedder, data)
        assert "hierarcaps/images" in str(caught.value)

    def test_a_broken_photo_is_named(self, embedder, data):
        path = next((data / "hierarcaps" / "images").glob("*cat*"))
        path.write_bytes(b"broken")
        with pytest.raises(UnreadablePhotoError, match="COCO_cat"):
            evaluate(embedder, data)

    def test_missing_data_and_wrong_columns(self, embedder, tmp_path):
        with pytest.raises(MissingDataError, match="hierarcaps_test"):
            evaluate(embedder, tmp_path)
        with pytest.raises(MissingDataError, match="hierarcaps"):
            evaluate(embedder, None)
        path = write_csv(tmp_path / "hierarcaps_test.csv", ["text"], [("a => b",)])
        with pytest.raises(UsageError, match="no column captions"):
            evaluate(embedder, path.parent)

    def test_a_model_without_photos_is_measured_by_its_texts(self, mini, data, result):
        text_only = HierarchicalEncoder(
            SentenceTransformer(modules=list(mini.model[0].sub_modules["text"]))
        )
        found = evaluate(Embedder(text_only, cache=None), data)
        assert found.scores["official"]["precision"] is None
        assert found.scores["official"]["recall_tier_4"] is None
        assert found.scores["official"]["n"] == 4
        assert found.scores["official"]["tau"] == pytest.approx(result.scores["official"]["tau"])
        assert found.scores["entailment"]["auroc"] is not None
        assert "photos" not in found.files
        assert any("reads no photos" in note for note in found.notes)

    def test_without_pairs_entailment_is_none_with_a_note(self, embedder, tmp_path, demo_photos):
        found = evaluate(embedder, make_hierarcaps(tmp_path, demo_photos, pairs=False))
        assert found.scores["entailment"] == {"average_precision": None, "auroc": None, "n": 0}
        assert any("Entailment is not measured" in note for note in found.notes)

        def offline(part):
            raise MissingDataError(f"{part} cannot be had")

        same = evaluate(embedder, tmp_path, fetch=offline)
        assert same.scores == found.scores
        assert any("train cannot be had; it comes from https" in note for note in same.notes)

    def test_the_train_file_is_fetched_where_there_are_no_pairs(
        self, embedder, data, result, tmp_path
    ):
        pairs = (data / "hierarcaps/hierarcaps_pairs.csv.gz").rename(tmp_path / "train.csv.gz")
        asked = []

        def fetch(part):
            asked.append(part)
            return pairs

        found = evaluate(embedder, data, fetch=fetch)
        assert asked == [TRAIN_PART]
        assert found.scores == result.scores
        assert found.files["train.csv.gz"] == checksum(pairs)
        pairs.write_bytes(b"positive,negative\na => b,c => d,e\n")
        broken = evaluate(embedder, data, fetch=fetch)
        assert broken.scores["entailment"]["auroc"] is None
        assert broken.scores["official"] == result.scores["official"]
        assert any("line 2 of" in note for note in broken.notes)

    def test_progress_is_told(self, mini, data):
        told = []
        evaluate(Embedder(mini, cache=None), data, on_progress=lambda *news: told.append(news))
        assert ("encoding texts", 16, 16) in told
        assert ("encoding photos", 4, 4) in told

    def test_the_development_items(self, shared_data):
        items = read_items(shared_data / "hierarcaps" / "hierarcaps_dev.csv")
        assert len(items) == 500
        assert all(item.photo is not None and len(item.texts) == 4 for item in items)
        subsets = control_subsets([item.texts for item in items])
        assert len(subsets["near_last_tiers"]) == 172  # the paper's 34 %


class TestControl:
    def test_the_subsets_compare_word_counts(self):
        truth = [
            ["cat", "tabby", "a cat", "a cat sits on a mat"],  # 1 1 2 6
            ["cat", "house cat", "a cat", "a cat sits on the old mat"],  # 1 2 2 7
            ["cat", "small cat"],  # 1 2
            ["cat", "tabby"],
        ]
        assert control_subsets(truth) == {
            "equal_first_tiers": [0, 3],
            "near_last_tiers": [0, 2, 3],
        }

    def test_scores_are_those_of_the_subset_retrieved_from_all(self, embedder, data):
        found = evaluate(embedder, data)
        control = found.scores["control"]
        # "person => astronaut", "animal => cat", "vehicle => rocket".
        part = control["equal_first_tiers"]
        assert (part["share"], part["official"]["n"], part["paper"]["n"]) == (0.75, 3, 3)
        next((data / "hierarcaps" / "images").glob("*coffee*")).unlink()
        without = evaluate(embedder, data)
        chance = found.chance["control"]["equal_first_tiers"]
        for protocol in ("official", "paper"):
            assert part[protocol] == without.scores[protocol]
            assert chance[protocol] == without.chance[protocol]

    def test_an_empty_subset_is_none_with_a_note(self, embedder, tmp_path, demo_photos):
        (tmp_path / "cat.jpg").write_bytes((demo_photos / "cat.jpg").read_bytes())
        text = "animal => small cat => a small cat that sits on the mat and looks up"
        write_csv(tmp_path / "a.csv", ["captions", "file"], [(text, "cat.jpg")])
        found = evaluate(embedder, tmp_path)
        for name in ("equal_first_tiers", "near_last_tiers"):
            part = found.scores["control"][name]
            assert (part["share"], part["official"]["n"]) == (0.0, 0)
            assert part["official"]["tau"] is None
            assert part["paper"]["recall"] is None
            assert any(name in note for note in found.notes)

    def test_word_counts_alone_are_measured_beside(self, result):
        # 1 1 2 6; 1 1 3 7; 1 3 4 7; 1 1 3 9
        tied = 5 / math.sqrt(5 * 6)
        assert result.scores["control"]["tau_of_word_count"] == pytest.approx((3 * tied + 1) / 4)


def test_recall_by_radius_counts_what_was_found_by_then():
    angles = np.radians([0, 10, 35, 58, 80, 60])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    given = protocols.candidates(rows[5:], rows[1:5], rows[0], ["wide", "near", "right", "beyond"])
    reached = recall_by_radius(given, [["wide", "right", "beyond"]])
    right = np.linalg.norm(rows[3] - rows[0])
    for radius, recall in zip(reached["radius"], reached["recall"], strict=True):
        assert recall == pytest.approx(1 / 3 if radius < right else 2 / 3)


class TestEntailment:
    def test_angles_are_of_the_parent_to_the_next_tier_and_to_its_own_negative(self):
        random = np.random.default_rng(0)
        names = [text for pair in PAIRS[:2] for cell in pair for text in cell.split(" => ")]
        vectors = dict(zip(names, random.normal(size=(12, 4)), strict=True))
        root = random.normal(size=4)
        hierarchies = [tuple(cell.split(" => ") for cell in pair) for pair in PAIRS[:2]]
        positive, negative = entailment_angles(vectors, root, hierarchies)
        pairs = [("animal", "cat"), ("cat", "black cat"), ("vehicle", "car"), ("car", "red car")]
        others = [("animal", "plant"), ("cat", "dog"), ("vehicle", "tree"), ("car", "bicycle")]
        for found, expected in ((positive, pairs), (negative, others)):
            assert found.tolist() == pytest.approx(
                [float(exterior_angle(vectors[t], vectors[v], root)) for t, v in expected]
            )

    def test_the_model_tells_what_follows(self, embedder, data):
        found = measure_entailment(
            embedder, data / "hierarcaps" / "hierarcaps_pairs.csv.gz", most=100, seed=0
        )
        assert found.scores["n"] == 10
        assert found.scores["auroc"] > 0.5
        assert found.scores["average_precision"] > 0.5
        assert found.chance == {"average_precision": 0.5, "auroc": 0.5}
        # Where each negative is the next tier itself, there is nothing to tell apart.
        rows = [(text, " => ".join([*text.split(" => ")[1:], "."])) for text, _ in PAIRS]
        path = write_csv(data / "same.csv", ["positive", "negative"], rows)
        same = measure_entailment(embedder, path, most=9, seed=0)
        assert same.scores["auroc"] == pytest.approx(0.5)

    def test_at_most_so_many_hierarchies_are_drawn_by_the_seed(self, embedder, tmp_path):
        rows = [(f"thing {n} => small thing {n}", f"place {n} => x") for n in range(20)]
        path = write_csv(tmp_path / "p.csv", ["positive", "negative"], rows)
        first, again, other = (
            measure_entailment(embedder, path, most=5, seed=seed) for seed in (1, 1, 2)
        )
        assert len(first.positive) == len(first.negative) == 5
        assert first.positive == again.positive
        assert first.positive != other.positive
        assert any("5 hierarchies" in note for note in first.notes)

    def test_rows_left_out_are_counted_and_none_left_is_none(self, embedder, tmp_path):
        path = write_csv(tmp_path / "p.csv", ["positive", "negative"], [("a => b", "c")])
        found = measure_entailment(embedder, path, most=5, seed=0)
        assert found.scores["auroc"] is None
        assert any("1 rows" in note for note in found.notes)
        assert any("holds no pairs" in note for note in found.notes)
