"""How fast photos are indexed, against encoding the same decoded photos alone, in one run.

    python benchmarks/ingest.py FOLDER [ROUNDS]

Prints medians over the rounds, in which the two take turns: photos per second of each, their ratio,
and the share of the indexing time that a second run over unchanged files takes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hiersearch import HierarchicalEncoder, PhotoIndex
from hiersearch.photos import find_photos, read_photo


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(folder: Path, rounds: int) -> None:
    encoder = HierarchicalEncoder("mini")
    files = list(find_photos([folder], on_problem=print))
    images = [read_photo(file.path, min_side=encoder.photo_size).image for file in files]
    encoder.encode_photos(images[:64])
    times: dict[str, list[float]] = {"encode": [], "index": [], "again": []}
    for _ in range(rounds):
        times["encode"].append(seconds(lambda: encoder.encode_photos(images)))
        with (
            tempfile.TemporaryDirectory() as store,
            PhotoIndex.create(Path(store) / "index", model=encoder) as index,
        ):
            index.add(files[0].path)  # the vocabulary is read and stored once, before the clock
            times["index"].append(seconds(lambda index=index: index.add(folder)))
            times["again"].append(seconds(lambda index=index: index.add(folder)))
    median = {name: statistics.median(values) for name, values in times.items()}
    ratios = [e / i for e, i in zip(times["encode"], times["index"], strict=True)]
    print(f"photos                {len(files)}")
    print(f"encode alone          {len(files) / median['encode']:.1f} photos/s")
    print(f"index                 {len(files) / median['index']:.1f} photos/s")
    print(f"index / encode speed  {statistics.median(ratios):.3f}")
    print(f"again / index time    {median['again'] / median['index']:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
