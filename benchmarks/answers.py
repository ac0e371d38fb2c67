"""What an answer costs: python benchmarks/answers.py VECTORS.npy FOLDER [--photos N].

Makes an index of N photos on the embedded engine (once; FOLDER keeps it): vectors of real photos,
a row each of VECTORS.npy, again and again with a little noise, with the trees of the real ones.
Then measures, in turns, the median time of

* one search for the ten nearest photos;
* an answer with four levels, their counts and the first three photos of each row, and the ten
  nearest: as `PhotoIndex.query`, without what the model needs to embed the query.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np

from hiersearch import PhotoIndex
from hiersearch.concepts import builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.index.answer import answer
from hiersearch.index.fields import HASH, HEIGHT, PATH, PHOTO_INDEXES, WIDTH
from hiersearch.index.labelling import LazyLabeller
from hiersearch.index.storage import IndexStore
from hiersearch.index.understanding import understand

PART = 2048
NOISE = 0.1
QUERIES = (
    *("a train", "a cat", "two dogs on a beach", "a man riding a wave", "a pizza", "a giraffe"),
    *("a red bus", "a hot drink", "children playing soccer", "a bird in a tree"),
)
ROUNDS = 15


def fill(place: Path, rows: np.ndarray, count: int) -> None:
    encoder = HierarchicalEncoder("mini")
    with PhotoIndex.create(place, model=encoder):
        pass
    store = IndexStore.open(place)
    labeller = LazyLabeller(store, lambda: encoder).get(rows[:256])
    payloads, tally = labeller.labels(rows)
    store.photos.create(payload_indexes=PHOTO_INDEXES)
    generator = np.random.default_rng(0)
    for start in range(0, count, PART):
        at = np.arange(start, min(start + PART, count))
        noise = generator.normal(size=(len(at), rows.shape[1])) / rows.shape[1] ** 0.5
        vectors = rows[at % len(rows)] + NOISE * noise * (at >= len(rows))[:, None]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        labels = [
            payloads[one % len(rows)]
            | {PATH: [f"/photos/{one}.jpg"], HASH: f"{one:x}", WIDTH: 640, HEIGHT: 480}
            for one in at
        ]
        ids = [f"00000000-0000-0000-0000-{one:012d}" for one in at]
        store.photos.upsert(ids, vectors.astype(np.float32), labels)
        print(f"\r{at[-1] + 1} of {count}", end="", flush=True)
    store.keep_tally(tally)
    store.photos.optimize()
    store.close()
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vectors", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=100_000)
    options = parser.parse_args()
    place = options.folder / f"{options.photos}.index"
    if not place.exists():
        fill(place, np.load(options.vectors).astype(np.float32), options.photos)
    encoder = HierarchicalEncoder("mini")
    store = IndexStore.open(place)
    labeller = LazyLabeller(store, lambda: encoder).get()
    vocabulary = builtin_vocabulary()
    vectors = encoder.encode_texts(QUERIES)
    meant = [understand(one, store.names, vocabulary, encoder.read_words) for one in QUERIES]

    def nearest(at: int) -> None:
        store.photos.nearest(vectors[at], limit=10, payload=[PATH])

    def whole(at: int) -> None:
        answer(
            QUERIES[at],
            vectors[at],
            understanding=meant[at],
            photos=store.photos,
            labeller=labeller,
            levels=4,
            limit=3,
            trees=True,
            tally=store.tally,
        )

    times: dict[str, list[float]] = {"nearest": [], "answer": []}
    for _ in range(ROUNDS):
        for at in range(len(QUERIES)):
            for name, call in (("nearest", nearest), ("answer", whole)):
                begun = time.perf_counter()
                call(at)
                times[name].append(time.perf_counter() - begun)
    alone, with_levels = median(times["nearest"]), median(times["answer"])
    print(
        f"{options.photos} photos: nearest {alone * 1e3:.1f} ms, answer {with_levels * 1e3:.1f} ms"
    )
    print(f"ratio {with_levels / alone:.2f}")
    store.close()


if __name__ == "__main__":
    main()
