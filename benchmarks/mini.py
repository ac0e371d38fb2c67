"""Score a model folder, opened by plain SentenceTransformer, on the HierarCaps images and texts.

    python benchmarks/mini.py [MODEL_FOLDER] [--data DATA]

Without a folder the offline model is built and scored. Text-to-photo R@10: for each photo's full
caption (tier 4), whether the photo is among the ten nearest. Precision, recall and tau follow the
`official` protocol of the released HierarCaps code.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer

from hiersearch.config import cache_dir
from hiersearch.encoder.mini.second_generation import mini_folder

LEVELS = 50


def read_items(data: Path) -> tuple[list[list[str]], list[Path]]:
    """The four tiers of each item, and its photo."""
    with (data / "hierarcaps_dev.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    hierarchies = [row["captions"].split(" => ") for row in rows]
    return hierarchies, [data / "images" / row["image_url"].rpartition("/")[2] for row in rows]


def official_scores(
    photos: np.ndarray, texts: np.ndarray, root: np.ndarray, hierarchies: list[list[str]]
) -> dict[str, float]:
    """Hierarchical precision and recall, and tau, of unit vectors (`official` protocol)."""
    names = [text for hierarchy in hierarchies for text in hierarchy]
    distances = np.linalg.norm(texts - root, axis=1)
    scores = photos @ texts.T
    thresholds = np.linspace(distances.min(), distances.max(), LEVELS)
    precisions, recalls = [], []
    for hierarchy, row in zip(hierarchies, scores, strict=True):
        found = {names[np.where(distances <= t, row, -np.inf).argmax()] for t in thresholds}
        right = len(found & set(hierarchy))
        precisions.append(right / len(found))
        recalls.append(right / len(set(hierarchy)))
    taus = [tau(tiers) for tiers in distances.reshape(-1, 4)]
    return {
        "precision": float(np.mean(precisions)),
        "recall": float(np.mean(recalls)),
        "tau": float(np.mean(taus)),
    }


def tau(values: np.ndarray) -> float:
    """Kendall's tau-b between the values and their positions."""
    later, earlier = np.triu_indices(len(values), k=1)[::-1]
    signs = np.sign(values[later] - values[earlier])
    untied = np.count_nonzero(signs)
    return float(signs.sum() / np.sqrt(untied * len(signs))) if untied else 0.0


def recall_at(photos: np.ndarray, texts: np.ndarray, k: int) -> float:
    """Share of the texts whose own photo is among the k nearest."""
    scores = texts @ photos.T
    return float(np.mean((scores > scores.diagonal()[:, None]).sum(axis=1) < k))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "hierarcaps"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = SentenceTransformer(str(arguments.folder or mini_folder(cache_dir(os.environ))))
    hierarchies, paths = read_items(arguments.data)
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    images = [Image.open(path).convert("RGB") for path in paths]
    start = time.perf_counter()
    photos = model.encode(images, batch_size=16, **options)
    seconds = time.perf_counter() - start
    texts = model.encode([text for tiers in hierarchies for text in tiers], **options)
    root = model.encode("", **options)
    print("command    python", *sys.argv)
    print(f"items      {len(paths)}")
    print(f"R@1        {100 * recall_at(photos, texts[3::4], 1):.1f} %")
    print(f"R@10       {100 * recall_at(photos, texts[3::4], 10):.1f} %")
    for name, value in official_scores(photos, texts, root, hierarchies).items():
        print(f"{name:10} {value:.3f}")
    print(f"ms/photo   {1000 * seconds / len(paths):.1f} (one thread)")


if __name__ == "__main__":
    main()
