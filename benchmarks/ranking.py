"""Ranking by exterior angle: how many of the true ten best are found?

    python benchmarks/ranking.py DATA [--cache FOLDER] [--size 100000] [--queries 200]
    python benchmarks/ranking.py --url http://localhost:6333 [--reading-key KEY]
                                 [--cache FOLDER] [--size 100000]

DATA is the folder with hierarcaps_dev.csv, hierarcaps_pairs.csv.gz and images/. Three collections
of the given size: photos and texts of HierarCaps by the offline model, repeated with noise, and
made vectors in clusters. The queries are not among the points: texts of all tiers evenly, photos.

First, in NumPy, recall@10 by the number of candidates and by what these are nearest to. Then what a
`HierarchicalCollection` over the embedded engine finds, by its settings. Collections are built in a
process of their own and kept in the cache: minutes the first time.

With --url, the second part alone, on a server and for the made vectors alone. They are uploaded to
the collection `hiersearch-benchmark-SIZE`, which is never attached, and kept: delete it when done.
QDRANT_API_KEY is the key; --reading-key is another, for the queries.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models
from stores import PART, built, opened
from vectors import Real, clustered, clustered_queries, clustered_root, repeated, unit

from hiersearch.geometry import angle_cosine_from_score, radial_direction, root_distance
from hiersearch.qdrant import HierarchicalCollection, Hit, connect

Floats = NDArray[np.floating]

CANDIDATES = (10, 20, 50, 100, 200, 500, 1000)
K = 10
ALIKE = 1e-6
"""Angles whose cosines differ by less are one: which of the two is found does not count."""


@dataclass(frozen=True)
class Task:
    name: str
    file: Path
    root: Floats
    queries: Floats
    descendants: bool


def tasks(data: Path, cache: Path, size: int, number: int) -> Iterator[Task]:
    real = Real.load(data, cache)
    files = {}
    for name in ("photos", "texts"):
        rows = repeated(cache, name, getattr(real, name), size)
        files[name] = Path(str(rows.filename))
    made = made_tasks(cache, size, number)
    random = np.random.default_rng(0)
    per_tier = -(-number // 4)
    texts = np.concatenate(
        [real.tiers[random.permutation(len(real.tiers))[:per_tier], tier] for tier in range(4)]
    )[:number]
    photos = real.photos[random.permutation(len(real.photos))[:number]]
    yield Task("text → photos below", files["photos"], real.root, texts, True)
    yield Task("text → texts below", files["texts"], real.root, texts, True)
    yield made[0]
    yield Task("photo → texts above", files["texts"], real.root, photos, False)
    yield Task("text → texts above", files["texts"], real.root, texts, False)
    yield made[1]


def made_tasks(cache: Path, size: int, number: int) -> list[Task]:
    file = Path(str(clustered(cache, size).filename))
    drawn = clustered_queries(number)
    return [
        Task(f"clustered, {name}", file, clustered_root(), drawn, name == "below")
        for name in ("below", "above")
    ]


def cosines(task: Task, rows: Floats) -> Floats:
    """(queries, n): of the exterior angle between each query and each point, in float64."""
    root = task.root.astype(np.float64)
    queries = _exact(task.queries)
    distances = np.asarray(root_distance(queries, root))[:, None]
    blocks = []
    for start in range(0, len(rows), 10_000):
        block = _exact(rows[start : start + 10_000])
        there = np.asarray(root_distance(block, root))
        pair = (distances, there) if task.descendants else (there, distances)
        blocks.append(angle_cosine_from_score(queries @ block.T, *pair).astype(np.float32))
    return np.concatenate(blocks, axis=1)


def _exact(rows: Floats) -> Floats:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def directions(task: Task) -> dict[str, list[Floats]]:
    """What candidates are nearest to: (queries, dim) by name; of two, half are nearest to each."""
    queries, root = task.queries.astype(np.float64), task.root.astype(np.float64)
    if task.descendants:
        u = radial_direction(queries, root)
        return {"u - 0.2 t": [unit(u - 0.2 * queries)], "u": [unit(u)], "t": [task.queries]}
    return {"v + r": [unit(queries + root)], "v": [task.queries]}


def by_candidates(task: Task, rows: Floats, true: Floats) -> None:
    for name, towards in directions(task).items():
        recalls = []
        for place, angles in enumerate(true):
            least = np.partition(angles, -K)[-K] - ALIKE
            tops = [_greatest(rows @ direction[place], CANDIDATES[-1]) for direction in towards]
            found = list(dict.fromkeys(np.stack(tops, axis=1).ravel().tolist()))
            right = np.cumsum(angles[found[: CANDIDATES[-1]]] >= least)
            recalls.append([min(right[number - 1], K) / K for number in CANDIDATES])
        cells = " | ".join(f"{value:.3f}" for value in np.mean(recalls, axis=0))
        print(f"| {task.name} | {name} | {cells} |", flush=True)


def _greatest(values: Floats, number: int) -> NDArray[np.int64]:
    places = np.argpartition(-values, number)[:number]
    return places[np.argsort(-values[places])]


Opened = Callable[..., HierarchicalCollection]
"""Opens the collection of a task, with the width of searches in its graph."""


def collection_recall(task: Task, open_it: Opened, true: Floats, **settings: object) -> str:
    ef = settings.pop("hnsw_ef", None)
    collection = open_it(**({} if ef is None else {"hnsw_ef": ef}))
    rank = collection.descendants_of if task.descendants else collection.ancestors_of
    rank(task.queries[0], limit=K, payload=False)  # opened, before the clock
    recalls, seconds = [], []
    for angles, query in zip(true, task.queries, strict=True):
        begun = time.perf_counter()
        hits: list[Hit] = rank(query, limit=K, payload=False, **settings)
        seconds.append(time.perf_counter() - begun)
        least = np.partition(angles, -K)[-K] - ALIKE
        recalls.append(np.mean([angles[hit.id] >= least for hit in hits]))
    collection.client.close()
    error = np.std(recalls) / np.sqrt(len(recalls))
    milliseconds = 1000 * statistics.median(seconds)
    return f"{np.mean(recalls):.4f} ± {error:.4f} | {milliseconds:.1f}"


def on_server(url: str, rows: Floats, reading_key: str | None) -> Opened:
    """The made vectors on a server, uploaded unless they are there, once its graph is ready.

    The collection is as any program makes it: nothing is stored for hiersearch.
    """
    name = f"hiersearch-benchmark-{len(rows)}"
    client = connect(url)
    if not client.collection_exists(name):
        cosine = models.VectorParams(size=rows.shape[1], distance=models.Distance.COSINE)
        client.create_collection(name, vectors_config=cosine)
    if client.count(name).count < len(rows):
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART].tolist()
            client.upsert(name, models.Batch(ids=range(start, start + len(part)), vectors=part))
    while client.get_collection(name).status != "green":
        time.sleep(1.0)
    reading = os.environ if reading_key is None else {"QDRANT_API_KEY": reading_key}

    def open_it(**settings: Any) -> HierarchicalCollection:
        return HierarchicalCollection(
            connect(url, environ=reading), name, root=clustered_root(), vector_name="", **settings
        )

    return open_it


def settings_of(every: bool) -> list[dict[str, object]]:
    settings: list[dict[str, object]] = [{}, {"exact": True}]
    if every:
        settings += [{"candidates": number} for number in (50, 100, 500, 1000)]
        settings += [{"hnsw_ef": ef} for ef in (400, 800)]
    return settings


def lines_of(task: Task, open_it: Opened, true: Floats, every: bool) -> Iterator[str]:
    for setting in settings_of(every):
        label = ", ".join(f"{key}={value}" for key, value in setting.items()) or "default"
        yield f"| {task.name} | {label} | {collection_recall(task, open_it, true, **setting)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--url", help="of a server, to measure there")
    parser.add_argument("--reading-key", help="the key to query that server with")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--numpy-only", action="store_true")
    parser.add_argument("--all-settings", action="store_true", help="not the default's alone")
    options = parser.parse_args()
    if options.data is None and options.url is None:
        parser.error("name DATA or a --url")
    cache = options.cache or Path(tempfile.mkdtemp())
    print("command  python", *sys.argv)
    print(f"points   {options.size}, {options.queries} queries, recall@{K}\n")
    lines: list[str] = []
    if options.url is not None:
        drawn = made_tasks(cache, options.size, options.queries)
        rows = np.load(drawn[0].file, mmap_mode="r")
        open_it = on_server(options.url, rows, options.reading_key)
        for task in drawn:
            true = cosines(task, np.load(task.file, mmap_mode="r"))
            lines += lines_of(task, open_it, true, options.all_settings)
        report(lines)
        return
    print("| ranking | nearest to | " + " | ".join(map(str, CANDIDATES)) + " |")
    print("| --- " * (2 + len(CANDIDATES)) + "|")
    for task in tasks(options.data, cache, options.size, options.queries):
        rows = np.load(task.file)
        true = cosines(task, rows)
        by_candidates(task, rows, true)
        if options.numpy_only:
            continue
        store = cache / f"store-{task.file.stem}"
        built(store, task.file, task.root)
        lines += lines_of(task, partial(opened, store), true, options.all_settings)
    report(lines)


def report(lines: list[str]) -> None:
    print("\n| ranking | settings | recall@10 | median ms |\n| --- | --- | --- | --- |")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
