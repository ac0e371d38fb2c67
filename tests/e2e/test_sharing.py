"""Commands on one index at once: many read, one changes it, and who has to wait says so."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hiersearch.qdrant.edge.shards import edition_path
from tests.disks import mounted_read_only


@pytest.fixture
def index(home, demo_photos, run) -> Path:
    folder = home / "photos"
    folder.mkdir()
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy2(demo_photos / name, folder)
    (home / "words.txt").write_text("animal > cat\ndrink > coffee\n")
    run("index", folder, "--concepts", home / "words.txt", "--model", "mini", "--store", "index")
    return home / "index"


@pytest.fixture
def holder(index):
    """Another process that has the index open, and does not answer anybody."""
    program = (
        "import sys; from hiersearch import PhotoIndex\n"
        "with PhotoIndex.open(sys.argv[1]): print('open', flush=True); sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.usefixtures("holder")
def test_what_reads_needs_nobody_to_end(run):
    assert "cat.jpg" in run("query", "a cat", "--paths", "--store", "index").stdout
    assert "animal" in run("concepts", "--store", "index").stdout
    assert "photos      2" in run("info", "--store", "index").stdout


def test_what_needs_the_index_itself_waits_as_long_as_it_is_told(run, index, holder):
    edition_path(index, "photos").unlink()
    begun = time.monotonic()
    done = run("info", "--store", "index", "--wait", "1", check=3)
    assert time.monotonic() - begun >= 1
    assert done.stderr.count("waiting up to 1 s") == 1
    assert "another process has" in done.stderr
    assert "waiting" not in run("index", "photos", "--store", "index", check=3).stderr

    waiting = subprocess.Popen(
        [
            Path(sys.executable).with_name("hiersearch"),
            "info",
            "--store",
            "index",
            "--wait",
            "60",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "waiting up to 60 s" in waiting.stderr.readline()
    holder.stdin.write("\n")
    holder.stdin.flush()
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, err) == (0, "")
    assert "photos      2" in out


def test_a_backup_on_a_disk_that_is_read_only(run, index):
    expected = run("query", "a cat", "--store", "index").stdout
    with mounted_read_only(index):
        assert run("query", "a cat", "--store", "index").stdout == expected
        done = run("index", "photos", "--store", "index", check=3)
        assert "Read-only file system" in done.stderr


def test_others_may_read_what_is_shared(run, index):
    def mode() -> int:
        return stat.S_IMODE(index.stat().st_mode)

    assert mode() == 0o700
    run("index", "photos", "--store", "index", "--shared")
    shared = mode()
    assert shared & 0o055
    run("index", "photos", "--store", "index")
    assert mode() == shared
    run("index", "photos", "--store", "index", "--private")
    assert mode() == 0o700


def test_on_a_server_keys_say_who_may_read(run):
    done = run("index", "photos", "--store", "http://127.0.0.1:9/x", "--shared", check=2)
    assert "API keys" in done.stderr


def test_a_check_ends_as_the_index_is(run, index, demo_photos):
    assert "is whole: 2 photos in 2 files" in run("check", "--store", "index").stdout
    (index.parent / "photos" / "cat.jpg").unlink()
    done = run("check", "--store", "index")
    assert "1 files that are not there" in done.stdout
    manifest = index / "hiersearch-index.json"
    manifest.write_text(manifest.read_text().replace('"labelled": true', '"labelled": false'))
    assert "is damaged" in run("check", "--store", "index", check=1).stdout
    assert "mended: 1 a labelling that was cut off" in (
        run("check", "--repair", "--store", "index").stdout
    )
    assert run("check", "--json", "--store", "index").stdout.startswith('{\n "version": 1')
