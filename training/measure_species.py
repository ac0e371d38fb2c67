"""Train recipes on the paths of species and measure what comes out; a table of RESULTS.md.

    python training/measure_species.py BIRDS RARE OUTPUT RECIPE... [--seeds 0 1 2]

BIRDS is a folder of photos with taxonomy.csv, RARE a CSV of further species. Both make one file,
OUTPUT/taxonomy.csv, of whose species each seed keeps a fifth from training. Results are noted in
OUTPUT/species.jsonl. Ranks from order to species are scored: those above are the same for birds.

* tau: Kendall's, of the root distances of the kept species' ranks;
* P, R, F1: retrieval over all ranks of the birds (protocol `official`), of all photos; kept: of
  those of the kept species;
* accuracy: mean over the ranks of the photos nearest to the right name of the rank; kept likewise;
* path: the share of ranks that the nearest species has in common with the right one.
"""

from __future__ import annotations

import argparse
import csv
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
from hiersearch.data.taxonomies import (
    RANKS,
    Specimen,
    read_specimens,
    specimen_texts,
    split_specimens,
)
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.evaluation.benchmarks.species import (
    rank_accuracy,
    retrieval_over_ranks,
    tree_scores,
)
from hiersearch.evaluation.embedder import Embedder
from hiersearch.evaluation.metrics import kendall_tau
from hiersearch.geometry import root_distance

SCORED = slice(RANKS.index("order"), None)
COLUMNS = ("tau", "P", "R", "F1", "F1_kept", "accuracy", "accuracy_kept", "path", "path_kept")


def joined(birds: Path, rare: Path, output: Path) -> Path:
    """One file of both, with absolute paths of the photos."""
    path = output / "taxonomy.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file", *RANKS])
        writer.writeheader()
        for source in (birds / "taxonomy.csv", rare):
            for specimen in read_specimens(source).specimens:
                photo = "" if specimen.photo is None else str(specimen.photo.absolute())
                names = dict(zip(RANKS, specimen.names, strict=True))
                writer.writerow({"file": photo, **names})
    return path


def measured(
    embedder: Embedder, specimens: Sequence[Specimen], kept: Sequence[Specimen]
) -> dict[str, float]:
    """The measures at the top of this module."""
    held = {specimen.names for specimen in kept}
    paths = [specimen_texts(Specimen(names, RANKS)) for names in sorted(held)]
    taus = [
        kendall_tau(root_distance(embedder.texts(path[SCORED]), embedder.root)) for path in paths
    ]
    birds = [specimen for specimen in specimens if specimen.photo is not None]
    photos = embedder.photos([specimen.photo for specimen in birds if specimen.photo])
    of_all = classified(embedder, birds, photos, list(range(len(birds))))
    own = [at for at, specimen in enumerate(birds) if specimen.names in held]
    of_kept = classified(embedder, birds, photos, own)
    return {"tau": float(np.mean(taus)), **of_all} | {
        f"{name}_kept": value for name, value in of_kept.items()
    }


def classified(
    embedder: Embedder, birds: Sequence[Specimen], photos: Any, chosen: Sequence[int]
) -> dict[str, float]:
    """Retrieval and classification of some of the photos among the names of all birds."""
    kinds = sorted({specimen.names for specimen in birds})
    texts = [specimen_texts(Specimen(names, RANKS))[SCORED] for names in kinds]
    label = [kinds.index(birds[at].names) for at in chosen]
    every = list(dict.fromkeys(text for row in texts for text in row))
    vectors = embedder.texts(every)
    part = photos[list(chosen)]
    truth = [texts[at] for at in label]
    found = retrieval_over_ranks(part, vectors, embedder.root, every, truth)
    accuracies = []
    for rank in range(len(texts[0])):
        names = list(dict.fromkeys(row[rank] for row in texts))
        own = [names.index(row[rank]) for row in truth]
        accuracies.append(rank_accuracy(part, embedder.texts(names), own))
    leaves = embedder.texts([row[-1] for row in texts])
    predicted = np.argmax(part @ leaves.T, axis=1).tolist()
    tree = tree_scores(predicted, label, [names[SCORED] for names in kinds])
    return {
        "P": found["precision"],
        "R": found["recall"],
        "F1": found["f1"],
        "accuracy": float(np.mean(accuracies)),
        "path": tree["path_precision"],
    }


def run(recipe: Path, seed: int, output: Path) -> dict[str, Any]:
    settings = TrainingSettings(**{**read_recipe(recipe), "seed": seed})
    folder = output / f"{recipe.stem}-{seed}"
    environ = os.environ | {"HIERSEARCH_DATA": str(output)}
    with progress_on_stderr() as progress:
        done = train(settings, folder, on_progress=progress, environ=environ)
    embedder = Embedder(HierarchicalEncoder(folder), cache=None)
    specimens = read_specimens(output / "taxonomy.csv").specimens
    kept = split_specimens(specimens, share=settings.validation, seed=seed).validation
    scores = measured(embedder, specimens, kept)
    shutil.rmtree(folder)
    return {"recipe": recipe.stem, "seed": seed, "seconds": round(done.seconds), **scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("birds", type=Path)
    parser.add_argument("rare", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("recipes", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    specimens = read_specimens(joined(options.birds, options.rare, options.output)).specimens
    noted = options.output / "species.jsonl"
    rows = [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    base = Embedder(HierarchicalEncoder("mini-1"), cache=cache_dir(os.environ))
    for seed in options.seeds:
        for recipe in (None, *options.recipes):
            name = "zero-shot" if recipe is None else recipe.stem
            if any((row["recipe"], row["seed"]) == (name, seed) for row in rows):
                continue
            print(name, seed, file=sys.stderr, flush=True)
            if recipe is None:
                kept = split_specimens(specimens, share=0.2, seed=seed).validation
                row = {"recipe": name, "seed": seed, **measured(base, specimens, kept)}
            else:
                row = run(recipe, seed, options.output)
            rows.append(row)
            with noted.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    print("| recipe | seeds | " + " | ".join(COLUMNS) + " |")
    print("| --- | --- |" + " --- |" * len(COLUMNS))
    for name in dict.fromkeys(row["recipe"] for row in rows):
        own = [row for row in rows if row["recipe"] == name]
        means = [f"{np.mean([row[column] for row in own]):.3f}" for column in COLUMNS]
        print(f"| {name} | {len(own)} | " + " | ".join(means) + " |")


if __name__ == "__main__":
    main()
