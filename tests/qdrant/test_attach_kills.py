"""Attaching that is killed at any moment, and run again."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from hiersearch.qdrant import Client, EdgeClient
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import NAME, check_right, everything, their, theirs
from tests.rest_server import serving_apart

ATTACH = """
    import os, signal, sys, time
    import numpy as np
    from qdrant_client import QdrantClient
    from hiersearch.qdrant import EdgeClient, HierarchicalCollection

    place, name, root = sys.argv[1], sys.argv[2], np.load(sys.argv[3])
    for line in sys.stdin:
        pages, delay = line.split()
        reading, writing = os.pipe()
        child = os.fork()  # what takes long to import is imported once
        if child == 0:
            client = (
                QdrantClient(url=place, check_compatibility=False)
                if place.startswith("http")
                else EdgeClient(place)
            )
            collection = HierarchicalCollection(client, name, root=root, vector_name="")
            collection.attach(page=8, on_progress=lambda *_: os.write(writing, b"."))
            client.close()
            os._exit(0)
        os.close(writing)
        left = int(pages)
        while left and os.read(reading, 1):
            left -= 1
        time.sleep(float(delay))
        os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
        os.close(reading)
        os.waitpid(child, 0)
        print("ended", flush=True)
"""

KILLS = 10


@contextmanager
def edge_place(path: Path) -> Iterator[str]:
    yield str(path / "store")


@contextmanager
def http_place(path: Path) -> Iterator[str]:
    with serving_apart() as url:
        yield url


@contextmanager
def open_client(place: str) -> Iterator[Client]:
    client: Client = (
        QdrantClient(url=place, check_compatibility=False)
        if place.startswith("http")
        else EdgeClient(place)
    )
    yield client
    client.close()


@pytest.mark.parametrize(
    ("place", "count"), [(edge_place, 2000), (http_place, 300)], ids=["edge", "http"]
)
def test_kills_at_any_moment_leave_nothing_wrong(tmp_path, place, count):
    rng = random.Random(7)
    cloud = Cloud.make(count, dim=8)
    np.save(tmp_path / "root.npy", cloud.root)
    with place(tmp_path) as where:
        with open_client(where) as client:
            theirs(client, cloud)
            before = everything(client)
        runner = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(ATTACH), where, NAME, tmp_path / "root.npy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        half_done = tries = 0
        # A kill may come when all is written: as many more are tried.
        while half_done < KILLS:
            tries += 1
            assert tries <= 4 * KILLS
            pages = rng.randint(1, count // 8 - 1)
            print(pages, rng.uniform(0, 0.005), file=runner.stdin, flush=True)
            assert runner.stdout.readline() == "ended\n"
            with open_client(where) as client:
                collection = their(client, cloud.root)
                left = collection.count_without_distance()
                half_done += 0 < left < count
                done = collection.attach()
                assert (done.attached, done.already) == (left, count - left)
                check_right(client, before, cloud.root)
                collection.detach()
        runner.stdin.close()
        assert runner.wait() == 0
        runner.stdout.close()
