"""Attaching that is killed at any moment, and run again."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from hiersearch.qdrant import Client, EdgeClient
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import check_right, everything, their, theirs
from tests.rest_server import serving_apart

ATTACH = """
    import os, signal, sys, time
    import numpy as np
    from qdrant_client import QdrantClient
    from hiersearch.qdrant import EdgeClient, HierarchicalCollection

    place, root = sys.argv[1], np.load(sys.argv[2])
    for seconds in sys.stdin:
        child = os.fork()  # what takes long to import is imported once
        if child == 0:
            client = (
                QdrantClient(url=place, check_compatibility=False)
                if place.startswith("http")
                else EdgeClient(place)
            )
            collection = HierarchicalCollection(client, "theirs", root=root, vector_name="")
            collection.attach(page=8)
            client.close()
            os._exit(0)
        if seconds.strip():
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
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
            [sys.executable, "-c", textwrap.dedent(ATTACH), where, tmp_path / "root.npy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        def run(kill_after: float | str) -> float:
            began = time.perf_counter()
            runner.stdin.write(f"{kill_after}\n")
            runner.stdin.flush()
            assert runner.stdout.readline() == "ended\n"
            return time.perf_counter() - began

        # How long a whole run takes here and now, so that the kills fall into it.
        whole, half_done = run(""), 0
        for _ in range(KILLS):
            with open_client(where) as client:
                their(client, cloud.root).detach()
            run(rng.random() * whole * 0.9)
            with open_client(where) as client:
                collection = their(client, cloud.root)
                left = collection.count_without_distance()
                half_done += 0 < left < count
                done = collection.attach()
                assert (done.attached, done.already) == (left, count - left)
                check_right(client, before, cloud.root)
        runner.stdin.close()
        runner.wait()
        assert half_done
