"""HierarCaps' files, made from the photographs of the demo."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

TEXTS = {
    "astronaut": "person => astronaut => smiling astronaut => a smiling astronaut in orange",
    "cat": "animal => cat => cat looking up => a cat with green eyes looking up",
    "coffee": "drink => cup of coffee => cup of black coffee => a cup of coffee and a spoon",
    "rocket": "vehicle => rocket => rocket at night => a rocket that stands at its pad at night",
}

PAIRS = [
    ("animal => cat => black cat", "plant => dog => white cat"),
    ("vehicle => car => red car", "tree => bicycle => blue car"),
    ("food => bread", "stone => soup"),
]


def write_csv(path: Path, columns: list[str], rows: list[tuple[str, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def make_hierarcaps(data: Path, photos: Path, *, pairs: bool = True) -> Path:
    """A folder of all benchmarks' data in which HierarCaps' lies."""
    folder = data / "hierarcaps"
    (folder / "images").mkdir(parents=True)
    rows = []
    for name, texts in TEXTS.items():
        found = next(path for path in sorted(photos.rglob("*")) if path.stem == name)
        shutil.copyfile(found, folder / "images" / f"COCO_{name}{found.suffix}")
        rows.append((texts, f"http://images.example.org/COCO_{name}{found.suffix}"))
    write_csv(folder / "hierarcaps_test.csv", ["captions", "image_url"], rows)
    if pairs:
        write_csv(folder / "hierarcaps_pairs.csv.gz", ["positive", "negative"], PAIRS)
    return data
