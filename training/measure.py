"""Train recipes and measure what comes out; the tables of RESULTS.md.

    python training/measure.py DATA OUTPUT RECIPE... [--seeds 0 1 2]
    python training/measure.py DATA OUTPUT --table

DATA is the folder of the benchmarks' data. Each recipe is trained for each seed, measured at once,
and noted in OUTPUT/results.jsonl; what is noted there is not trained again. HIERSEARCH_DATA says
where the recipes' data lies. The trained models themselves are dropped unless --keep is given.

The model before training is measured from several roots; mean is that of the texts of HierarCaps.

* tau, P, R: HierarCaps, protocol `official`;
* photo: text-to-photo R@10, captions of tier 4; coco: the same, COCO captions;
* sibling: R@10 of a COCO caption among the other captions, its siblings being right;
* hyperlex: Spearman, the word alone; prompt: "a picture of a {}";
* drift: (1 - mean cosine to before training) / 2 over the texts of HierarCaps.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hiersearch.alignment import TrainingSettings, read_recipe, train
from hiersearch.cli.terminal import progress_on_stderr
from hiersearch.config import cache_dir
from hiersearch.data.hierarcaps_files import find_test_file, read_items
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.evaluation.benchmarks import hierarcaps, hyperlex, retrieval
from hiersearch.evaluation.embedder import Embedder
from hiersearch.evaluation.metrics import best_ranks, recall_at

COLUMNS = ("tau", "P", "R", "photo", "coco", "sibling", "hyperlex", "prompt", "drift")


def measured(embedder: Embedder, base: Embedder, data: Path) -> dict[str, float]:
    """The measures at the top of this module."""
    official = hierarcaps.evaluate(embedder, data).scores["official"]
    captions = retrieval.evaluate(embedder, data).scores["coco"]
    words = hyperlex.evaluate(embedder, data).scores
    items = read_items(find_test_file(data))
    texts = [item.texts[-1] for item in items]
    photos = embedder.photos([item.photo for item in items if item.photo])
    every = sorted({text for item in items for text in item.texts})
    cosines = np.sum(embedder.texts(every) * base.texts(every), axis=1)
    plain, prompted = (
        found for found in words.values() if isinstance(found, dict) and "all" in found
    )
    return {
        "tau": official["tau"],
        "P": official["precision"],
        "R": official["recall"],
        "photo": recall_at(
            best_ranks(embedder.texts(texts) @ photos.T, np.eye(len(items), dtype=bool)), 10
        ),
        "coco": captions["text_to_image"]["recall_at_10"],
        "sibling": captions["siblings"]["recall_at_10"],
        "hyperlex": plain["all"],
        "prompt": prompted["all"],
        "drift": float(1.0 - cosines.mean()) / 2.0,
    }


def zero_shot(data: Path) -> dict[str, dict[str, float]]:
    """The offline model before training, measured from several roots."""
    base = Embedder(HierarchicalEncoder("mini-1"), cache=cache_dir(os.environ))
    read = read_items(find_test_file(data))
    texts = base.texts(sorted({text for item in read for text in item.texts}))
    roots = {
        "zero-shot": base.root,
        "zero-shot, root mean": texts.mean(axis=0),
        "zero-shot, root origin": np.zeros_like(base.root),
        'zero-shot, root "entity"': base.texts(["entity"])[0],
        'zero-shot, root "a photo"': base.texts(["a photo"])[0],
    }
    found = {}
    for name, root in roots.items():
        base.root = root
        found[name] = measured(base, base, data)
    return found


def run(recipe: Path, seed: int, data: Path, output: Path, keep: bool) -> dict[str, Any]:
    settings = TrainingSettings(**{**read_recipe(recipe), "seed": seed})
    folder = output / f"{recipe.stem}-{seed}"
    with progress_on_stderr() as progress:
        done = train(settings, folder, on_progress=progress)
    embedder = Embedder(HierarchicalEncoder(folder), cache=None)
    embedder.root = done.root  # also where no index could use it
    base = Embedder(HierarchicalEncoder(settings.model), cache=cache_dir(os.environ))
    scores = measured(embedder, base, data)
    if not keep:
        shutil.rmtree(folder)
    return {
        "recipe": recipe.stem,
        "seed": seed,
        "seconds": round(done.seconds),
        "learning_rate": done.learning_rate,
        "steps": done.steps,
        "threads": torch.get_num_threads(),
        **scores,
    }


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: means over seeds, with the range from lowest to highest where there are several."""
    lines = [
        "| recipe | seeds | s | " + " | ".join(COLUMNS) + " |",
        "| --- | --- | --- |" + " --- |" * len(COLUMNS),
    ]
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        own = [row for row in rows if row["recipe"] == recipe]
        cells = [recipe, str(len(own)), f"{np.mean([row['seconds'] for row in own]):.0f}"]
        for column in COLUMNS:
            values = [row[column] for row in own]
            spread = f" ({min(values):.3f} to {max(values):.3f})" if len(own) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("recipes", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    noted = options.output / "results.jsonl"
    rows = [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    done = {(row["recipe"], row["seed"]) for row in rows}
    if not options.table and ("zero-shot", 0) not in done:
        for name, scores in zero_shot(options.data).items():
            note(noted, {"recipe": name, "seed": 0, "seconds": 0, **scores})
    for seed in options.seeds:
        for recipe in options.recipes:
            if (recipe.stem, seed) not in done:
                print(recipe.stem, seed, file=sys.stderr, flush=True)
                note(noted, run(recipe, seed, options.data, options.output, options.keep))
    rows = [json.loads(line) for line in noted.read_text().splitlines()]
    print(*table(rows), sep="\n")


def note(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
