"""A copy that is killed at any moment, either way, is finished by running it again."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from hiersearch.config import ServerPlace
from hiersearch.index import copy_index
from tests.index.made import make_index, same_contents
from tests.rest_server import serving

PHOTOS = 800
PAGES = PHOTOS // 256 + 1

# Imports once, then forks a copy for each line that it is given, and kills it where that says.
KILLER = """
import os, signal, sys, time
from hiersearch.index import copy_index
for line in sys.stdin:
    source, target, pages, delay = line.split()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        copy_index(
            source,
            target,
            overwrite=True,
            on_progress=lambda task, *_: os.write(writing, task[-1:].encode()),
        )
        os._exit(0)
    os.close(writing)
    left = int(pages)
    while left and (told := os.read(reading, 1)):
        left -= 1
    time.sleep(float(delay))
    os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(scope="module")
def killer(environ):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def server():
    with serving() as opened:
        yield opened


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "source"
    make_index(folder, range(PHOTOS))
    return folder


@pytest.mark.parametrize("back", [False, True], ids=["to a server", "to a folder"])
def test_killed_at_random_moments_and_run_again(killer, server, source, tmp_path, back):
    chance = random.Random(back)
    if back:
        original = ServerPlace(server.url, "original")
        copy_index(source, original)
    else:
        original = source
    codes = []
    for number in range(10):
        target = tmp_path / str(number) if back else ServerPlace(server.url, f"copy-{number}")
        if number % 3 == 0:  # over an older state of it, with photos that are gone since
            make_index(target, range(400, PHOTOS + 200), version=1)
        moment = chance.randint(1, PAGES), chance.uniform(0, 0.05)
        print(original, target, *moment, file=killer.stdin, flush=True)
        codes.append(int(killer.stdout.readline()))
        done = copy_index(original, target, overwrite=number % 3 == 0)
        assert done.copied + done.unchanged == PHOTOS
        assert same_contents(source, target)
    assert set(codes) <= {-9, 0}
    assert codes.count(-9) >= 4  # the others were done before the kill came
