"""Calibration from the command line, and answers at a risk by what it found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hiersearch.config import statistics_file
from hiersearch.index import PhotoIndex
from hiersearch.trees import read_statistics
from tests.calibration.made import VOCABULARY, make_captions, make_parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory, demo_photos) -> Path:
    """240 small photos in folders that are called like what they show; read only."""
    return make_parts(demo_photos, tmp_path_factory.mktemp("parts") / "photos", 20)


@pytest.fixture(scope="module")
def captions(tmp_path_factory, parts) -> Path:
    """What five people say of each; read only."""
    return make_captions(parts, tmp_path_factory.mktemp("captions") / "captions.csv")


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Path:
    """The vocabulary of a file."""
    file = tmp_path_factory.mktemp("words") / "everyday.txt"
    lines = [" > ".join((*concept.parents, concept.name)) for concept in VOCABULARY]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def store(tmp_path_factory, demo_photos, mini) -> Path:
    """An index of the demo's photographs; read only."""
    folder = tmp_path_factory.mktemp("store") / "index"
    with PhotoIndex.create(folder, model="mini", concepts=VOCABULARY) as index:
        index.add(demo_photos)
    return folder


def own_file(home: Path) -> Path:
    (file,) = (home / "data" / "statistics").iterdir()
    return file


def test_from_folders_to_answers_at_a_risk(run, home, parts, words, demo_photos, store):
    shutil.copytree(store, home / "index")
    photo = ["query", "--image", demo_photos / "cat.jpg", "--store", "index"]
    refused = run(*photo, "--risk", "0.4", check=2).stderr
    assert "measured" in refused  # not at all, or with another vocabulary
    assert "hiersearch calibrate" in refused

    done = run("calibrate", parts, "--model", "mini", "--concepts", words)
    head, *lines = done.stdout.splitlines()
    assert head.startswith("Learned about 16 concepts from 221 photos, and measured on 19 others.")
    assert lines[1].split() == ["stated", "pairs", "expected", "named"]
    assert "Risks, from 9 photos:" in lines
    (strict,) = [line for line in lines if line.startswith("    5%")]
    assert strict.endswith("none can be promised")  # by nine photos
    (loose,) = [line for line in lines if line.startswith("   30%")]
    assert "down to" in loose
    assert f"Kept in {own_file(home)}." in lines
    assert "'hiersearch index --concepts builtin'" in lines[-1]
    assert "Left out" not in done.stdout

    note = run("info", "--store", "index").stderr
    assert "labelled before its model was calibrated" in note
    again = run("index", "--concepts", words, "--store", "index")
    assert again.stdout == "12 labelled again\n"

    trials = read_statistics(own_file(home)).trials
    done = run(*photo, "--risk", "0.3", "--json")
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert all(level["mass"] >= trials.threshold(0.3) for level in answer["levels"])
    assert Path(answer["photos"][0]["path"]).name == "cat.jpg"
    assert "Allow a greater risk" in run(*photo, "--risk", "0.01", check=2).stderr


def test_captions_by_the_installed_command(run_installed, home, parts, captions, environ, mini):
    words = ["calibrate", parts, "--data", captions, "--model", "mini", "--json"]
    done = run_installed(*words)
    told = json.loads(done.stdout)
    assert told["version"] == 1
    assert (told["photos"], told["kept"]) == (221, 19)
    assert told["learned"] >= 10
    assert told["problems"] == []
    assert told["risks"]["photos"] == 9
    assert set(told["risks"]["thresholds"]) == {"0.05", "0.1", "0.2", "0.3"}
    assert told["risks"]["thresholds"]["0.05"] is None
    for band in told["bands"]:
        assert 0 <= band["low"] < band["high"] <= 1
        assert band["pairs"] > 0
    file = statistics_file(mini.id, {**environ, "HIERSEARCH_HOME": str(home / "data")})
    assert told["file"] == str(file) == str(own_file(home))
    statistics = read_statistics(file)
    assert statistics.id == told["id"]
    assert str(captions) in statistics.source
    assert {"cat", "motorcycle"} <= set(statistics.names)
    assert {*mini.shipped_statistics.names} <= set(statistics.names)


def test_forgetting_goes_back_to_what_came_with_the_model(run, home, mini, environ):
    forget = ["calibrate", "--model", "mini", "--forget"]
    assert run(*forget).stdout == "There is nothing to forget.\n"
    file = statistics_file(mini.id, {**environ, "HIERSEARCH_HOME": str(home / "data")})
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert run(*forget).stdout == f"Forgotten: {file}\n"
    assert not file.exists()
    assert run(*forget).stdout == "There is nothing to forget.\n"
    # Photos that are named are not read.
    assert run(*forget, "nowhere").stdout == "There is nothing to forget.\n"


def test_damaged_statistics_of_ones_own_are_named(run, home, demo_photos, store, mini, environ):
    file = statistics_file(mini.id, {**environ, "HIERSEARCH_HOME": str(home / "data")})
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    query = ["query", "--image", demo_photos / "cat.jpg", "--store", store]
    (line,) = run(*query, check=1).stderr.splitlines()
    assert str(file) in line
    assert "'hiersearch calibrate --forget'" in line
    run("calibrate", "--model", "mini", "--forget")
    assert "cat" in run(*query).stdout


