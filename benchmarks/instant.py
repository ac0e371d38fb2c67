"""What short commands cost: python benchmarks/instant.py FOLDER [--make PHOTOS].

FOLDER holds `photos`, `index` and `cache`. With --make they are made first where they are missing:
--count small JPEGs, cut at random out of the photos below PHOTOS, and an index of them by the
offline model; that takes minutes. Then each command is run --runs times in a process of its own.
Prints the medians of its CPU time (user and system), of the time it took and of its greatest
resident memory, of which files that are mapped are a part; and the imports that take it longest,
over 20 ms each with all that they import themselves.

Run it on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMMAND = [sys.executable, "-c", "from hiersearch.cli import main; main()"]
SOURCES = 200
SIDE = 48
SLOW = 20_000
"""Microseconds of an import that is told."""
MOST = 16
"""Imports of a command that are told."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command took.

    Attributes:
        cpu: Seconds, user and system.
        wall: Seconds.
        memory: MB, at most.
    """

    cpu: float
    wall: float
    memory: float


def make(folder: Path, source: Path, count: int, environ: Mapping[str, str]) -> None:
    """Small photos that all differ, and their index."""
    photos = folder / "photos"
    if not photos.is_dir():
        cut(photos, source, count)
    subprocess.run(
        [*COMMAND, "index", photos, "--store", folder / "index", "--model", "mini"],
        env=environ,
        check=True,
    )


def cut(photos: Path, source: Path, count: int) -> None:
    # Here, for the memory of a child counts from that of this process on.
    from PIL import Image

    from hiersearch.photos import PHOTO_SUFFIXES

    generator = random.Random(0)
    files = sorted(file for file in source.rglob("*") if file.suffix[1:].lower() in PHOTO_SUFFIXES)
    files = generator.sample(files, min(SOURCES, len(files)))
    images = [Image.open(file).convert("RGB") for file in files]
    for number in range(count):
        image = generator.choice(images)
        side = generator.randint(min(image.size) // 3, min(image.size))
        left, top = (generator.randint(0, size - side) for size in image.size)
        patch = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
        file = photos / f"{number // 500:03}" / f"{number:06}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        patch.save(file, quality=70)


def commands(folder: Path) -> Iterator[tuple[str, Sequence[str], bool]]:
    """What each is called, its words, and whether it is to know nothing of runs before it."""
    store = ("--store", str(folder / "index"))
    photo = min((folder / "photos").rglob("*.jpg"))
    yield "--help", ("--help",), False
    yield "info", ("info", *store), False
    yield "concepts", ("concepts", *store), False
    yield "index, unchanged", ("index", str(folder / "photos"), *store), False
    yield "query TEXT, new", ("query", "a cat", *store), True
    yield "query TEXT, asked before", ("query", "a cat", *store), False
    yield "query TEXT, no concept, asked before", ("query", "something quiet", *store), False
    yield "query --image, indexed", ("query", "--image", str(photo), *store), False


def measured(words: Sequence[str], environ: Mapping[str, str]) -> Cost:
    begun = time.perf_counter()
    child = subprocess.Popen(
        [*COMMAND, *words], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)} failed: {said.decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def imports(words: Sequence[str], environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """The modules whose import takes longest, with microseconds; all below them included."""
    done = subprocess.run(
        [COMMAND[0], "-X", "importtime", *COMMAND[1:], *words],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for line in done.stderr.splitlines():
        head, _, rest = line.partition("|")
        taken, _, name = rest.partition("|")
        if head.startswith("import time:") and taken.strip().isdigit():
            found.append((name.strip(), int(taken)))
    slow = dict(one for one in found if one[1] >= SLOW)
    return sorted(slow.items(), key=lambda one: -one[1])[:MOST]


def forget_asked(cache: Path) -> None:
    for file in (cache / "asked").glob("*"):
        file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make", type=Path, metavar="PHOTOS")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder = options.folder.absolute()

    cache = folder / "cache"
    environ = {**os.environ, "HIERSEARCH_CACHE": str(cache)}
    if options.make is not None:
        make(folder, options.make, options.count, environ)
    print("| command | CPU s | s | MB |\n| --- | ---: | ---: | ---: |")
    slow = {}
    for title, words, afresh in commands(folder):
        measured(words, environ)  # reads what is to be read from disk
        costs = []
        for _ in range(options.runs):
            if afresh:
                forget_asked(cache)
            costs.append(measured(words, environ))
        if afresh:
            forget_asked(cache)
        slow[title] = imports(words, environ)
        cpu, wall, memory = (
            median(getattr(cost, field) for cost in costs) for field in ("cpu", "wall", "memory")
        )
        print(f"| {title} | {cpu:.2f} | {wall:.2f} | {memory:.0f} |", flush=True)
    for title, found in slow.items():
        listed = ", ".join(f"{name} {taken / 1000:.0f}" for name, taken in found)
        print(f"\n{title}: {listed or 'none over 20 ms'}")


if __name__ == "__main__":
    main()
