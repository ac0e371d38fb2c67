"""HyperLex: its files, and its measure against a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hiersearch.data.hyperlex_pairs import WordPair, hyperlex_files, read_hyperlex
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmarks import hyperlex
from hiersearch.evaluation.benchmarks.hyperlex import hyperlex_scores, pair_vectors
from tests.evaluation.made_embedder import MadeEmbedder, drawn, text_file, unit

HEADER = "WORD1 WORD2 POS TYPE AVG_SCORE AVG_SCORE_0_10 STD SCORES.."
ROWS = """\
sausage food N hyp-2 5.80 9.67 0.40 6 5 6 5 6
peach pear N cohyp 0.43 0.72 0.62 0 0 0 0
tool pitchfork N r-hyp-1 1.50 2.5 0.65 6 6
talk communicate V hyp-1 5.55 9.25 1.0 6
pray communicate V hyp-1 2.90 4.83 1.0 6
girl person N hyp-1 5.91 9.85 0.1 6"""


def made(*rows: tuple[str, str, str, str, float]) -> list[WordPair]:
    return [WordPair(*row) for row in rows]


def test_the_second_word_is_the_parent():
    # The root, a parent and its child on one line: the child entails the parent, not the reverse.
    root, parent, child = unit(1, 0, 0), unit(1, 0.3, 0), unit(1, 0.9, 0)
    stray = unit(1, 0, 0.5)
    pairs = made(
        ("goat", "animal", "N", "hyp-1", 6.0),
        ("stone", "animal", "N", "no-rel", 3.0),
        ("animal", "goat", "N", "r-hyp-1", 0.0),
    )
    vectors = {"goat": child, "animal": parent, "stone": stray}
    children, parents = pair_vectors(lambda ts: np.stack([vectors[t] for t in ts]), pairs)
    assert hyperlex_scores(children, parents, root, pairs)["all"] == pytest.approx(1.0)
    assert hyperlex_scores(parents, children, root, pairs)["all"] == pytest.approx(-1.0)


def test_scores_agree_with_a_slow_reference():
    chance = np.random.default_rng(3)
    pairs = [
        WordPair(f"a{n}", f"b{n % 7}", "NV"[n % 2], ("hyp-1", "syn", "ant")[n % 3], float(n % 5))
        for n in range(40)
    ]
    root = drawn("root")
    children, parents = pair_vectors(lambda ts: np.stack([drawn(t) for t in ts]), pairs)

    def angle(t, v):
        cosine = (t - root) @ (v - t) / (np.linalg.norm(t - root) * np.linalg.norm(v - t))
        return math.acos(cosine)

    angles = [angle(drawn(p.broader), drawn(p.word)) for p in pairs]

    def rho(keep):
        chosen = [(a, p.rating) for a, p in zip(angles, pairs, strict=True) if keep(p)]
        return -stats.spearmanr(*zip(*chosen, strict=True)).statistic

    found = hyperlex_scores(children, parents, root, pairs)
    assert found["all"] == pytest.approx(rho(lambda _: True), abs=1e-6)
    assert found["nouns"] == pytest.approx(rho(lambda p: p.part_of_speech == "N"), abs=1e-6)
    assert found["verbs"] == pytest.approx(rho(lambda p: p.part_of_speech == "V"), abs=1e-6)
    assert found["relations"]["syn"] == pytest.approx(rho(lambda p: p.relation == "syn"), abs=1e-6)
    order = chance.permutation(len(pairs))
    mixed = hyperlex_scores(children[order], parents[order], root, [pairs[at] for at in order])
    assert mixed["all"] == pytest.approx(found["all"])


def test_what_is_not_defined_is_none_and_what_is_constant_is_zero():
    pairs = made(
        ("a", "b", "N", "syn", 1.0), ("c", "d", "N", "syn", 2.0), ("e", "f", "N", "x", 1.0)
    )
    same = np.stack([drawn("one")] * 3)
    found = hyperlex_scores(same, same, drawn("root"), pairs)
    assert found == {"all": 0.0, "nouns": 0.0, "verbs": None, "relations": {"syn": 0.0, "x": None}}


def test_prompts_are_filled_and_words_embedded_once():
    embedder = MadeEmbedder()
    pairs = made(("a", "b", "N", "syn", 1.0), ("b", "a", "N", "syn", 2.0))
    children, parents = pair_vectors(embedder.texts, pairs, "a picture of a {}")
    assert sorted(embedder.asked) == ["a picture of a a", "a picture of a b"]
    np.testing.assert_array_equal(children, parents[::-1])


def test_reading_the_release(tmp_path):
    pairs = read_hyperlex(text_file(tmp_path / "x.txt", f"{HEADER}\n{ROWS}\n\n"))
    assert len(pairs) == 6
    assert pairs[0] == WordPair("sausage", "food", "N", "hyp-2", 5.8)
    assert pairs[3].part_of_speech == "V"


def test_reading_csv(tmp_path):
    path = text_file(
        tmp_path / "mine.csv", "TYPE,word1,WORD2,POS,AVG_SCORE\nhyp-1,ice cream,food,N,5\n"
    )
    assert read_hyperlex(path) == (WordPair("ice cream", "food", "N", "hyp-1", 5.0),)
    assert hyperlex_files(tmp_path) == (path,)


@pytest.mark.parametrize(
    "row", ["a b N hyp-1", "a b N hyp-1 much 1", "a b N hyp-1 nan 1", "a"], ids=lambda row: row
)
def test_a_row_that_is_no_rated_pair_is_named(tmp_path, row):
    path = text_file(tmp_path / "x.txt", f"{HEADER}\n{ROWS}\n{row}\n")
    with pytest.raises(UsageError, match="line 8"):
        read_hyperlex(path)


@pytest.mark.parametrize("content", ["", "WORD1 WORD2 POS TYPE\na b N syn\n"])
def test_wrong_columns_are_named(tmp_path, content):
    with pytest.raises(UsageError, match="AVG_SCORE"):
        read_hyperlex(text_file(tmp_path / "x.txt", content))


def test_the_file_of_all_pairs_is_preferred_to_its_parts(tmp_path):
    parts = [
        text_file(tmp_path / f"splits/random/hyperlex_{part}_all_random.txt", HEADER)
        for part in ("training", "dev", "test")
    ]
    assert hyperlex_files(tmp_path) == tuple(parts)
    parts[0].unlink()
    assert hyperlex_files(tmp_path) == tuple(parts[1:])
    lexical = text_file(tmp_path / "hyperlex_dev_all_lexical.txt", HEADER)
    assert lexical not in hyperlex_files(tmp_path)
    whole = text_file(tmp_path / "nouns-verbs/hyperlex-all.txt", HEADER)
    assert hyperlex_files(tmp_path) == (whole,)
    assert hyperlex_files(parts[1]) == (parts[1],)


def test_missing_data_says_what_where_from_and_where_to(tmp_path):
    with pytest.raises(MissingDataError) as error:
        hyperlex.evaluate(MadeEmbedder(), tmp_path)
    assert "hyperlex-all.txt" in str(error.value)
    assert "github.com/cambridgeltl/hyperlex" in str(error.value)


def test_a_run(tmp_path):
    text_file(tmp_path / "hyperlex/hyperlex_training_all_random.txt", f"{HEADER}\n{ROWS}\n")
    text_file(tmp_path / "hyperlex/hyperlex_dev_all_random.txt", f"{HEADER}\ncat pet N hyp-1 4\n")
    result = hyperlex.evaluate(MadeEmbedder(), tmp_path)
    assert (result.scores["n"], result.scores["n_nouns"], result.scores["n_verbs"]) == (7, 5, 2)
    assert result.scores["word"] != result.scores["picture"]
    assert result.scores["picture"]["prompt"] == "a picture of a {}"
    assert result.chance["word"]["all"] == 0.0
    assert set(result.chance["word"]["relations"]) == {"hyp-1"}
    assert result.scores["word"]["relations"]["cohyp"] is None
    assert result.scores["n_relations"]["hyp-1"] == 4
    assert len(result.files) == 2
    assert any("7 of HyperLex's 2616" in note for note in result.notes)
    assert any(note.endswith(": cohyp, hyp-2, r-hyp-1") for note in result.notes)


def test_the_development_data_is_read_whole(shared_data):
    paths = hyperlex_files(shared_data / "hyperlex")
    pairs = [pair for path in paths for pair in read_hyperlex(path)]
    assert len(pairs) == 1763
    assert sum(pair.part_of_speech == "V" for pair in pairs) == 284
