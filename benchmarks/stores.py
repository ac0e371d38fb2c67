"""Collections of the embedded engine to measure on, each built once, in a process of its own.

    python benchmarks/stores.py VECTORS.npy STORE [--root ROOT.npy] [--no-graph]

Uploads, builds the search graph (which holds the interpreter's lock, for minutes or hours), and
keeps beside the collection what that cost, as build.json, after each step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiersearch.qdrant import EdgeClient, HierarchicalCollection

__all__ = ["built", "directory_size", "opened", "peak_memory"]

Floats = NDArray[np.float32]

NAME = "points"
PART = 2560
"""Points handed over at once."""


def built(
    store: Path, vectors: Path, root: Floats, *, graph: bool = True, exact_up_to: int | None = None
) -> dict[str, Any]:
    """Build the collection unless it is there; what building it cost.

    Args:
        store: The folder.
        vectors: A .npy of float32 rows, whose places are the ids.
        root: (dim,).
        graph: Whether to build the search graph.
        exact_up_to: Number of points from which a graph is built, instead of the client's own.
    """
    record = store / "build.json"
    if not record.exists() or not json.loads(record.read_text()).get("complete"):
        store.mkdir(parents=True, exist_ok=True)
        np.save(store / "root.npy", root)
        command = [sys.executable, __file__, str(vectors), str(store)]
        command += [] if graph else ["--no-graph"]
        command += [] if exact_up_to is None else ["--exact-up-to", str(exact_up_to)]
        subprocess.run(command, check=True)
    cost: dict[str, Any] = json.loads(record.read_text())
    return cost


def opened(store: Path, **settings: Any) -> HierarchicalCollection:
    root = np.load(store / "root.npy")
    return HierarchicalCollection(EdgeClient(store), NAME, root=root, **settings)


def peak_memory() -> int:
    """The most memory that this process has had in use, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def directory_size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--root", type=Path, help="else STORE/root.npy")
    parser.add_argument("--no-graph", action="store_true")
    parser.add_argument("--exact-up-to", type=int)
    options = parser.parse_args()
    rows = np.load(options.vectors, mmap_mode="r")
    root = np.load(options.root or options.store / "root.npy")
    options.store.mkdir(parents=True, exist_ok=True)
    np.save(options.store / "root.npy", root)
    record = options.store / "build.json"
    cost: dict[str, Any] = {"points": len(rows), "dim": rows.shape[1], "cores": os.cpu_count()}

    def note(**news: Any) -> None:
        cost.update(news, memory_peak=peak_memory(), disk=directory_size(options.store / NAME))
        record.write_text(json.dumps(cost, indent=1))
        print(time.strftime("%H:%M:%S"), json.dumps(news), flush=True)

    if options.exact_up_to is not None:
        import hiersearch.qdrant.edge.client as edge

        edge.EXACT_UP_TO = options.exact_up_to
    with EdgeClient(options.store) as client:
        collection = HierarchicalCollection(client, NAME, root=root)
        collection.drop()
        collection.create()
        wall, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            ids = range(start, start + len(part))
            collection.upsert(ids, part, [{}] * len(part))
            if start % (100 * PART) == 0:
                note(uploaded=start + len(part), upload_so_far=time.perf_counter() - wall)
        upload = {"upload": time.perf_counter() - wall, "upload_cpu": time.process_time() - cpu}
        note(uploaded=len(rows), **upload)
        if not options.no_graph:
            wall, cpu = time.perf_counter(), time.process_time()
            collection.optimize()
            build = {"graph": time.perf_counter() - wall, "graph_cpu": time.process_time() - cpu}
            note(**build)
        info = client.get_collection(NAME)
        note(segments=info.segments_count, in_graph=info.indexed_vectors_count)
    note(complete=True)


if __name__ == "__main__":
    main()
