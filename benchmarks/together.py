"""Several processes on one index: python benchmarks/together.py [SECONDS] [PROCESSES ...].

Each process (two, four, eight) goes round: it indexes a few new photos, queries, asks for `info`
and checks, with the installed command. Every ten seconds all turn to another index, which does not
exist yet, so that they make it at once. Prints how commands ended, and of the photos whose run
ended with 0 how many are not in the index at the end; any is a loss.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from hiersearch import PhotoIndex

COMMAND = Path(sys.executable).with_name("hiersearch")
ROUND = 10.0
PHOTOS = 3


def made_photos(folder: Path, seed: int) -> list[Path]:
    """Distinct small photos in a new folder."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    made = []
    for number in range(PHOTOS):
        path = folder / f"{seed}-{number}.jpg"
        Image.fromarray(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)
        made.append(path)
    return made


@dataclass
class Run:
    """Some processes for some seconds, and what became of their commands.

    Attributes:
        work: Where all happens.
        seconds: For how long.
        ended: How many commands ended with each exit code.
        stored: By index, the photos that were reported as stored.
        errors: What should not have happened.
    """

    work: Path
    seconds: float
    ended: Counter[str] = field(default_factory=Counter)
    stored: dict[Path, list[Path]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def work_on(self, number: int) -> None:
        """What one process after the other does."""
        chance = random.Random(number)
        turn = 0
        while (now := time.monotonic() - self.begun) < self.seconds:
            store = self.work / f"index-{int(now / ROUND)}"
            turn += 1
            kind = chance.choice(["index", "query", "info", "check"])
            self.command(kind if store in self.stored else "index", store, 1000 * number + turn)

    def command(self, kind: str, store: Path, seed: int) -> None:
        """Runs a command and notes how it ended."""
        photos: list[Path] = []
        words = [kind, *(["a cat"] if kind == "query" else []), "--store", str(store)]
        if kind == "index":
            photos = made_photos(self.work / f"photos-{seed}", seed)
            concepts = str(self.work / "words.txt")
            words += [str(photos[0].parent), "--concepts", concepts, "--model", "mini"]
        done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False)
        self.ended[f"{kind} {done.returncode}"] += 1
        if done.returncode == 0 and photos:
            self.stored.setdefault(store, []).extend(photos)
        elif done.returncode not in (0, 3):
            self.errors.append(f"{kind}: {done.stderr.strip()[-300:]}")

    def lost(self) -> int:
        """How many of the photos that were reported as stored are not there."""
        lost = 0
        for store, photos in self.stored.items():
            with PhotoIndex.open(store) as index:
                lost += len({str(path) for path in photos} - set(index.files()))
                if not index.check().is_whole:
                    self.errors.append(f"{store.name} is damaged")
        return lost


def run(count: int, seconds: float) -> bool:
    """One run of so many processes; whether nothing was lost, and nothing failed."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "words.txt").write_text("animal > cat\nanimal > dog\ndrink > coffee\n")
        now = Run(Path(name), seconds)
        with ThreadPoolExecutor(count) as pool:
            for done in [pool.submit(now.work_on, number) for number in range(count)]:
                done.result()
        lost = now.lost()
    total = sum(map(len, now.stored.values()))
    print(f"{count} processes, {len(now.stored)} indexes, {total} photos stored, {lost} lost")
    print("  " + ", ".join(f"{kind}: {times}" for kind, times in sorted(now.ended.items())))
    for error in now.errors:
        print(f"  {error}")
    return not lost and not now.errors


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    counts = list(map(int, sys.argv[2:])) or [2, 4, 8]
    results = [run(count, seconds) for count in counts]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
