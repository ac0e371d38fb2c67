"""Indexing and a first query, beside what one would run instead, on the same photos.

    python benchmarks/alternatives.py PHOTOS WORK [--photos 300] [--rounds 3] [--rclip FOLDER]

Every way runs in processes of its own: one indexes (loading its model counts), one asks a text.

    loop     sentence-transformers in a plain loop, stored by qdrant-client in local mode
    arrays   the same loop, stored as a NumPy array and asked by a product
    rclip    rclip's own pipeline, from the folder that holds its package (`pip install --target`)
    index    `hiersearch index` and `hiersearch query`

each with a CLIP of ViT-B/32's shape, whose weights are random (they don't matter for speed) and are
made in WORK, exported by `hiersearch export` for rclip and for `index`; rclip reads photos at 256
pixels, the others at 224, so it gets a graph of that size. The loop and `index` run with `mini`,
too.
Printed: medians over the rounds, in which the ways take turns, and ratios to the loop.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

QUERY = "someone riding a motorcycle"
TEXT_LENGTH = 77


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--photos", dest="count", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rclip", type=Path)
    parser.add_argument("--way", help="what a process of its own does")
    options = parser.parse_args()
    if options.way:
        WAYS[options.way](options.photos, options.work)
        return
    work = options.work.absolute()
    photos = chosen(options.photos, work / f"photos-{options.count}", options.count)
    # In a process of its own: what a process has used at most, its children pass on as theirs.
    words = [sys.executable, __file__, str(photos), str(work), "--way", "prepare"]
    subprocess.run(words, check=True)
    ways = {
        "loop mini": ("loop", work / "mini"),
        "index mini": ("index", "mini"),
        "loop clip": ("loop", work / "clip-224"),
        "arrays clip": ("arrays", work / "clip-224"),
        "index clip": ("index", work / "clip-224"),
        "index clip exported": ("index", work / "clip-224-graphs"),
    }
    if options.rclip:
        ways["rclip clip exported"] = ("rclip", work / "clip-256-graphs")
    one = chosen(options.photos, work / "photos-1", 1)
    for name in ("index mini", "index clip"):  # each model reads the vocabulary once
        values = measured(*map(str, ways[name]), one, work, None)
        print(f"first index of one photo, {name}: {values['index s']:.1f} s")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (way, model) in ways.items():
            found[name].append(measured(way, str(model), photos, work, options.rclip))
    report(found, options.count)


def chosen(folder: Path, target: Path, count: int) -> Path:
    """A folder of some of the photos, spread over all of them."""
    if not target.is_dir():
        target.mkdir(parents=True)
        files = sorted(path for path in folder.rglob("*.jpg"))
        for number in range(count):
            file = files[number * len(files) // count]
            shutil.copyfile(file, target / f"{number:05}.jpg")
    return target


def prepare(_: Path, work: Path) -> None:
    """The models, as folders."""
    from hiersearch.encoder.mini.second_generation import packed_folder, write_folder

    if not (work / "mini").is_dir():
        write_folder(packed_folder(), work / "mini")
    for pixels in (224, 256):
        clip = made_clip(work, pixels)
        graphs = clip.with_name(f"{clip.name}-graphs")
        if not graphs.is_dir():
            run_command("export", str(clip), "--output", str(graphs))


def made_clip(work: Path, pixels: int) -> Path:
    """A CLIP of ViT-B/32's shape with random weights, and MiniLM's tokenizer."""
    folder = work / f"clip-{pixels}"
    if folder.is_dir():
        return folder
    import torch
    from tokenizers import Tokenizer
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        PreTrainedTokenizerFast,
    )

    source = work / "mini" / "text_0_Transformer" / "tokenizer.json"
    backend = Tokenizer.from_file(str(source))
    backend.no_truncation()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_max_length=TEXT_LENGTH,
    )
    config = CLIPConfig(
        text_config={"vocab_size": 49408, "eos_token_id": tokenizer.sep_token_id},
        vision_config={"image_size": pixels},
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": pixels}, crop_size={"height": pixels, "width": pixels}
    )
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


def measured(
    way: str, model: str, photos: Path, work: Path, rclip: Path | None
) -> dict[str, float]:
    store = work / "store"
    shutil.rmtree(store, ignore_errors=True)
    shutil.rmtree(work / "cache" / "asked", ignore_errors=True)  # each asks for the first time
    environ = {
        **os.environ,
        "MODEL": model,
        "STORE": str(store),
        "HIERSEARCH_CACHE": str(work / "cache"),
    }
    if rclip is not None:
        environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [environ.get("PYTHONPATH"), str(rclip)])
        )
    times = {}
    steps = {"index": f"{way}-index", "query": f"{way}-query"}
    if way == "index":
        steps["again"] = f"{way}-index"
    for step, name in steps.items():
        if name not in WAYS:
            continue  # rclip's texts need its own tokenizer, which is downloaded
        words = [sys.executable, __file__, str(photos), str(work), "--way", name]
        begun = time.perf_counter()
        child = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        if status:
            raise SystemExit(f"{name} failed")
        times |= {
            f"{step} s": time.perf_counter() - begun,
            f"{step} cpu s": used.ru_utime + used.ru_stime,
            f"{step} MB": used.ru_maxrss / 1024,
        }
    # Blocks, not lengths: stores make files longer than what is in them.
    blocks = sum(path.stat().st_blocks for path in store.rglob("*") if path.is_file())
    return {**times, "store MB": blocks * 512 / 1e6}


def report(found: dict[str, list[dict[str, float]]], photos: int) -> None:
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    for name, values in medians.items():
        loop = "loop mini" if name.endswith("mini") else "loop clip"
        ratios = [
            base["index s"] / one["index s"]
            for base, one in zip(found[loop], found[name], strict=True)
        ]
        line = {key: round(value, 2) for key, value in values.items()}
        speed = photos / values["index s"]
        print(f"{name:22} {speed:6.1f} photos/s, {statistics.median(ratios):.2f} times {loop}")
        print(f"{'':22} {json.dumps(line)}")


def files(photos: Path) -> list[Path]:
    return sorted(photos.glob("*.jpg"))


def encoded(photos: Path):
    """Vectors of photos as the documentation of sentence-transformers shows it."""
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(os.environ["MODEL"], device="cpu", local_files_only=True)
    paths = files(photos)
    for start in range(0, len(paths), 32):
        part = paths[start : start + 32]
        images = [Image.open(path).convert("RGB") for path in part]
        yield part, model.encode(images, batch_size=32, normalize_embeddings=True)


def asked():
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(os.environ["MODEL"], device="cpu", local_files_only=True)
    return model.encode([{"text": QUERY}], normalize_embeddings=True)[0]


def loop_index(photos: Path, _: Path) -> None:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=os.environ["STORE"])
    number = 0
    for part, vectors in encoded(photos):
        if not number:
            size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
            client.create_collection("photos", vectors_config=size)
        points = [
            models.PointStruct(id=number + at, vector=vector.tolist(), payload={"path": str(path)})
            for at, (path, vector) in enumerate(zip(part, vectors, strict=True))
        ]
        client.upsert("photos", points)
        number += len(part)
    client.close()


def loop_query(*_: Path) -> None:
    from qdrant_client import QdrantClient

    client = QdrantClient(path=os.environ["STORE"])
    print(client.query_points("photos", query=asked().tolist(), limit=10).points)
    client.close()


def arrays_index(photos: Path, _: Path) -> None:
    import numpy as np

    rows = [vectors for _, vectors in encoded(photos)]
    store = Path(os.environ["STORE"])
    store.mkdir()
    np.save(store / "vectors.npy", np.concatenate(rows))
    (store / "paths.json").write_text(json.dumps([str(path) for path in files(photos)]))


def arrays_query(*_: Path) -> None:
    import numpy as np

    store = Path(os.environ["STORE"])
    scores = np.load(store / "vectors.npy") @ asked()
    paths = json.loads((store / "paths.json").read_text())
    print([paths[at] for at in np.argsort(-scores)[:10]])


def rclip_model():
    import onnxruntime
    from rclip.model import Model

    class Ours(Model):
        """rclip's model with our graph: its own weights are not on this machine."""

        @property
        def _session_visual(self):
            if self._session_visual_var is None:
                options = onnxruntime.SessionOptions()  # rclip's: all cores, in every operation
                graph = Path(os.environ["MODEL"], "photo.onnx")
                self._session_visual_var = Renamed(onnxruntime.InferenceSession(graph, options))
            return self._session_visual_var

    class Renamed:
        def __init__(self, session) -> None:
            self._session = session

        def get_inputs(self):
            return self._session.get_inputs()

        def run(self, names, inputs):
            return self._session.run(names, {"pixel_values": inputs["input"]})

    return Ours()


def rclip_index(photos: Path, _: Path) -> None:
    from rclip import db
    from rclip.main import RClip

    store = Path(os.environ["STORE"])
    store.mkdir()
    database = db.DB(store / "db.sqlite3")
    # 8 is the default of rclip's --indexing-batch-size.
    RClip(rclip_model(), database, 8, None).ensure_index(str(photos))
    database.commit()


def run_command(*words: str) -> None:
    """The installed command, in this process."""
    from hiersearch.cli import main as run

    sys.argv = ["hiersearch", *words]
    try:
        run()
    except SystemExit as end:
        if end.code:
            raise


def index_index(photos: Path, _: Path) -> None:
    store = os.environ["STORE"]
    run_command("index", str(photos), "--store", store, "--model", os.environ["MODEL"])


def index_query(*_: Path) -> None:
    run_command("query", QUERY, "--store", os.environ["STORE"])


WAYS = {
    "prepare": prepare,
    "loop-index": loop_index,
    "loop-query": loop_query,
    "arrays-index": arrays_index,
    "arrays-query": arrays_query,
    "rclip-index": rclip_index,
    "index-index": index_index,
    "index-query": index_query,
}


if __name__ == "__main__":
    main()
