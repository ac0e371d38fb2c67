"""The radial path at 50 radii: by descent, by one batch of 50 queries, and NumPy's single pass.

    python benchmarks/radial_path.py --cache FOLDER [--sizes 10000 100000 1000000] [--queries 40]
    python benchmarks/radial_path.py --cache FOLDER --build 1000000
    python benchmarks/radial_path.py --cache FOLDER --sizes 100000 --real DATA

Made vectors in clusters, 512 numbers each, in the embedded engine; the queries are not among them.
The ways take turns within each query, in changing order; times are medians over the queries.
Collections are built in processes of their own and kept in the cache; those of more than
100,000 points only on request (--build), since that takes the better part of an hour.

* recall@1: the share of the radii at which the best point found is the best there is, over all
  queries (a point just as similar counts too);
* steps: the share of the points on the exact path that are found on it.

With --real, the points are texts or photos of HierarCaps by the offline model, repeated with noise,
and the queries photos, captions (tier 4) or the most general texts (tier 1); *graph* is the whole
path by the search graph, where all are compared by default.

NumPy has the vectors in memory, sorted by root distance, and compares the query with all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stores import built, opened, peak_memory
from vectors import Real, clustered, clustered_queries, clustered_root, repeated

from hiersearch.geometry import root_distance
from hiersearch.qdrant import HierarchicalCollection, Hit

Floats = NDArray[np.floating]

RADII = 50
WHOLE = ("whole path", "graph")
ALIKE = 1e-6
"""Similarities that differ by less are one."""


class SinglePass:
    """The exact answer: the best point at or below each radius, from one product with all rows."""

    def __init__(self, rows: Floats, root: Floats) -> None:
        root = root.astype(np.float64)
        blocks = [slice(at, at + 10_000) for at in range(0, len(rows), 10_000)]
        # As they are stored: of float64, to twelve decimals.
        distances = np.concatenate(
            [np.round(root_distance(rows[block].astype(np.float64), root), 12) for block in blocks]
        )
        order = np.argsort(distances, kind="stable")
        self.ids = order
        self.distances = distances[order]
        self.rows = np.empty(rows.shape, dtype=np.float32)
        places = np.argsort(order)
        for block in blocks:
            self.rows[places[block]] = rows[block]
        self.radii = np.linspace(distances.min(), distances.max(), RADII)

    def best(self, query: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """The greatest similarity at or below each radius, and the place of the path's points."""
        scores = self.rows @ query
        running = np.maximum.accumulate(scores)
        path = np.flatnonzero(np.diff(running, prepend=-np.inf) > 0)
        ends = np.searchsorted(self.distances, self.radii, side="right") - 1
        return running[np.maximum(ends, 0)], path


def at_radii(hits: Sequence[Hit], radii: Floats) -> Floats:
    """The similarity of the last hit at or below each radius, -inf where there is none."""
    distances = np.array([hit.root_distance for hit in hits])
    scores = np.array([-np.inf, *(hit.score for hit in hits)])
    return scores[np.searchsorted(distances, radii + 1e-9, side="right")]


def ways(
    collection: HierarchicalCollection, exact: SinglePass
) -> dict[str, Callable[[Floats], Any]]:
    settings: dict[str, Any] = {"payload": False, "radii": exact.radii.tolist()}
    return {
        "descent": lambda query: collection.radial_path(query, by="descent", **settings),
        "batch": lambda query: collection.radial_path(query, by="batch", **settings),
        "whole path": lambda query: collection.radial_path(query, payload=False),
        "graph": lambda query: collection.radial_path(query, payload=False, exact=False),
        "NumPy": exact.best,
    }


@dataclass(frozen=True)
class Points:
    """What is searched, and by what."""

    name: str
    rows: Any  # a memory map
    root: Floats
    store: Path
    queries: Floats


def made(cache: Path, size: int, number: int) -> Points:
    rows = clustered(cache, size)
    return Points(str(size), rows, clustered_root(), folder(cache, size), clustered_queries(number))


