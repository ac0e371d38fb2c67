"""Kills at random moments: python benchmarks/kills.py [COUNT] [SEED] [TASK ...].

COUNT (200) kills (SIGKILL) of the installed command while it indexes a folder, updates an index,
labels it again, copies it, makes the offline model in an empty cache, attaches a collection, and
trains. After each the same command runs once more, undisturbed, and its result is compared with
that of a run that was never killed: ids, payloads and vectors, or the model's files; the losses of
a training run to 1e-4. Prints, by task, kills (and how many found the command running), how many
ended differently, and what is left: processes, sockets, and files that an undisturbed run does not
have. Training is of the small random CLIP of benchmarks/evaluation.py; where the kill came after
its result was in place, the command may refuse to replace it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from attach import NAME, upload
from evaluation import random_clip
from PIL import Image

from hiersearch import PhotoIndex
from hiersearch.qdrant import EdgeClient

COMMAND = Path(sys.executable).with_name("hiersearch")
TASKS = ("index", "update", "relabel", "copy", "model", "attach", "train")
PHOTOS = 120
POINTS = 30_000
SIZES = range(2, 18)
REFUSED = 2
"""The exit code of `train` where the folder's training is done."""


def made_photos(folder: Path, numbers: range) -> None:
    """Distinct small photos."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        noise = np.random.default_rng(number)
        pixels = noise.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((96, 128)).save(folder / f"{number:04}.jpg")


def make_collection(folder: Path) -> None:
    """A collection in a store of the embedded engine, and a root for it."""
    rows = np.random.default_rng(0).normal(size=(POINTS, 32)).astype(np.float32)
    np.save(folder / "root.npy", rows[0] / np.linalg.norm(rows[0]))
    with EdgeClient(folder / "index") as client:
        upload(client, rows)


def make_training(folder: Path) -> None:
    """A model, and hierarchies to train it on."""
    (folder / "clip").mkdir()
    random_clip(folder / "clip")
    lines = [f"a thing => {a} things => {a} things, {b} red" for a in SIZES for b in SIZES]
    text = "\n".join(["positive", *(f'"{line}"' for line in lines)])
    (folder / "hierarchies.csv").write_text(text, encoding="utf-8")


def photos_of(place: Path) -> dict[str, Any]:
    """All that an index holds."""
    with PhotoIndex.open(place) as index:
        contents: dict[str, Any] = {
            str(record.id): (
                {k: v for k, v in record.payload.items() if k not in ("path", "mtime", "folder")},
                None if record.vector is None else record.vector.round(5).tolist(),
            )
            for record in index._store.photos.scroll(with_vectors=True)
        }
        contents["whole"] = index.check().is_whole
        contents["vocabulary"] = index.vocabulary.id
    return contents


def points_of(place: Path) -> dict[str, Any]:
    """All that the attached collection holds."""
    with EdgeClient(place) as client:
        points, _ = client.scroll(NAME, limit=2 * POINTS, with_vectors=True)
        return {str(one.id): (one.payload, one.vector) for one in points}


def losses_of(place: Path) -> dict[str, Any]:
    """The losses of a training run."""
    record = json.loads((place / "training.json").read_text(encoding="utf-8"))
    return {str(one["step"]): round(one["loss"], 4) for one in record["losses"]}


READ = {"attach": points_of, "train": losses_of}


class Bench:
    """Where all happens: a folder, and the environment of commands in it."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.environ = {**os.environ, "HIERSEARCH_HOME": str(work / "home")}
        self.environ["XDG_RUNTIME_DIR"] = str(work / "runtime")
        (work / "runtime").mkdir(mode=0o700)
        (work / "one.txt").write_text("animal > cat\nanimal > dog\ndrink > coffee\n")
        (work / "other.txt").write_text("thing > animal\nthing > drink\nplace > beach\n")

    def command(self, task: str, folder: Path) -> tuple[list[str], dict[str, str]]:
        """The command of a task in a prepared folder, and its environment."""
        store = ["--store", str(folder / "index")]
        one = str(self.work / "one.txt")
        words = {
            "index": ["index", f"{folder}/photos", *store, "--concepts", one, "--model", "mini"],
            "update": ["index", f"{folder}/photos", *store],
            "relabel": ["index", *store, "--concepts", str(self.work / "other.txt")],
            "copy": ["copy", f"{folder}/index", f"{folder}/copy"],
            "model": ["index", f"{folder}/photos", *store, "--concepts", one, "--model", "mini"],
            "attach": ["attach", *store, "--collection", NAME, "--root", f"{folder}/root.npy"],
            "train": [
                *("train", "--data", f"{folder}/hierarchies.csv", "--model", f"{folder}/clip"),
                *("--steps", "60", "--batch-size", "16", "--output", f"{folder}/index"),
            ],
        }[task]
        environ = dict(self.environ)
        if task == "model":
            environ["HIERSEARCH_CACHE"] = str(folder / "cache")
        return words, environ

    def prepare(self, task: str, folder: Path) -> None:
        """What is there before the command."""
        photos = folder / "photos"
        folder.mkdir()
        if task == "attach":
            make_collection(folder)
            return
        if task == "train":
            make_training(folder)
            return
        made_photos(photos, range(4 if task == "model" else PHOTOS))
        if task in ("update", "relabel", "copy"):
            self.run("index", folder)
        if task == "update":
            for number in range(20):
                (photos / f"{number:04}.jpg").unlink()
            made_photos(photos, range(PHOTOS, PHOTOS + 60))

    def run(self, task: str, folder: Path) -> None:
        """Runs the command undisturbed."""
        words, environ = self.command(task, folder)
        is_done = (folder / "index" / "training.json").exists()
        done = subprocess.run([COMMAND, *words], check=False, capture_output=True, env=environ)
        if not (is_done and done.returncode == REFUSED):
            done.check_returncode()

    def kill(self, task: str, folder: Path, after: float) -> bool:
        """Runs the command and kills it after some seconds; whether it was still running."""
        words, environ = self.command(task, folder)
        process = subprocess.Popen(
            [COMMAND, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
        time.sleep(after)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        return running

    def result(self, task: str, folder: Path) -> tuple[Any, set[str]]:
        """What a task has made, and the names of all files beside it, without numbers."""
        place = folder / ("copy" if task == "copy" else "index")
        contents = READ.get(task, photos_of)(place)
        files = {path.name for path in folder.iterdir()} | {path.name for path in place.iterdir()}
        if task == "model":
            cache = folder / "cache"
            contents["model"] = {
                str(path.relative_to(cache)): path.stat().st_size
                for path in cache.rglob("*")
                if path.is_file() and path.suffix != ".sqlite"
            }
        return contents, files


def children_left(work: Path) -> int:
    """Processes that still work in a folder."""
    found = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            found += str(work).encode() in environ and b"python" in line
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    tasks = tuple(sys.argv[3:]) or TASKS
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    kills: Counter[str] = Counter()
    amid: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    left: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        expected, files, seconds = {}, {}, {}
        folder = bench.work / "now"  # always the same: an index knows its photos by their paths
        for task in tasks:
            bench.prepare(task, folder)
            shutil.copytree(folder, bench.work / f"prepared-{task}")
            begun = time.monotonic()
            bench.run(task, folder)
            seconds[task] = time.monotonic() - begun
            expected[task], files[task] = bench.result(task, folder)
            shutil.rmtree(folder)
        for number in range(count):
            task = tasks[number % len(tasks)]
            shutil.copytree(bench.work / f"prepared-{task}", folder)
            kills[task] += 1
            amid[task] += bench.kill(task, folder, chance.uniform(0.1, seconds[task]))
            try:
                bench.run(task, folder)
                contents, names = bench.result(task, folder)
            except Exception as error:
                print(f"{task}: {error!r} {getattr(error, 'stderr', b'')!r}"[:500])
                differing[task] += 1
            else:
                differing[task] += contents != expected[task]
                left.update(names - files[task])
            shutil.rmtree(folder)
        time.sleep(1)
        processes = children_left(bench.work)
        sockets = len(list((bench.work / "runtime").rglob("*.sock*")))
    for task in tasks:
        print(f"{task:<8} {kills[task]:4} kills, {amid[task]:4} amid, {differing[task]} differ")
    print(f"left: {processes} processes, {sockets} sockets, files {dict(left)}")
    sys.exit(1 if sum(differing.values()) or processes or left else 0)


if __name__ == "__main__":
    main()
