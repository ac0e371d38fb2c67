"""What an answer costs in the resident mode: python benchmarks/resident.py INDEX.

INDEX is an index that `benchmarks/answers.py` made. `hiersearch serve` answers for it. Measures

* answers over the socket, one after the other: median and 95th percentile;
* eight asked at once: how long the last takes;
* the command `hiersearch query`, from its start to its end;
* answers while a copy of the photos without 30 % of them is optimised: how long the longest takes,
  and how long the optimising.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from hiersearch import PhotoIndex
from hiersearch.resident.asking import Resident, find_resident
from hiersearch.resident.listening import Listener
from hiersearch.resident.serving import Serving
from hiersearch.resident.socket_path import socket_path

COMMAND = Path(sys.executable).with_name("hiersearch")
QUERIES = (
    *("a train", "a cat", "two dogs on a beach", "a man riding a wave", "a pizza", "a giraffe"),
    *("a red bus", "a hot drink", "children playing soccer", "a bird in a tree"),
)
ROUNDS = 15
DELETED = 0.3


def connected(place: Path) -> Resident:
    while (resident := find_resident(place)) is None:
        time.sleep(0.1)
    return resident


def seconds(resident: Resident, text: str) -> float:
    begun = time.perf_counter()
    resident.query(text, levels=4, limit=3)
    return time.perf_counter() - begun


def alone(place: Path, _: object) -> float:
    with connected(place) as resident:
        return seconds(resident, QUERIES[0])


def command(place: Path) -> float:
    begun = time.perf_counter()
    words = [COMMAND, "query", "a cat", "--store", place]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def ask_on(place: Path, stop: float, times: multiprocessing.Queue[list[float]]) -> None:
    taken = []
    with connected(place) as resident:
        while time.time() < stop:
            taken.append(seconds(resident, "a cat"))
    times.put(taken)


def while_optimised(place: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with (
        Listener(socket_path(place) or place) as listener,
        PhotoIndex.open(place) as index,
        Serving(index, place, listener, writes=True) as serving,
    ):
        serving.warm()
        photos = index._store.photos
        ids = [one for page in photos.scroll_ids() for one in page]
        photos.delete(ids[: int(DELETED * len(ids))])
        times: multiprocessing.Queue[list[float]] = context.Queue()
        asker = context.Process(target=ask_on, args=[place, time.time() + 45, times])
        asker.start()
        time.sleep(5)
        begun = time.perf_counter()
        done = serving._optimize(photos)
        took = time.perf_counter() - begun
        taken = times.get()
        asker.join()
    print(
        f"optimised ({done}) in {took:.1f} s; {len(taken)} answers in 45 s, median "
        f"{median(taken) * 1e3:.0f} ms, longest {max(taken):.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path)
    place = parser.parse_args().index.absolute()
    server = subprocess.Popen([COMMAND, "serve", "--store", place])
    try:
        with connected(place) as resident:
            for text in QUERIES:
                seconds(resident, text)
            taken = [seconds(resident, text) for _ in range(ROUNDS) for text in QUERIES]
        print(f"over the socket: median {median(taken) * 1e3:.1f} ms, ", end="")
        print(f"95th percentile {quantiles(taken, n=20)[-1] * 1e3:.1f} ms")
        with ThreadPoolExecutor(8) as pool:
            last = [max(pool.map(alone, [place] * 8, range(8))) for _ in range(ROUNDS)]
        print(f"eight at once: the last after {median(last) * 1e3:.0f} ms")
        whole = [command(place) for _ in range(ROUNDS)]
        print(f"the command: median {median(whole):.2f} s, longest {max(whole):.2f} s")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    with tempfile.TemporaryDirectory() as folder:
        while_optimised(Path(shutil.copytree(place, Path(folder) / "copy.index")))


if __name__ == "__main__":
    main()
