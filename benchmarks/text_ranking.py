"""Are photos for a text better ranked by exterior angle or by cosine?

    python benchmarks/text_ranking.py DATA [--model mini] [--cache FOLDER]

DATA is the folder with hierarcaps_dev.csv and images/. Every distinct text of a tier is a query;
the photos of all items that have the text in that tier are right. Exact, in NumPy. Per tier and
ranking:

* R@k: the share of texts with a right photo among the first k;
* mAP: the mean over the texts of average precision.

The difference (angle - cosine) is paired, per text; its standard error and its 95 % interval are of
10,000 bootstrap samples of the texts (seed 0).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vectors import Real

from hiersearch.geometry import exterior_angle_cosine

Floats = NDArray[np.float64]

MEASURES = ("R@1", "R@5", "R@10", "mAP")
SAMPLES = 10_000


def scores_of(order: NDArray[np.int64], right: set[int]) -> list[float]:
    """R@1, R@5, R@10 and average precision of one ranking."""
    ranks = np.flatnonzero(np.isin(order, list(right)))
    precision = np.arange(1, len(ranks) + 1) / (ranks + 1)
    return [*(float(ranks[0] < k) for k in (1, 5, 10)), float(precision.mean())]


def paired(difference: Floats) -> tuple[Floats, Floats, Floats]:
    """Standard error and 95 % interval of the mean of (texts, measures), by bootstrap."""
    random = np.random.default_rng(0)
    means = np.stack(
        [
            difference[random.integers(0, len(difference), size=len(difference))].mean(axis=0)
            for _ in range(SAMPLES)
        ]
    )
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return means.std(axis=0), low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    cache = options.cache or Path(tempfile.mkdtemp())
    real = Real.load(options.data, cache, options.model, texts=0)
    photos, root = real.photos.astype(np.float64), real.root.astype(np.float64)

    print("command   python", *sys.argv)
    print(f"photos    {len(photos)}, {options.model}\n")
    print("| tier | texts | ranking | " + " | ".join(MEASURES) + " |")
    print("| --- " * (3 + len(MEASURES)) + "|")
    everything = []
    for tier in range(4):
        items: defaultdict[str, set[int]] = defaultdict(set)
        for item, texts in enumerate(real.hierarchies):
            items[texts[tier]].add(item)
        angle, cosine = [], []
        for right in items.values():
            text = real.tiers[min(right), tier].astype(np.float64)
            angles = exterior_angle_cosine(text, photos, root)
            angle.append(scores_of(np.argsort(-angles, kind="stable"), right))
            cosine.append(scores_of(np.argsort(-(photos @ text), kind="stable"), right))
        everything.append((np.array(angle), np.array(cosine)))
        report(str(tier + 1), *everything[-1])
    report("all", *(np.concatenate(part) for part in zip(*everything, strict=True)))


def report(tier: str, angle: Floats, cosine: Floats) -> None:
    for name, values in (("cosine", cosine), ("angle", angle)):
        means = " | ".join(f"{100 * value:.1f}" for value in values.mean(axis=0))
        print(f"| {tier} | {len(values)} | {name} | {means} |")
    error, low, high = paired(angle - cosine)
    cells = " | ".join(
        f"{100 * d:+.1f} ± {100 * e:.1f} ({100 * a:+.1f}..{100 * b:+.1f})"
        for d, e, a, b in zip((angle - cosine).mean(axis=0), error, low, high, strict=True)
    )
    print(f"| {tier} | {len(angle)} | angle - cosine | {cells} |")


if __name__ == "__main__":
    main()
