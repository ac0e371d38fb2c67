"""Photos placed in a taxonomy: the file, the tree, the scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from hiersearch.data.taxonomies import find_taxonomy, read_taxonomy, shared_ranks
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmarks import species
from hiersearch.evaluation.benchmarks.species import rank_accuracy, tree_chance, tree_scores
from tests.evaluation.made_embedder import (
    DIM,
    MadeEmbedder,
    drawn,
    numbers_in,
    photo_file,
    text_file,
)

HEADER = "File,kingdom,order,genus,species"
KINDS = {
    "crow": "Animalia,Passeriformes,Corvus,Corvus corax",
    "rook": "Animalia,Passeriformes,Corvus,frugilegus",
    "tern": "Animalia,Charadriiformes,Sterna,Sterna hirundo",
    "oak": "Plantae,Fagales,Quercus,robur",
}
PATHS = {
    "crow": "Animalia Passeriformes Corvus corax",
    "rook": "Animalia Passeriformes Corvus frugilegus",
    "tern": "Animalia Charadriiformes Sterna hirundo",
    "oak": "Plantae Fagales Quercus robur",
}


def data(folder, *rows: str, photos=True):
    lines = [HEADER]
    for at, name in enumerate(rows):
        file = f"{name}{at}.png"
        lines.append(f"{file},{KINDS[name]}")
        if photos:
            photo_file(folder / file)
    return text_file(folder / "taxonomy.csv", "\n".join(lines) + "\n")


def test_reading(tmp_path):
    found = read_taxonomy(data(tmp_path, "tern", "crow", "rook", "crow"))
    assert found.ranks == ("kingdom", "order", "genus", "species")
    assert [kind[-1] for kind in found.kinds] == [
        "Sterna hirundo",
        "Corvus corax",
        "Corvus frugilegus",
    ]
    assert found.labels == (0, 1, 2, 1)
    assert found.texts("path")[2] == (
        "Animalia",
        "Animalia Passeriformes",
        "Animalia Passeriformes Corvus",
        "Animalia Passeriformes Corvus frugilegus",
    )
    assert found.texts("name")[2] == ("Animalia", "Passeriformes", "Corvus", "Corvus frugilegus")


def test_rows_without_photo_or_name_are_left_out_and_counted(tmp_path):
    path = data(tmp_path, "tern", "crow", "rook")
    path.write_text(path.read_text() + "oak9.png,Plantae,,Quercus,robur\ngone.png,a,b,c,d\n")
    found = read_taxonomy(path)
    assert (len(found.photos), found.nameless, found.missing) == (3, 1, 1)
    notes = species.evaluate(MadeEmbedder(), tmp_path).notes
    assert any("1 rows left out: their photos" in note for note in notes)
    assert any("1 rows left out: no name" in note for note in notes)


@pytest.mark.parametrize(
    "content",
    ["file,kingdom\na.png,Animalia\n", "kingdom,species\na,b\n", "file,genus,species\na.png,,\n"],
)
def test_files_of_another_kind_are_refused(tmp_path, content):
    with pytest.raises(UsageError, match=r"taxonomy\.csv"):
        read_taxonomy(text_file(tmp_path / "taxonomy.csv", content))


def test_no_photos_at_all_is_missing_data(tmp_path):
    with pytest.raises(MissingDataError, match="none of the 2 photos"):
        read_taxonomy(data(tmp_path, "tern", "crow", photos=False))


def test_the_file_is_found(tmp_path):
    with pytest.raises(MissingDataError, match=r"taxonomy\.csv"):
        find_taxonomy(tmp_path)
    below = data(tmp_path / "photos/birds", "tern")
    assert find_taxonomy(tmp_path) == below
    data(tmp_path / "other", "tern")
    with pytest.raises(UsageError, match="2 files"):
        find_taxonomy(tmp_path)
    assert find_taxonomy(below.parent) == find_taxonomy(below) == below
    own = data(tmp_path, "tern")
    assert find_taxonomy(tmp_path) == own


def slow_shared(one, other):
    return len(
        list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=True)))
    )


def test_shared_ranks_stop_at_the_first_difference():
    kinds = [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("y", "b", "c")]
    expected = [[slow_shared(one, other) for other in kinds] for one in kinds]
    assert shared_ranks(kinds).tolist() == expected
    assert expected[0] == [3, 2, 1, 0]


def test_tree_scores_by_hand():
    kinds = [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("y", "b", "c")]
    assert tree_scores([0, 1], [0, 1], kinds) == {
        "path_precision": 1.0,
        "lca_distance": 0.0,
        "tree_induced_error": 0.0,
    }
    found = tree_scores([0, 1, 2, 3], [0, 0, 0, 0], kinds)
    assert found["path_precision"] == pytest.approx((3 + 2 + 1 + 0) / 12)
    assert found["lca_distance"] == pytest.approx((0 + 1 + 2 + 3) / 4)
    assert found["tree_induced_error"] == pytest.approx((0 + 2 + 4 + 6) / 4)
    # Each of the four guessed once for photos of the first, and once for those of the last.
    assert tree_chance([0], kinds) == found
    every = tree_scores([0, 1, 2, 3] * 2, [0] * 4 + [3] * 4, kinds)
    assert tree_chance([0, 3], kinds) == pytest.approx(every)


def test_a_rank_is_right_where_its_own_text_is_nearest():
    texts = np.eye(3, DIM, dtype=np.float32)
    photos = texts[[0, 1, 1, 2]]
    assert rank_accuracy(photos, texts, [0, 1, 2, 2]) == 0.75
    assert rank_accuracy(np.ones_like(photos), texts, [0, 1, 2, 2]) == 0.0


def test_a_model_that_knows_them_all(tmp_path):
    data(tmp_path / "species", "crow", "rook", "tern", "oak", "oak")

    def ladder(text: str):
        """Texts on the way from the root to their species: the longer, the closer to it."""
        words = text.split()
        return unit_sum([drawn("root") * 2, *(drawn(word) for word in words)])

    def seen(path):
        return ladder(PATHS[path.stem.rstrip("0123456789")])

    result = species.evaluate(MadeEmbedder(text=ladder, photo=seen), tmp_path)
    scores = result.scores
    assert scores["accuracy"]["species"] == scores["accuracy"]["average"] == 1.0
    assert scores["tree"]["tree_induced_error"] == 0.0
    taus = []
    for kind in ("crow", "rook", "tern", "oak", "oak"):
        words = PATHS[kind].split()
        path = [ladder(" ".join(words[: end + 1])) for end in range(4)]
        distances = [np.linalg.norm(vector - ladder("")) for vector in path]
        taus.append(stats.kendalltau(distances, range(4)).statistic)
    assert scores["retrieval"]["tau"] == pytest.approx(np.mean(taus))
    assert scores["retrieval"]["recall"] > result.chance["retrieval"]["recall"]
    assert (scores["n"], scores["n_kinds"]) == (5, 4)
    embedder = MadeEmbedder(text=ladder, photo=seen)
    blind = {
        species.evaluate(embedder, tmp_path, seed=n).chance["retrieval"]["recall"] for n in range(5)
    }
    assert len(blind) > 1
    assert result.chance["accuracy"]["kingdom"] == pytest.approx(1 / 2)
    assert result.chance["accuracy"]["species"] == pytest.approx(1 / 4)
    assert result.chance["accuracy"]["average"] == pytest.approx(
        (1 / 2 + 1 / 3 + 1 / 3 + 1 / 4) / 4
    )
    distances = result.series["root_distance_by_rank"]
    assert [len(distances[rank]) for rank in distances] == [2, 3, 3, 4]
    assert np.mean(distances["species"]) > np.mean(distances["kingdom"])


def unit_sum(vectors):
    total = np.sum(vectors, axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def test_a_model_that_knows_nothing_and_one_kind_alone(tmp_path):
    data(tmp_path, "crow", "crow")
    same = MadeEmbedder(text=lambda _: drawn("x"), photo=lambda _: drawn("x"))
    result = species.evaluate(same, tmp_path)
    assert result.scores["accuracy"]["species"] == result.chance["accuracy"]["species"] == 1.0
    assert result.scores["retrieval"]["tau"] == 0.0
    assert np.isfinite(numbers_in(result.scores)).all()
    assert any("kingdom, order, genus, species" in note for note in result.notes)


def test_texts_are_paths_or_names(tmp_path):
    data(tmp_path, "crow", "oak")
    embedder = MadeEmbedder()
    species.evaluate(embedder, tmp_path, texts="name")
    assert "Quercus robur" in embedder.asked
    assert "Plantae Fagales" not in embedder.asked
    with pytest.raises(UsageError, match="path or name"):
        species.evaluate(embedder, tmp_path, texts="latin")


def test_the_development_data(shared_data):
    found = read_taxonomy(find_taxonomy(shared_data))
    assert (len(found.photos), len(found.kinds), found.missing) == (247, 60, 0)
