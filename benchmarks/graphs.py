"""The graphs of `mini` beside its stock model: the same vectors, and how fast.

    python benchmarks/graphs.py PHOTOS [--photos 1000] [--texts 10000] [--rounds 5] [--threads 1]

Printed: the least cosine between the two over texts (names of the vocabulary) and photos (those
below PHOTOS, spread evenly), then milliseconds of processor time a photo, of the graph and of the
traced torch tower of the same weights, decoded photos being prepared and encoded; medians
over rounds in which the two take turns, and their ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import numpy as np
    import torch

    from hiersearch import HierarchicalEncoder, builtin_vocabulary
    from hiersearch.photos import find_photos, read_photo

    torch.set_num_threads(options.threads)
    graphs = HierarchicalEncoder("mini")
    stock = HierarchicalEncoder(graphs.model)
    files = list(find_photos([options.folder], on_problem=print))
    chosen = [files[at * len(files) // options.photos] for at in range(options.photos)]
    images = [read_photo(file.path, min_side=graphs.photo_size).image for file in chosen]
    texts = builtin_vocabulary().names[: options.texts]
    for what, one, other in (
        ("texts", graphs.encode_texts(texts), stock.encode_texts(texts)),
        ("photos", graphs.encode_photos(images), stock.encode_photos(images)),
    ):
        cosines = (one.astype(np.float64) * other).sum(axis=1)
        print(f"least cosine over {len(one):5} {what:7} {cosines.min():.7f}")
    few = images[: min(len(images), 256)]
    encoders = {"graphs": graphs, "stock": stock}
    times: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(options.rounds):
        for name, encoder in encoders.items():
            times[name].append(processor_seconds(lambda e=encoder: e.encode_photos(few)) / len(few))
    show("prepared and encoded", times)


def processor_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def show(what: str, times: dict[str, list[float]]) -> None:
    for name, values in times.items():
        print(f"{what}, {name:7} {statistics.median(values) * 1e3:6.2f} ms of CPU a photo")
    ratios = [s / g for g, s in zip(times["graphs"], times["stock"], strict=True)]
    print(f"{what}, photos a second, graphs to stock: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