def test_what_is_left_out_is_listed(run, parts, words, home, tmp_path):
    for number in range(7):
        name = tmp_path / "photos" / f"nonsense {number}"
        name.mkdir(parents=True)
        (name / "a.png").write_bytes(b"never read")
    for folder in parts.iterdir():
        (tmp_path / "photos" / folder.name).symlink_to(folder)
    rows = ["file,concepts"]
    rows += [
        f"{path.relative_to(parts)},{path.parent.name}" for path in sorted(parts.rglob("*.png"))
    ]
    rows += [f"nonsense {number}/a.png,nonsense {number}" for number in range(7)]
    data = tmp_path / "lists.csv"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = run(
        *("calibrate", tmp_path / "photos", "--data", data),
        *("--model", "mini", "--concepts", words),
    )
    lines = done.stdout.splitlines()
    at = lines.index("Left out (7):")
    assert [line for line in lines[at + 1 : at + 6] if line.endswith("is no concept")] == lines[
        at + 1 : at + 6
    ]
    assert lines[at + 6] == "  and 2 more"


def test_levels_of_a_least_mass(run, demo_photos, store):
    photo = ["query", "--image", demo_photos / "motorcycle.jpg", "--json", "--store", store]
    whole = json.loads(run(*photo, "--min-mass", "0").stdout)["levels"]
    assert len(whole) == 2
    between = (whole[0]["mass"] + whole[1]["mass"]) / 2
    found = json.loads(run(*photo, "--min-mass", between).stdout)["levels"]
    assert [level["concept"] for level in found] == [whole[0]["concept"]]


def test_branches_hold_nothing_below_a_least_mass(run, demo_photos, store):
    photo = ["query", "--image", demo_photos / "motorcycle.jpg", "--json", "--store", store]
    usual = json.loads(run(*photo).stdout)["branches"]
    masses = sorted(one["mass"] for branch in usual for one in branch)
    between = (masses[0] + masses[-1]) / 2
    found = json.loads(run(*photo, "--min-mass", between).stdout)["branches"]
    assert {one["concept"] for branch in found for one in branch} == {
        one["concept"] for branch in usual for one in branch if one["mass"] >= between
    }
    assert all(found)


def test_where_nothing_can_be_written_nothing_is_kept(run, home, parts, words):
    (home / "data").mkdir(parents=True, exist_ok=True)
    (home / "data" / "statistics").write_text("in the way")
    done = run("calibrate", parts, "--model", "mini", "--concepts", words, check=1)
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("hiersearch: ")]
    assert "cannot write" in line
    assert "HIERSEARCH_HOME" in line
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--risk", "0.1"], "a risk is for photos"),
        (["--min-mass", "1.5"], "not between 0 and 1"),
        (["--min-mass", "much"], "--min-mass"),
        (["--collection", "photos", "--risk", "0.1"], "--risk is for photos"),
        (["--collection", "photos", "--min-mass", "0.5"], "--min-mass is for photos"),
    ],
)
def test_what_does_not_go_together(run, store, options, says):
    done = run("query", "a cat", *options, "--store", store, check=2)
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["calibrate"], 2, "no photos are named"),
        (["calibrate", "nowhere"], 2, "nowhere"),
        (["calibrate", "empty"], 2, "no photos in folders of"),
        (["calibrate", "few"], 2, "1 photos are too few"),
        (["calibrate", "few", "--data", "nowhere.csv"], 2, "cannot be read"),
        (["calibrate", "few", "--data", "titles.csv"], 2, "no columns file and caption"),
        (["calibrate", "few", "--data", "gone.csv"], 1, "none of the 1 photos"),
        (["calibrate", "few", "--concepts", "flat.txt"], 2, "without parents"),
        (["calibrate", "few", "--concepts", "nowhere.txt"], 2, "nowhere.txt"),
        (["calibrate", "few", "--model", "no-such-model"], 1, "no-such-model"),
        (["calibrate", "odd"], 2, "none of the 1 names that the photos have is a concept"),
    ],
)
def test_each_error_is_one_line_with_the_next_step(run, home, demo_photos, words, code, says):
    for folder in ("empty", "few/cat", "odd/unheard-of"):
        (home / folder).mkdir(parents=True)
    for folder in ("few/cat", "odd/unheard-of"):
        (home / folder / "a.png").write_bytes((demo_photos / "cat.jpg").read_bytes())
    (home / "titles.csv").write_text("file,title\ncat/a.png,a cat\n")
    (home / "gone.csv").write_text("file,caption\ngone.png,a cat\n")
    (home / "flat.txt").write_text("cat\ndog\n")
    model = [] if "--model" in words or len(words) == 1 else ["--model", "mini"]
    done = run(*words, *model, check=code)
    assert done.stdout == ""
    assert says in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hiersearch: ")]
    assert line.endswith(".")
    assert not (home / "data" / "statistics").exists()
