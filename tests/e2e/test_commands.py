from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def store(tmp_path_factory, command, demo_photos, vocabulary_file) -> Path:
    """An index of the demo's photographs; read only."""
    folder = tmp_path_factory.mktemp("store") / "index"
    words = ["index", demo_photos, "--store", folder, "--concepts", vocabulary_file]
    done = subprocess.run(
        [command, *words, "--model", "mini"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "12 added\n"
    return folder


def test_help_names_every_command_and_is_light(run_installed):
    shown = run_installed("--help").stdout
    named = re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE)
    assert " ".join(named) == (
        "demo index query info check concepts serve copy calibrate attach detach train eval export"
    )
    heavy = {"torch", "transformers", "sentence_transformers", "qdrant_client", "qdrant_edge"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, hiersearch, hiersearch.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not heavy & set(loaded.stdout.split())


def test_version(run):
    import hiersearch

    assert run("--version").stdout == f"hiersearch {hiersearch.__version__}\n"


def test_no_command_shows_the_help_and_is_wrong_use(run):
    assert "Usage" in run(check=2).stdout + run(check=2).stderr


def test_query_by_image_as_a_table(run_installed, store, demo_photos):
    shown = run_installed("query", "--image", demo_photos / "cat.jpg", "--store", store).stdout
    head, first, second, *_ = shown.splitlines()
    assert head.split() == ["level", "concept", "mass", "angle", "sure", "about", "nearest"]
    assert first.split()[:2] == ["1", "animal"]
    assert second.split()[:2] == ["2", "cat"]
    assert "cat.jpg" in second
    assert "\x1b" not in shown


def test_query_as_json(run, store):
    data = json.loads(run("query", "a cup of coffee", "--store", store, "--json").stdout)
    assert data["version"] == 1
    assert [level["concept"] for level in data["levels"]] == ["drink", "coffee"]
    assert Path(data["photos"][0]["path"]).name == "coffee.jpg"


def test_what_is_not_understood_is_said_on_stderr_alone(run, store):
    for words in ([], ["--json"], ["--paths"]):
        done = run("query", "asdfghjkl", "--store", store, *words)
        assert done.stderr == (
            "note: 'asdfghjkl' is neither in the vocabulary nor known to the model: there are no "
            "levels, and the photos are a guess from the letters. Check the spelling, or try "
            "another word.\n"
        )
        assert "note:" not in done.stdout
    done = run("query", "\u732b\u001b[31m", "--store", store, "--json")
    assert "\x1b" not in done.stderr
    data = json.loads(done.stdout)
    assert data["levels"] == []
    assert data["notes"][0].startswith("The model does not know '\u732b'")
    assert run("query", "a cat", "--store", store).stderr == ""
    assert run("query", "something happy", "--store", store).stderr == ""


def test_where_takes_the_words_that_people_say(run, store):
    cats = run("query", "a cat", "--store", store, "--where", "concept=Cats", "--paths")
    assert cats.stdout.endswith("cat.jpg\n")
    done = run("query", "a cat", "--store", store, "--where", "concept=rockte", check=2)
    assert "no concept 'rockte'. Did you mean 'rocket'" in done.stderr


def test_query_paths_are_for_pipes(run_installed, store, demo_photos):
    done = run_installed("query", "a cat", "--store", store, "--paths", "--limit", "2", text=False)
    first, second = done.stdout.splitlines()
    assert first == os.fsencode(demo_photos / "cat.jpg")
    assert Path(os.fsdecode(second)).is_file()


def test_the_reader_of_a_pipe_may_leave_early(command, store):
    for words in ("concepts --store", "concepts --json --store"):
        done = subprocess.run(
            f'"{command}" {words} "{store}" | true; exit ${{PIPESTATUS[0]}}',
            shell=True,
            executable="/bin/bash",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stderr, done.returncode) == ("", 0)


def test_names_in_messages_cannot_pass_for_messages(run, home, demo_photos, store):
    folder = home / "photos"
    folder.mkdir()
    (folder / "a\nhiersearch: b\x1b[31m.jpg").write_bytes(b"no photo")
    (folder / "cat.jpg").write_bytes((demo_photos / "cat.jpg").read_bytes())
    words = home / "w.txt"
    words.write_text("animal > cat\n")
    done = run("index", folder, "--concepts", words, "--model", "mini", "--name", "odd")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("skipped")]
    assert line.endswith("not an image, or not in a format that can be read")
    assert "\x1b" not in done.stderr


def test_where_and_info_and_concepts(run, store):
    assert "photos      12\n" in run("info", "--store", store).stdout
    filtered = run("query", "a cat", "--store", store, "--where", "name=rocket.jpg", "--paths")
    assert filtered.stdout.endswith("rocket.jpg\n")
    info = json.loads(run("info", "--store", store, "--json").stdout)
    assert (info["photos"], info["model"], info["dimension"]) == (12, "mini", 384)
    tree = run("concepts", "--store", store).stdout
    assert "  animal\n" in tree
    assert "    cat\n" in tree
    counted = json.loads(run("concepts", "--store", store, "--json").stdout)["concepts"]
    assert {"concept": "cat", "parents": ["animal"], "count": 1} in counted


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["query", "a cat", "--store", "nowhere"], 1, "no index at"),
        (["info", "--store", "nowhere"], 1, "Make one with 'hiersearch index FOLDER'"),
        (["index", "nowhere"], 2, "nowhere"),
        (["index"], 2, "no photos were named"),
        (["index", "--concepts", "words.txt"], 1, "no index at"),
        (["info", "--store", "ftp://localhost"], 2, "a store cannot begin with ftp://"),
        (["info", "--store", "http://127.0.0.1:1/mine"], 3, "http://127.0.0.1:1"),
        (["copy", "nowhere", "there"], 1, "no index at"),
        (["copy", "nowhere", "http://host/a-index"], 2, "cannot name an index"),
        (["copy", "here", "here"], 2, "itself"),
        (["index", "empty"], 2, "no photos in"),
        (["query"], 2, "a query is a text or a photo"),
        (["query", "a", "--levels", "0"], 2, "--levels"),
        (["query", "a", "--nonsense"], 2, "--nonsense"),
        (["nonsense"], 2, "nonsense"),
        (["index", "photos", "--concepts", "cycle.csv"], 2, "line"),
        (["index", "photos", "--model", "no-such-model"], 1, "no-such-model"),
        (["info", "--name", "a/b"], 2, "cannot name an index"),
    ],
)
def test_each_error_is_one_line_with_the_next_step(
    run, tmp_path, demo_photos, words, code, message
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    shutil.copy(demo_photos / "rocket.jpg", tmp_path / "photos")
    (tmp_path / "words.txt").write_text("animal > cat\n")
    (tmp_path / "cycle.csv").write_text("concept,parent\na,b\nb,a\n")
    done = run(*words, check=code)
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hiersearch: ")]
    assert line.endswith(".")


def test_another_model_is_refused(run, store, tmp_path, mini):
    from sentence_transformers import SentenceTransformer

    mini.save(tmp_path / "tuned")
    tuned = SentenceTransformer(str(tmp_path / "tuned"))
    next(tuned.parameters()).data.mul_(1.01)
    tuned.save(str(tmp_path / "tuned"))
    done = run("query", "a cat", "--store", store, "--model", tmp_path / "tuned", check=2)
    assert "was made with mini" in done.stderr
    assert "Leave --model out" in done.stderr


def test_a_locked_store_is_out_of_reach(run_installed, store):
    from hiersearch import PhotoIndex

    with PhotoIndex.open(store) as index:
        assert index.info().photos == 12
        done = run_installed("index", store.parent, "--store", store, check=3)
    assert len(done.stderr.splitlines()) == 1
    assert str(store) in done.stderr


@pytest.mark.parametrize("words", ["--debug info --store nowhere", "info --store nowhere --debug"])
def test_debug_shows_where_an_error_came_from(run_installed, words):
    assert "Traceback" in run_installed(*words.split(), check=1).stderr


@pytest.mark.parametrize("columns", ["30", "50", "72", "200"])
def test_narrow_and_wide_terminals_stay_readable(run, store, demo_photos, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    shown = run("query", "--image", demo_photos / "cat.jpg", "--store", store).stdout
    assert max(map(len, shown.splitlines())) <= max(int(columns), 40)
    assert "animal" in shown
    assert "cat.jpg" in shown


def test_demo_shows_the_main_job(run, tmp_path):
    done = run("demo", tmp_path / "tour")
    assert "$ hiersearch index" in done.stdout
    assert "12 added" in done.stdout
    assert done.stdout.count("$ hiersearch query") == 2
    assert "animal" in done.stdout
    assert len(list((tmp_path / "tour" / "photos").iterdir())) == 12
    again = run("demo", tmp_path / "tour")
    assert "12 unchanged" in again.stdout


def test_an_index_moves_to_another_model(run, home, demo_photos):
    run("index", demo_photos / "cat.jpg", "--model", "mini", "--store", "store")

    done = run("index", "--model", "mini-1", "--store", "store")

    assert done.stdout == "1 moved to mini-1\n"
    assert "Moving the index from mini to mini-1" in done.stderr
    info = json.loads(run("info", "--json", "--store", "store").stdout)
    assert (info["photos"], info["model"]) == (1, "mini-1")
    again = run("index", demo_photos / "cat.jpg", "--model", "mini-1", "--store", "store")
    assert again.stdout == "1 unchanged\n"
    assert "'hiersearch index --model mini', with the same" in again.stderr
    assert "hiersearch index --model mini" in run("info", "--store", "store").stderr
    assert run("index", "--model", "mini-1", "--store", "store").stdout == "nothing to do\n"
    assert "no index" in run("index", "--model", "mini", "--store", "nowhere", check=1).stderr
    more = run(
        "index", demo_photos / "coffee.jpg", "--model", "mini", "--store", "store"
    ).stdout.splitlines()
    assert more == ["1 moved to mini", "1 added"]
