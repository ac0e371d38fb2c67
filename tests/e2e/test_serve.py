"""`hiersearch serve` and `index` answer the installed commands from processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiersearch import PhotoIndex

MANY = 1500
"""Photos that take longer to index than the commands that are begun meanwhile."""


@pytest.fixture(autouse=True)
def runtime(monkeypatch) -> Iterator[Path]:
    """The runtime folder of this user; short, for a socket's path is."""
    made = Path(tempfile.mkdtemp(prefix="hs-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def store(home, demo_photos, mini, vocabulary_file) -> Path:
    """An index of three photos in the user's folder."""
    (home / "photos").mkdir()
    for name in ("cat.jpg", "coffee.jpg", "motorcycle.jpg"):
        shutil.copy2(demo_photos / name, home / "photos" / name)
    with PhotoIndex.create(home / "index", model=mini, concepts=vocabulary_file) as index:
        index.add(home / "photos")
    return home / "index"


def made_photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(count):
        pixels = noise.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((96, 96)).save(folder / f"{number:03}.jpg")
    return folder


Begin = Callable[..., subprocess.Popen]


@pytest.fixture
def begin(command, home) -> Iterator[Begin]:
    """Begins a command, and waits until it writes a word to stderr."""
    begun = []

    def begin_command(*words, until: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whatever runs in the background of a script ignores it, and so do its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        begun.append(process)
        read = []
        for line in process.stderr:
            read.append(line)
            if until in line:
                return process
        pytest.fail("".join(read))

    yield begin_command
    for process in begun:
        process.kill()
        process.communicate()


QUESTIONS = (
    ("query", "a cat"),
    ("query", "a cat", "--json", "--where", "width>10"),
    ("query", "--image", "photos/cat.jpg", "--paths"),
    ("query", "qwrtz"),
    ("query", "--image", "nowhere.jpg"),
    ("query", "a cat", "--risk", "0.1"),
    ("query", "a cat", "--where", "height~3"),
    ("info", "--json"),
    ("concepts",),
    ("index", "photos"),
    ("index", "nowhere"),
    ("index", "photos", "--concepts", "nowhere.txt"),
)


def test_commands_that_ask_print_and_exit_as_those_that_open(
    run, run_installed, begin, store, home, runtime
):
    codes = dict.fromkeys(QUESTIONS, 0)
    codes.update(dict.fromkeys((QUESTIONS[5], QUESTIONS[6], *QUESTIONS[10:]), 2))
    codes[QUESTIONS[4]] = 1
    where = ("--store", str(store))
    direct = {words: run(*words, *where, check=code) for words, code in codes.items()}
    served = begin("serve", *where, until="Serving")
    for words, code in codes.items():
        asked = run_installed(*words, *where, check=code)
        assert (asked.stdout, asked.stderr) == (direct[words].stdout, direct[words].stderr), words

    made_photos(home / "more", 3)
    (home / "more" / "broken.jpg").write_text("no photo")
    added = run_installed("index", "more", *where)
    assert added.stdout == "3 added, 1 skipped\n"
    assert "indexing photos: 4 of 4" in added.stderr
    assert "broken.jpg" in added.stderr
    shutil.move(home / "more", home / "away")
    lost = run_installed("index", "more", *where, check=2)
    assert "more" in lost.stderr
    second = run_installed("serve", *where, check=3)
    assert "answers for it" in second.stderr

    made_photos(home / "many", MANY)
    client = begin("index", "many", *where, until="indexing photos")
    os.killpg(client.pid, signal.SIGINT)
    out, err = client.communicate(timeout=60)
    assert (client.returncode, out) == (130, "")
    assert "interrupted. Run the same command again to resume; what was stored is kept." in err
    asked = run_installed("info", *where).stdout
    assert served.poll() is None

    served.send_signal(signal.SIGTERM)
    _, err = served.communicate(timeout=60)
    assert served.returncode == 0
    assert "Traceback" not in err
    assert list((runtime / "hiersearch").iterdir()) == []
    assert run("info", *where).stdout == asked


def test_after_a_kill_commands_open_the_index_and_it_can_be_served_again(
    run, run_installed, begin, store, runtime
):
    served = begin("serve", "--store", store, until="Serving")
    served.kill()
    served.wait()
    assert list((runtime / "hiersearch").glob("*.sock"))
    assert "cat" in run("query", "a cat", "--store", store).stdout
    served = begin("serve", "--store", store, until="Serving")
    assert "cat" in run_installed("query", "a cat", "--store", store).stdout
    served.send_signal(signal.SIGINT)
    served.communicate(timeout=60)
    assert served.returncode == 0


def test_a_query_while_photos_are_indexed_is_answered(run_installed, begin, store, home):
    made_photos(home / "many", MANY)
    indexing = begin("index", "many", "--store", store, until="indexing photos")
    assert "cat" in run_installed("query", "a cat", "--store", store).stdout
    assert "photos" in run_installed("info", "--store", store).stdout
    assert indexing.poll() is None
    locked = run_installed("index", "photos", "--store", store, check=3)
    assert "adds photos" in locked.stderr
    out, _ = indexing.communicate(timeout=120)
    assert (indexing.returncode, out) == (0, f"{MANY} added\n")


def test_what_cannot_be_served_is_said_in_words(run_installed, store, home, runtime):
    url = run_installed("serve", "--store", "http://localhost:6333/photos", check=2)
    assert "is on a server" in url.stderr
    missing = run_installed("serve", "--store", home / "nothing", check=1)
    assert "no index at" in missing.stderr
    (runtime / "hiersearch").chmod(0o755)
    opened = run_installed("serve", "--store", store, check=1)
    assert "open to other users" in opened.stderr


def test_a_process_that_does_not_listen_is_told_as_before(run_installed, store):
    with PhotoIndex.open(store):
        assert run_installed("query", "a cat", "--store", store).stderr == ""
        for words in (["index", "photos"], ["serve"]):
            locked = run_installed(*words, "--store", store, check=3)
            assert "another process has" in locked.stderr
