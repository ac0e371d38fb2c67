from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.data.hierarcaps_files import HierarchyFile, read_hierarchies
from hiersearch.data.hierarchies import Hierarchy, text_key
from hiersearch.errors import UsageError
from hiersearch.files import Problem

GOAT = "animal => goat => goat on island => a goat eats leaves"
FROG = "portrait => frog => frog on a stone => a frog eats flies"
BOTH = Hierarchy(tuple(GOAT.split(" => ")), tuple(FROG.split(" => ")))


def read(folder: Path, *rows: str, header: str = "positive,negative", **options) -> HierarchyFile:
    path = folder / "train.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return read_hierarchies(path, **options)


def test_positives_and_negatives(tmp_path):
    assert read(tmp_path, f"{GOAT},{FROG}").hierarchies == (BOTH,)
    with_more = read(tmp_path, f"7,{FROG},{GOAT},http", header="id,negative,Positive,image_url")
    assert with_more.hierarchies == (BOTH,)


def test_positives_only(tmp_path):
    expected = (Hierarchy(BOTH.positive),)
    assert read(tmp_path, GOAT, header="positive").hierarchies == expected
    assert read(tmp_path, f"{GOAT},").hierarchies == expected
    assert read(tmp_path, f"0,{GOAT},http", header="id,captions,url").hierarchies == expected


def test_other_tier_counts(tmp_path):
    rows = ("a => b,x => y", "a => b => c,", "a => b => c => d => e,v => w => x => y => z")
    found = read(tmp_path, *rows).hierarchies
    assert [len(h.positive) for h in found] == [2, 3, 5]
    with pytest.raises(UsageError, match="line 2: 2 tiers; line 4: 5 tiers"):
        read(tmp_path, *rows, tiers=3)


def test_white_space_around_tiers_and_line_ends_within(tmp_path):
    found = read(tmp_path, '"animal=> goat =>goat  on\n\nisland => a goat eats leaves\n",' + FROG)
    assert found.hierarchies == (BOTH,)


def test_malformed_rows_are_named_by_line(tmp_path):
    rows = [
        f"{GOAT},{FROG}",
        "animal,plant",
        "animal => => goat,a => b => c",
        "animal => goat,plant",
        "animal => Animal,plant => tree",
        "animal => goat,plant => GOAT",
        '"animal => goat => a goat',
        "animal => go\x01at,plant => tree",
        "",
        f"{GOAT},{FROG},more",
        *[f"{GOAT},{FROG}"] * 12,
    ]
    found = read(tmp_path, *rows, max_bad_share=0.5)
    assert found.hierarchies == (BOTH,) * 13
    assert found.problems == (
        Problem(3, "1 tiers"),
        Problem(4, "an empty text"),
        Problem(5, "1 negatives for 2 tiers"),
        Problem(6, "a tier is repeated"),
        Problem(7, "the negative of tier 2 is that tier itself"),
        Problem(8, "a quote is never closed"),
        Problem(9, "a control character"),
        Problem(11, "3 cells instead of 2"),
    )
    with pytest.raises(UsageError, match=r"8 of 21 rows of .* line 3: 1 tiers; line 4"):
        read(tmp_path, *rows)


def test_bytes_that_are_no_text_cost_one_row(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"positive\na => b\na => \xff\nc => d\n")
    found = read_hierarchies(path, max_bad_share=0.5)
    assert [h.positive for h in found.hierarchies] == [("a", "b"), ("c", "d")]
    assert found.problems == (Problem(3, "not UTF-8"),)


def test_no_such_column(tmp_path):
    with pytest.raises(UsageError, match="no column `positive`"):
        read(tmp_path, "a,b", header="concept,parent")
    # What is stored in place of a file that git keeps elsewhere.
    with pytest.raises(UsageError, match="no column `positive`"):
        read(tmp_path, "oid sha256:00", header="version https://git-lfs.github.com/spec/v1")


TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12)
TIERS = TEXTS.map(lambda text: " ".join(text.split())).filter(lambda t: t and "=>" not in t)


@settings(deadline=None)
@given(st.lists(st.lists(TIERS, min_size=4, max_size=8, unique_by=text_key), min_size=1))
def test_what_was_written_is_read(tmp_path_factory, lists):
    hierarchies = tuple(
        Hierarchy(tuple(texts[: len(texts) // 2]), tuple(texts[-(len(texts) // 2) :]))
        for texts in lists
    )
    path = tmp_path_factory.mktemp("file") / "train.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["positive", "negative"])
        writer.writerows([" => ".join(h.positive), " => ".join(h.negative)] for h in hierarchies)
    assert read_hierarchies(path).hierarchies == hierarchies


def test_the_real_files(shared_data):
    pairs = read_hierarchies(shared_data / "hierarcaps" / "hierarcaps_pairs.csv.gz", tiers=4)
    assert len(pairs.hierarchies) == 18_770
    assert pairs.problems == ()
    assert all(len(h.triples) == 3 for h in pairs.hierarchies)
    assert pairs.hierarchies[0].triples[0] == ("motorized transportation", "motorcycle", "water")
    development = read_hierarchies(shared_data / "hierarcaps" / "hierarcaps_dev.csv", tiers=4)
    assert len(development.hierarchies) == 500
    assert not any(h.negative for h in development.hierarchies)
