"""A library of many photos: python benchmarks/many.py FOLDER [COUNT] [LARGE].

Makes COUNT photos (50,000) in FOLDER, if it is empty: small JPEGs of 320 to 640 pixels, LARGE (200)
of them of 40 megapixels, spread evenly. They are 100 different pictures, each file with a comment
of its own, so that every file is another photo to the index. Seed 0.

Indexes them with the installed command and its offline model, then once more. Prints photos per
second beside 1/(1/encoder + 1/decoder), which is what this machine's processors can do: CPU seconds
of encoding and of decoding alone, of 1,000 of the photos and as many large ones as fall to these,
in one thread. And memory (PSS, summed over the processes) in tenths of the run, of which files that
are mapped can be given back at any time; seconds and memory of the second run.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hostile import family
from PIL import Image

from hiersearch import HierarchicalEncoder
from hiersearch.photos import read_photo

PICTURES = 100


def picture(number: int, width: int, height: int) -> bytes:
    """A JPEG with smooth colours and fine noise, as photos have."""
    chance = np.random.default_rng(number)
    coarse = Image.fromarray(chance.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    tile = chance.normal(0, 8, (256, 256, 1)).astype(np.int16)
    tiles = np.tile(tile, (height // 256 + 1, width // 256 + 1, 1))[:height, :width]
    buffer = io.BytesIO()
    Image.fromarray((pixels + tiles).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The same picture as another file: a comment segment after the start of the image."""
    text = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def make(folder: Path, count: int, large: int) -> None:
    chance = np.random.default_rng(0)
    sizes = [(int(w), int(w) * 3 // 4) for w in chance.integers(320, 640, PICTURES)]
    small = [picture(number, *size) for number, size in enumerate(sizes)]
    great = [picture(1000 + number, 7304, 5478) for number in range(min(large, 5))]
    every = count // large if large else count + 1
    for number in range(count):
        part = folder / f"{number // 1000:03}"
        part.mkdir(exist_ok=True)
        is_large = number % every == every - 1
        pictures = great if is_large else small
        data = with_comment(pictures[number % len(pictures)], f"photo {number}")
        (part / f"{number:06}{'-large' if is_large else ''}.jpg").write_bytes(data)


@dataclass(frozen=True)
class Run:
    """A run of the command: its summary, seconds, and memory twice a second.

    Attributes:
        memory: MiB of the processes' own, and of files that they map.
    """

    summary: dict[str, Any]
    seconds: float
    memory: list[tuple[int, int]]


def memory_of(pid: int) -> tuple[int, int]:
    """MiB that a process and all below it have of their own, and of files that they map."""
    own = mapped = 0
    for one in family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        sizes = {
            name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines[1:])
        }
        own += sizes["Pss_Anon"]
        mapped += sizes["Pss"] - sizes["Pss_Anon"]
    return own // 1024, mapped // 1024


def index(folder: Path, home: Path) -> Run:
    environ = os.environ | {"HIERSEARCH_STORE": str(home / "index")}
    environ.pop("OMP_NUM_THREADS", None)
    begun, memory = time.perf_counter(), []
    with (home / "out").open("w+") as out, (home / "err").open("w") as err:
        process = subprocess.Popen(
            ["hiersearch", "index", "--json", str(folder)], stdout=out, stderr=err, env=environ
        )
        while process.poll() is None:
            memory.append(memory_of(process.pid))
            time.sleep(0.5)
        out.seek(0)
        return Run(json.loads(out.read()), time.perf_counter() - begun, memory)


def cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main(folder: Path, count: int, large: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        make(folder, count, large)
    files = sorted(folder.rglob("*.jpg"))
    some = files[:: max(1, len(files) // 1000)]
    some += [path for path in files if "-large" in path.name][: len(some) * large // count]
    encoder = HierarchicalEncoder("mini")
    images = [read_photo(path, min_side=encoder.photo_size).image for path in some]
    encoder.encode_photos(images[:64])
    encoding = cpu(lambda: encoder.encode_photos(images)) / len(some)
    decoding = cpu(lambda: [read_photo(p, min_side=encoder.photo_size) for p in some]) / len(some)
    cores = len(os.sched_getaffinity(0))
    possible = cores / (encoding + decoding)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        first, again = index(folder, home), index(folder, home)
    rate = len(files) / first.seconds
    tenth = max(1, len(first.memory) // 10)
    parts = [first.memory[at : at + tenth] for at in range(0, 10 * tenth, tenth)]
    owned = ", ".join(str(max(own for own, _ in part)) for part in parts if part)
    mapped = ", ".join(str(max(files for _, files in part)) for part in parts if part)
    print(f"photos, of them large   {len(files)}, {large}; added {first.summary['added']}")
    print(f"encoding, decoding      {1000 * encoding:.1f}, {1000 * decoding:.1f} ms of CPU a photo")
    print(f"possible on {cores} cores     {possible:.1f} photos/s")
    print(f"indexed                 {rate:.1f} photos/s, {rate / possible:.3f} of it")
    print(f"own memory, by tenths   {owned} MiB")
    print(f"mapped files            {mapped} MiB")
    print(f"again                   {again.seconds:.1f} s, {max(map(sum, again.memory))} MiB")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[2:]]
    main(Path(sys.argv[1]), *numbers, *(50_000, 200)[len(numbers) :])
