"""Nothing that `hiersearch index` leaves out is left out in silence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REASON = "not an image, or not in a format that can be read"

pytestmark = pytest.mark.usefixtures("no_extras")


@pytest.fixture
def words(home) -> Path:
    file = home / "words.txt"
    file.write_text("animal > cat\ndrink > coffee\n")
    return file


@pytest.fixture
def photos(home, demo_photos) -> Path:
    """Two photos, 30 that cannot be read, and files of all kinds."""
    folder = home / "photos"
    folder.mkdir()
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy2(demo_photos / name, folder)
    for number in range(25):
        (folder / f"bad{number:02}.jpg").write_bytes(b"no photo")
    for number in range(5):
        (folder / f"empty{number}.png").touch()
    for name in ["a.X3F", "b.x3f", "c.CRW", "live.MOV", "d.jp2", "song.mp3"]:
        (folder / name).write_bytes(b"x")
    for name in ["cat.jpg.xmp", ".DS_Store"]:
        (folder / name).write_bytes(b"x")
    (folder / "link.jpg").symlink_to(folder / "cat.jpg")
    return folder


SUMMARY = "2 added, 30 skipped"
PASSED = (
    "6 files of other kinds passed over (2 X3F, 1 CRW, 1 JP2, 1 MOV, 1 MP3); also 1 sidecar file, "
    "1 hidden name and 1 link"
)


def named_report(stderr: str) -> Path:
    [line] = [line for line in stderr.splitlines() if "is listed in" in line]
    return Path(line.rpartition(" listed in ")[2])


def test_the_summary_says_what_was_passed_over_and_where_all_skips_are(
    run, home, photos, words
) -> None:
    made = ("index", photos, "--concepts", words, "--model", "mini")
    before = set(photos.rglob("*"))
    done = run(*made)
    assert done.stdout == f"{SUMMARY}\n{PASSED}\n"
    skips = [line for line in done.stderr.splitlines() if line.startswith("skipped")]
    assert len(skips) == 21
    assert skips[-1] == f"skipped 10 more: 5 {REASON}, 5 empty file"
    report = named_report(done.stderr)
    assert report.is_relative_to(home / "data" / "reports")
    assert set(photos.rglob("*")) == before
    lines = report.read_text().splitlines()
    assert SUMMARY in lines
    assert PASSED in lines
    for first, count, name in (
        (f"25 skipped: {REASON}", 25, "bad"),
        ("5 skipped: empty file", 5, "empty"),
    ):
        at = lines.index(first)
        listed = lines[at + 1 : at + 1 + count]
        assert listed == sorted(f"  {path}" for path in photos.glob(f"{name}*"))
    # The next run replaces the report instead of adding another.
    again = run("index", photos)
    assert again.stdout == f"2 unchanged, 30 skipped\n{PASSED}\n"
    assert named_report(again.stderr) == report
    assert len(list(report.parent.iterdir())) == 1


def test_json_lists_everything_by_reason(run, home, photos, words) -> None:
    done = run("index", photos, "--concepts", words, "--model", "mini", "--json")
    told = json.loads(done.stdout)
    assert done.stderr.count("skipped") == 0
    assert [(one["reason"], len(one["paths"])) for one in told["skipped"]] == [
        (REASON, 25),
        ("empty file", 5),
    ]
    assert told["skipped"][1]["paths"] == [str(photos / f"empty{n}.png") for n in range(5)]
    assert told["passed_over"] == {
        "files": {"X3F": 2, "CRW": 1, "JP2": 1, "MOV": 1, "MP3": 1},
        "others": {"sidecar": 1, "hidden": 1, "link": 1},
    }
    counts = {name: told[name] for name in ("added", "unchanged", "notes", "lost", "move")}
    assert counts == {"added": 2, "unchanged": 0, "notes": [], "lost": [], "move": None}
    assert told["version"] == 1
    assert not (home / "data" / "reports").exists()


def test_a_report_goes_where_it_is_told_to(run, home, photos, words, demo_photos) -> None:
    file = home / "report.txt"
    made = ("index", photos, "--concepts", words, "--model", "mini", "--report")
    assert named_report(run(*made, file).stderr) == file
    assert f"5 skipped: empty file\n  {photos / 'empty0.png'}\n" in file.read_text()
    assert not (home / "data" / "reports").exists()
    few = ("index", demo_photos / "cat.jpg", "--report", file)
    told = run(*few).stderr  # replaces a report, also by one without skips
    assert f"The report is in {file}" in told
    assert "skipped:" not in file.read_text()
    assert "1 copies of others" in file.read_text()
    both = run("index", photos, "--report", file, "--json")
    assert len(json.loads(both.stdout)["skipped"]) == 2
    assert "25 skipped" in file.read_text()


def test_a_report_replaces_nothing_but_reports(run, home, photos, words) -> None:
    made = ("index", photos, "--concepts", words, "--model", "mini", "--report")
    kept = (photos / "cat.jpg").read_bytes()
    for wrong, said in (
        (photos / "cat.jpg", "is no report, and what is in it would be lost"),
        (photos, "is a folder"),
        (home / "nowhere" / "report.txt", "there is no folder"),
    ):
        done = run(*made, wrong, check=2)
        assert said in done.stderr
        assert "--report" in done.stderr
    assert (photos / "cat.jpg").read_bytes() == kept
    assert not (home / "data").exists()
    (home / "empty").touch()
    run(*made, home / "empty")
    assert (home / "empty").read_text().startswith("hiersearch index: what was skipped")


def test_a_report_down_a_pipe(command, home, photos, words) -> None:
    pipe = home / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    made = [command, "index", photos, "--concepts", words, "--model", "mini", "--report", pipe]
    subprocess.run(made, check=True, capture_output=True)
    read, _ = reader.communicate(timeout=60)
    assert "25 skipped" in read
    assert pipe.is_fifo()


def test_names_in_a_report_cannot_garble_a_terminal(run, home, photos, words) -> None:
    (photos / "odd\n5 skipped: x\x1b[31m.jpg").write_bytes(b"no photo")
    file = home / "report.txt"
    run("index", photos, "--concepts", words, "--model", "mini", "--report", file)
    text = file.read_text()
    assert r"odd\n5 skipped: x\x1b[31m.jpg" in text
    assert "\x1b" not in text


def test_the_data_folder_cannot_be_written(run, home, photos, words) -> None:
    (home / "data").mkdir()
    (home / "data" / "reports").write_text("in the way")
    store = ("--store", home / "store")
    done = run("index", photos, "--concepts", words, "--model", "mini", *store)
    assert done.stdout.startswith(SUMMARY)
    assert "note: the report cannot be written to" in done.stderr


def test_a_folder_without_photos_says_what_is_in_it(run, home, photos) -> None:
    raw = home / "raw"
    raw.mkdir()
    for name in ("a.nef", "b.nef", "c.mov"):
        (raw / name).touch()
    done = run("index", raw, "--model", "mini", check=2)
    assert f"no photos in {raw}; 3 files of other kinds passed over (2 NEF, 1 MOV)." in done.stderr
    links = home / "links"
    links.mkdir()
    (links / "cat.jpg").symlink_to(photos / "cat.jpg")
    done = run("index", links, "--model", "mini", check=2)
    assert "1 link passed over" in done.stderr
    assert "--follow-links" in done.stderr


def test_an_index_can_be_made_of_links_alone(run, home, photos, words) -> None:
    links = home / "links"
    links.mkdir()
    (links / "cat.jpg").symlink_to(photos / "cat.jpg")
    made = ("index", links, "--follow-links", "--concepts", words, "--model", "mini")
    assert run(*made).stdout == "1 added\n"


def test_null_ends_each_path(run, run_installed, home, photos, words) -> None:
    run("index", photos, "--concepts", words, "--model", "mini")
    done = run_installed("query", "a cat", "-0", text=False)
    assert done.stdout.split(b"\0") == [
        os.fsencode(photos / "cat.jpg"),
        os.fsencode(photos / "coffee.jpg"),
        b"",
    ]
    assert run_installed("query", "a cat", "--null", "--limit", "1", text=False).stdout == (
        os.fsencode(photos / "cat.jpg") + b"\0"
    )
    assert "--null is for photos" in run("query", "x", "--collection", "c", "-0", check=2).stderr


def test_a_run_through_a_process_that_serves_tells_the_same(
    run, run_installed, command, home, photos, words
) -> None:
    made = ("--concepts", words, "--model", "mini")
    run("index", photos / "cat.jpg", *made)
    with subprocess.Popen([command, "serve"], stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert "Serving 1 photo" in serving.stderr.readline()
            done = run_installed("index", photos)
            assert done.stdout == f"1 added, 1 unchanged, 30 skipped\n{PASSED}\n"
            assert named_report(done.stderr).is_file()
        finally:
            serving.terminate()
            serving.communicate()


def test_a_move_reports_its_skips_too(run, home, photos, words, demo_photos) -> None:
    good = home / "good"
    shutil.copytree(demo_photos, good)
    run("index", good, "--concepts", words, "--model", "mini")
    for number, path in enumerate(sorted(good.iterdir())):
        if number:
            path.write_bytes(b"")
    file = home / "report.txt"
    done = run("index", "--model", "mini-1", "--report", file)
    assert done.stdout == "1 moved to mini-1, 11 skipped\n"
    assert "11 skipped: empty file" in file.read_text()
