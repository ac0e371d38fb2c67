"""What a collection costs: uploading, attaching to one that exists, opening, memory.

    python benchmarks/attach.py [--points 100000] [--rounds 3] [--cache FOLDER]
    python benchmarks/attach.py --url http://localhost:6333 [--points 100000] [--rounds 3]

Made vectors in clusters, 512 numbers each, in the embedded engine. In each round, in turn:

* upload: points with a vector and a small payload, as others store them, 256 at a time;
* attach: `root_distance` is added to each of those points, in place;
* attach again: a second run, which finds nothing to do;
* ingest: the same points by `HierarchicalCollection.upsert`, which adds `root_distance` itself.

Then a process of its own opens the attached collection and searches in it; its memory is what it
has in use beyond that of a process that has loaded the same modules, and at its peak.

With --url, on a server instead, 2,000 points at a time: upload, attach, attach again, detach, in a
collection that is deleted afterwards. QDRANT_API_KEY is the key.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models
from stores import directory_size, opened, peak_memory
from vectors import clustered, clustered_queries, clustered_root

from hiersearch.qdrant import Client, EdgeClient, HierarchicalCollection, connect

Floats = NDArray[np.float32]

NAME = "points"
SERVED_NAME = "hiersearch-benchmark-attach"
BATCH = 256
SERVED = 2000
"""Points at a time, to a server."""


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def upload(client: Client, rows: Floats, name: str = NAME, batch: int = BATCH) -> None:
    params = models.VectorParams(size=rows.shape[1], distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config={"hiersearch": params})
    for start in range(0, len(rows), batch):
        client.upsert(
            name,
            [
                models.PointStruct(id=number, vector={"hiersearch": row}, payload={"at": number})
                for number, row in enumerate(rows[start : start + batch].tolist(), start)
            ],
        )


def ingest(collection: HierarchicalCollection, rows: Floats) -> None:
    collection.create()
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        ids = range(start, start + len(part))
        collection.upsert(ids, part, [{"at": number} for number in ids])


def one_round(rows: Floats, root: Floats, store: Path) -> dict[str, dict[str, float]]:
    np.save(store / "root.npy", root)
    times = {}
    with EdgeClient(store) as client:
        collection = HierarchicalCollection(client, NAME, root=root)
        times["upload"] = timed(lambda: upload(client, rows))
        times["attach"] = timed(collection.attach)
        assert collection.count_without_distance() == 0
        times["attach again"] = timed(collection.attach)
    with tempfile.TemporaryDirectory(dir=store.parent) as other, EdgeClient(other) as client:
        collection = HierarchicalCollection(client, NAME, root=root)
        times["ingest"] = timed(lambda: ingest(collection, rows))
    return times


def server_round(rows: Floats, root: Floats, url: str) -> dict[str, dict[str, float]]:
    client = connect(url)
    client.delete_collection(SERVED_NAME)
    collection = HierarchicalCollection(client, SERVED_NAME, root=root)
    times = {"upload": timed(lambda: upload(client, rows, SERVED_NAME, SERVED))}
    times["attach"] = timed(collection.attach)
    assert collection.count_without_distance() == 0
    times["attach again"] = timed(collection.attach)
    times["detach"] = timed(collection.detach)
    client.delete_collection(SERVED_NAME)
    return times


def memory_now() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def probe(store: Path) -> dict[str, Any]:
    """Opens a collection, searches in it, and says what that takes."""
    before = memory_now()
    begun = time.perf_counter()
    collection = opened(store)
    collection.count()
    seconds = time.perf_counter() - begun
    after_open = memory_now() - before
    for query in clustered_queries(20, len(collection.root)):
        collection.radial_path(query, payload=False)
        collection.descendants_of(query, limit=10, payload=False)
    found = {"open": seconds, "opened": after_open, "searched": memory_now() - before}
    collection.client.close()
    return {**found, "peak": peak_memory(), "disk": directory_size(store / NAME)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--probe", type=Path, help="only open and search the store in this folder")
    parser.add_argument("--url", help="of a server, to measure there")
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe(options.probe)))
        return
    with tempfile.TemporaryDirectory(dir=options.cache) as work:
        rows = np.array(clustered(options.cache or Path(work), options.points))
        root = clustered_root()
        rounds, probes = [], []
        for number in range(options.rounds):
            if options.url:
                rounds.append(server_round(rows, root, options.url))
                continue
            store = Path(work) / f"store-{number}"
            store.mkdir()
            rounds.append(one_round(rows, root, store))
            asked = subprocess.run(
                [sys.executable, __file__, "--probe", str(store)],
                check=True,
                capture_output=True,
                text=True,
            )
            probes.append(json.loads(asked.stdout))
    print("command  python", *sys.argv)
    print(f"points   {len(rows)} x {rows.shape[1]}, medians of {options.rounds} rounds\n")
    print("| step | s | CPU s | points/s |\n| --- | --- | --- | --- |")
    for step in rounds[0]:
        wall = statistics.median(times[step]["wall"] for times in rounds)
        cpu = statistics.median(times[step]["cpu"] for times in rounds)
        print(f"| {step} | {wall:.2f} | {cpu:.2f} | {len(rows) / wall:,.0f} |")
    for clock in ("wall", "cpu"):
        ratios = [times["attach"][clock] / times["upload"][clock] for times in rounds]
        print(f"\nattach / upload, {clock}: {statistics.median(ratios):.3f}", end="")
    print()
    if not probes:
        return
    middle = {key: statistics.median(found[key] for found in probes) for key in probes[0]}
    print(f"open and count  {middle.pop('open'):.2f} s")
    for key, size in middle.items():
        print(f"{key:15} {size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
