"""What must not go wrong when things go wrong: kills, hostile files, odd folders."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiersearch import PhotoIndex


def made_photos(folder: Path, count: int) -> Path:
    """Small distinct photos."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(count):
        pixels = noise.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((96, 96))
        image.save(folder / f"{number:03}.jpg")
    return folder


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_at_any_moment_loses_nothing_and_running_again_finishes(
    command, tmp_path, mini, vocabulary_file, seed
):
    photos, store = made_photos(tmp_path / "photos", 400), tmp_path / "index"
    PhotoIndex.create(store, model=mini, concepts=vocabulary_file).close()
    child = (
        "import sys\n"
        "from hiersearch import PhotoIndex\n"
        "with PhotoIndex.open(sys.argv[1]) as index:\n"
        "    tell = lambda task, done, total: print(task, done, flush=True)\n"
        "    index.add(sys.argv[2], on_progress=tell)\n"
    )
    process = subprocess.Popen(
        [Path(command).with_name("python"), "-c", child, store, photos],
        stdout=subprocess.PIPE,
        text=True,
    )
    stored = 0
    for line in process.stdout:
        task, _, done = line.strip().rpartition(" ")
        if task == "indexing photos":
            stored = int(done)
            time.sleep(random.Random(seed).random() * 0.3)
            process.send_signal(signal.SIGKILL)
            break
    for line in process.stdout:
        stored = int(line.strip().rpartition(" ")[2])
    assert process.wait() == -signal.SIGKILL
    with PhotoIndex.open(store, model=mini) as index:
        assert 400 > index.info().photos >= stored > 0
        index.add(photos)
        assert index.info().photos == index.info().files == 400
        assert index.add(photos).unchanged == 400


def test_an_interrupt_ends_with_130_and_keeps_what_is_stored(
    command, tmp_path, mini, vocabulary_file, environ
):
    photos, store = made_photos(tmp_path / "photos", 400), tmp_path / "index"
    with PhotoIndex.create(store, model=mini, concepts=vocabulary_file) as index:
        index.add(photos / "000.jpg")
    process = subprocess.Popen(
        [command, "index", photos, "--store", store],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whatever runs in the background of a script ignores it, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "indexing photos" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    with PhotoIndex.open(store, model=mini) as index:
        assert 1 < index.info().photos < 400


@pytest.fixture
def index(tmp_path, mini, vocabulary_file):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=vocabulary_file) as made:
        yield made


def test_every_hostile_file_is_indexed_or_skipped_with_a_reason(index, shared_data, capfd):
    nasty = shared_data / "nasty"
    files = [file for file in nasty.iterdir() if file.suffix != ".json" and file.name != "LICENSE"]
    summary = index.add(*files)
    assert summary.added + summary.copies + len(summary.skipped) == len(files) == 94
    assert all(skip.reason and "\n" not in skip.reason for skip in summary.skipped)
    assert capfd.readouterr().err == ""


def test_photos_in_every_orientation_get_nearly_one_vector(index, shared_data):
    index.add(shared_data / "photos" / "exif-orientation")
    vectors: dict[str, list] = {"landscape": [], "portrait": []}
    for record in index._store.photos.scroll(with_vectors=True):
        shape = record.payload["name"][0].lower().partition("_")[0]
        vectors[shape] += [record.vector] * len(record.payload["name"])
    for rows in vectors.values():
        assert len(rows) == 9
        assert np.min(np.stack(rows) @ np.stack(rows).T) > 0.9
    across = np.stack(vectors["landscape"]) @ np.stack(vectors["portrait"]).T
    assert across.max() < 0.7


def test_odd_names_and_loops_are_indexed_once(index, tmp_path, demo_photos):
    folder = tmp_path / "-odd \n name"
    folder.mkdir()
    for name in (b"--help.jpg", b"caf\xe9.jpg", b"a\tb'\".jpg", "🦜.jpg".encode()):
        content = (demo_photos / "rocket.jpg").read_bytes() + name
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    (folder / "loop").symlink_to(folder)
    summary = index.add(folder, follow_links=True)
    assert (summary.added, summary.skipped) == (4, [])
    assert index.add(folder, follow_links=True).unchanged == 4
