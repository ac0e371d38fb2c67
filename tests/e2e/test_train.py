"""`hiersearch train` as a user sees it."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image

from tests.alignment.test_trainer import needs_packages

ROWS = [
    f"animal => {animal} => a {colour} {animal} {place},vehicle => car => an old {animal} {place}"
    for animal in ("bird", "cat", "dog", "goat", "horse")
    for colour in ("grey", "red", "big", "small", "wet")
    for place in ("at sea", "on a field", "in a tree", "by a house", "at night")
]


@pytest.fixture
def hierarchies(home):
    (home / "rows.csv").write_text("\n".join(["positive,negative", *ROWS, "animal,plant"]) + "\n")
    return "rows.csv"


@needs_packages
def test_a_model_is_trained_and_used(run, home, hierarchies, demo_photos):
    words = ("train", "--data", hierarchies, "--layers", "1", "--steps", "3", "--batch-size", "4")

    done = run(*words, "--output", "out")

    lines = done.stdout.splitlines()
    assert lines[0].startswith("3 steps in ")
    assert "1 of 6 layers" in lines[0]
    assert [line.split()[0] for line in lines[2:7]] == [
        "tau", "precision", "recall", "entailment", "drift",
    ]  # fmt: skip
    assert lines[-1] == str(home / "out")
    assert "1 malformed rows of rows.csv were left out" in done.stderr
    assert "transformers" not in done.stderr
    indexed = run("index", demo_photos / "cat.jpg", "--model", "out", "--store", "store")
    assert indexed.stdout == "1 added\n"
    assert "transformers" not in indexed.stderr
    again = run(*words, "--output", "out", check=2)
    assert "whose training is done" in again.stderr


@needs_packages
def test_a_recipe_with_flags_in_front(run, home, hierarchies):
    (home / "mine.toml").write_text(
        'data = "rows.csv"\nlayers = 1\nepochs = 3\nbatch_size = 4\noptions = {regulariser = 5}\n'
    )

    done = run(
        "train", "--recipe", "mine.toml", "--steps", "2", "--option", "minimax=0.5",
        "--output", "out", "--json",
    )  # fmt: skip

    shown = json.loads(done.stdout)
    assert shown["steps"] == 2
    assert shown["left_out"] == 1
    assert 0 <= shown["after"]["drift"] <= 1
    record = json.loads((home / "out" / "training.json").read_text())
    assert record["settings"]["options"] == {"regulariser": 5, "minimax": 0.5}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no data is named"),
        (["--data", "nowhere.csv"], "no file of training data"),
        (["--data", "rows.csv", "--loss", "triplet"], "no loss is called triplet"),
        (["--data", "rows.csv", "--option", "regulariser"], "not an option of a loss"),
        (["--recipe", "none.toml"], "cannot be read"),
        (["--data", "bad.csv"], "too many|malformed"),
    ],
)
@needs_packages
def test_wrong_use_is_said_before_anything_is_loaded(run, home, hierarchies, words, message):
    (home / "bad.csv").write_text("positive\nanimal\nplant\nanimal => goat\n")

    done = run("train", *words, "--output", "out", check=2)

    assert re.search(message, done.stderr), done.stderr
    assert not done.stdout
    assert not (home / "out").exists()


@pytest.fixture
def captioned(home):
    """60 small photos of one colour each, and their captions."""
    folder = home / "photos"
    folder.mkdir()
    rows = ["file,caption"]
    for number in range(60):
        name = ("red", "green", "blue")[number % 3]
        Image.new("RGB", (64, 48), name).save(folder / f"{number}.png")
        rows.append(f"{number}.png,a {name} wall")
    (home / "captions.csv").write_text("\n".join(rows) + "\n")
    (home / "pairs.toml").write_text("head = 32\nhead_rate = 1e-2\n")
    return "captions.csv"


@needs_packages
def test_a_head_is_trained_on_captioned_photos(run, home, captioned):
    words = (
        "train", "--data", captioned, "--photos", "photos", "--recipe", "pairs.toml",
        "--batch-size", "16", "--epochs", "3",
    )  # fmt: skip

    done = run(*words, "--output", "out")

    lines = done.stdout.splitlines()
    assert re.match(r"\d+ steps on 5\d photos in \d+ s", lines[0])
    assert [line.split()[0] for line in lines[3:5]] == ["R@1", "R@10"]
    assert lines[-1] == str(home / "out")
    assert "looking at photos" in done.stderr
    indexed = run("index", "photos/0.png", "--model", "out", "--store", "store")
    assert indexed.stdout == "1 added\n"
    shown = json.loads(run(*words, "--output", "again", "--json").stdout)
    assert shown["steps"] == int(lines[0].split()[0])
    assert shown["missing"] == shown["left_out"] == 0


@needs_packages
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "the folder of the photos is not named"),
        (("--photos", "nowhere"), 1, "none of the 60 photos"),
        (("--photos", "photos", "--steps", "2"), 2, "--steps is not for captioned photos"),
        (("--photos", "photos", "--loss", "rcme"), 2, "--loss is not for captioned photos"),
    ],
)
def test_what_captioned_photos_need(run, captioned, words, code, message):
    done = run("train", "--data", captioned, *words, "--output", "out", check=code)

    assert message in done.stderr
