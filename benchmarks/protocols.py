"""How much faster are HierarCaps' protocols than a loop over photos and radii with a mask?

    python benchmarks/protocols.py DATA [--model mini] [--cache FOLDER] [--repeats 15]

DATA is the folder with hierarcaps_dev.csv and images/. Embeddings are given; measured is all that
follows: similarities, retrieval, precision, recall, F1, order, and recall per tier. Two loops take
each photo and each of 50 radii by themselves, and compute precision and recall only:

* lean: the photo's cosines to all texts once, then a mask and an argmax over all texts per radius;
* plain: per radius the texts within it are taken out and multiplied by the photo (50 photos are
  measured, and the time is scaled up).

The least wall-clock times of some repeats, taken in turns; the chains are checked to be the same.
"product" is the matrix product of texts and photos alone, which no way of retrieving goes without.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiersearch.data.hierarcaps_files import find_test_file, read_items
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.evaluation.embedder import Embedder
from hiersearch.evaluation.protocols import RADII, official, paper

Floats = NDArray[np.float32]

PLAIN_PHOTOS = 50


def lean(photos: Floats, texts: Floats, distances: Floats, names: Sequence[str]) -> list[list[str]]:
    radii = np.linspace(distances.min(), distances.max(), RADII)
    chains = []
    for photo in photos:
        cosines = texts @ photo
        chain: list[str] = []
        for radius in radii:
            best = names[int(np.where(distances <= radius, cosines, -np.inf).argmax())]
            if not chain or chain[-1] != best:
                chain.append(best)
        chains.append(chain)
    return chains


def plain(
    photos: Floats, texts: Floats, distances: Floats, names: Sequence[str]
) -> list[list[str]]:
    radii = np.linspace(distances.min(), distances.max(), RADII)
    chains = []
    for photo in photos:
        chain: list[str] = []
        for radius in radii:
            within = np.flatnonzero(distances <= radius)
            best = names[within[int((texts[within] @ photo).argmax())]]
            if not chain or chain[-1] != best:
                chain.append(best)
        chains.append(chain)
    return chains


def by_loop(
    loop: Callable[..., list[list[str]]],
    photos: Floats,
    texts: Floats,
    root: Floats,
    truth: Sequence[Sequence[str]],
    names: Sequence[str],
) -> list[list[str]]:
    chains = loop(photos, texts, np.linalg.norm(texts - root, axis=1), names)
    scores = []
    for chain, right in zip(chains, truth, strict=True):
        both = len(set(chain) & set(right))
        scores.append((both / len(set(chain)), both / len(set(right))))
    np.mean(scores, axis=0)
    return chains


def seconds(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The least time of each, taken in turns so that all see the same load."""
    taken: dict[str, float] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name] = min(time.perf_counter() - start, taken.get(name, float("inf")))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    embedder = Embedder(HierarchicalEncoder(options.model), cache=options.cache)
    items = [item for item in read_items(find_test_file(options.data)) if item.photo]
    truth = [item.texts for item in items]
    names = list(dict.fromkeys(text for texts in truth for text in texts))
    texts = embedder.texts(names)
    photos = embedder.photos([item.photo for item in items if item.photo])
    print(f"{len(photos)} photos, {len(names)} texts, {RADII} radii, {texts.shape[1]} dimensions")

    given = (photos, texts, embedder.root, truth, names)
    part = (photos[:PLAIN_PHOTOS], texts, embedder.root, truth[:PLAIN_PHOTOS], names)
    found = [list(chain) for chain in official(*given).chains]
    same = found == by_loop(lean, *given) and found[:PLAIN_PHOTOS] == by_loop(plain, *part)
    print(f"chains of the loops: {'the same' if same else 'NOT the same'}")
    runs = {
        "official": lambda: official(*given),
        "paper": lambda: paper(*given),
        "product": lambda: texts @ photos.T,
        "lean loop": lambda: by_loop(lean, *given),
    }
    taken = seconds(runs, options.repeats)
    part_of_plain = seconds({"plain loop": lambda: by_loop(plain, *part)}, 1)["plain loop"]
    taken["plain loop"] = part_of_plain * len(photos) / len(part[0])
    for name, time_of in taken.items():
        ratio = time_of / taken["official"]
        print(f"{name:12}{time_of * 1e3:9.1f} ms   {ratio:6.1f} times official's")


if __name__ == "__main__":
    main()