def real(cache: Path, size: int, number: int, data: Path) -> Iterator[Points]:
    given = Real.load(data, cache)
    for name, base in {"texts-20000": given.texts, "photos-500": given.photos}.items():
        rows = repeated(cache, name, base, size)
        store = cache / f"store-{name}-{size}x{rows.shape[1]}"
        queries = {"captions": given.tiers[:, 3], "tier 1": given.tiers[:, 0]}
        if base is given.texts:
            queries["photos"] = given.photos
        for asked, vectors in queries.items():
            label = f"{size} {name.partition('-')[0]}, by {asked}"
            yield Points(label, rows, given.root, store, vectors[:number])


def measure(points: Points, **settings: Any) -> list[str]:
    rows, root, store, queries = points.rows, points.root, points.store, points.queries
    size = points.name
    cost = built(store, Path(str(rows.filename)), root)
    exact = SinglePass(rows, root)
    begun = time.perf_counter()
    collection = opened(store, **settings)
    collection.count()
    open_time = time.perf_counter() - begun
    run = ways(collection, exact)
    times: dict[str, list[float]] = {way: [] for way in run}
    shares: dict[str, list[float]] = {way: [] for way in run}
    steps: dict[str, list[float]] = {way: [] for way in run}
    for way in run.values():
        way(queries[-1])  # warm
    for turn, query in enumerate(queries):
        best, path = exact.best(query)
        on_path = {int(exact.ids[at]) for at in path}
        names = list(run)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begun = time.perf_counter()
            answer = run[name](query)
            times[name].append(time.perf_counter() - begun)
            if name != "NumPy":
                found = at_radii(answer, exact.radii)
                shares[name].append(float(np.mean(found >= best - ALIKE)))
                steps[name].append(len(on_path & {hit.id for hit in answer}) / len(on_path))
    collection.client.close()
    lines = []
    for name in run:
        cells = [f"{1000 * statistics.median(times[name]):.1f}"]
        if shares[name]:
            error = np.std(shares[name]) / np.sqrt(len(shares[name]))
            cells += [f"{np.mean(shares[name]):.4f} ± {error:.4f}"]
            cells += [f"{np.mean(steps[name]):.3f}" if name in WHOLE else ""]
        else:
            cells += ["1", ""]
        lines.append(f"| {size} | {name} | " + " | ".join(cells) + " |")
    ratios = [b / d for b, d in zip(times["batch"], times["descent"], strict=True)]
    print(f"{size}: batch / descent {statistics.median(ratios):.1f} times (median over queries)")
    print(f"{size}: opened in {open_time:.2f} s; peak memory {peak_memory() / 2**30:.2f} GiB, of")
    print(f"    which the copy of the vectors for NumPy is {exact.rows.nbytes / 2**30:.2f} GiB")
    print(f"{size}: build {json.dumps(cost)}", flush=True)
    return lines


def folder(cache: Path, size: int) -> Path:
    return cache / f"store-clustered-{size}x{len(clustered_root())}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--hnsw-ef", type=int)
    parser.add_argument("--build", type=int, metavar="SIZE")
    parser.add_argument("--real", type=Path, metavar="DATA")
    options = parser.parse_args()
    print("command  python", *sys.argv)
    if options.build:
        rows = clustered(options.cache, options.build)
        store = folder(options.cache, options.build)
        print(json.dumps(built(store, Path(str(rows.filename)), clustered_root())))
        return
    settings = {} if options.hnsw_ef is None else {"hnsw_ef": options.hnsw_ef}
    sizes = [n for n in options.sizes if n <= 100_000 or folder(options.cache, n).exists()]
    lines = []
    for size in sizes:
        given: Iterable[Points] = [made(options.cache, size, options.queries)]
        if options.real:
            given = real(options.cache, size, options.queries, options.real)
        for points in given:
            lines += measure(points, **settings)
    print("\n| points | way | median ms | recall@1 | steps |\n| --- | --- | --- | --- | --- |")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
