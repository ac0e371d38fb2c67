"""Answers at a stated risk: python benchmarks/risk.py HIERARCAPS CAPTIONED PHOTOS.

The arguments are those of benchmarks/everyday.py, and so are the photos: HierarCaps' development
items and the split "dev" of Flickr8k, with five captions each. An answer is the main branch of a
photo's tree down to a least membership. It is wrong if no caption names its deepest concept, nor
anything below that; no answer is not wrong.

Prints, for either set and for each risk:

* over 1,000 random splits, with the least membership that half of the photos allow at 95 %
  confidence: in how many the other half has at most that share of wrong answers, and two standard
  errors of it; how many are wrong on average, how many are answered, and how deep;
* the same of all photos with the least membership that comes with the model, and of main branches
  as they are by default.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from everyday import embed, flickr, hierarcaps, read_options

from hiersearch.concepts import PEOPLE, Mentions, builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.trees import THRESHOLDS, Labeller, Trials, calibrate

RISKS = (0.05, 0.1, 0.15, 0.2, 0.3)
SPLITS = 1000


def tried(
    answers: Sequence[Sequence[tuple[int, ...]]], true: Sequence[frozenset[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """(photos, thresholds): which answers are wrong, and how deep they are."""
    wrong = [
        [bool(line) and line[-1] not in named for line in lines]
        for lines, named in zip(answers, true, strict=True)
    ]
    return np.array(wrong), np.array([[len(line) for line in lines] for lines in answers])


def threshold(wrong: np.ndarray, risk: float) -> float | None:
    counts = tuple(map(int, wrong.sum(axis=0)))
    return Trials(len(wrong), counts, "").threshold(risk)


def cells(wrong: np.ndarray, deep: np.ndarray, floor: float | None) -> tuple[float, float, float]:
    """The share that is wrong, the share answered, and how deep the answers are."""
    if floor is None:
        return 0.0, 0.0, float("nan")
    at = THRESHOLDS.index(floor)
    answered = deep[:, at] > 0
    depth = deep[answered, at].mean() if answered.any() else float("nan")
    return float(wrong[:, at].mean()), float(answered.mean()), float(depth)


def main() -> None:
    options = read_options(__doc__.splitlines()[0])
    encoder = HierarchicalEncoder(options.model)
    vocabulary = builtin_vocabulary()
    mentions = Mentions(vocabulary, also=dict.fromkeys(PEOPLE, "person"))
    concepts = encoder.encode_texts(vocabulary.names)
    statistics = encoder.statistics
    print(f"{encoder.name} ({encoder.id}), {len(vocabulary)} concepts ({vocabulary.id})\n")
    for photos in (hierarcaps(options.hierarcaps), flickr(options.captioned, options.photos)):
        rows = embed(encoder, photos.files)
        measures = calibrate(concepts, rows, temperature=encoder.temperature)
        labeller = Labeller(vocabulary, concepts, measures, statistics=statistics)
        answers = labeller.main_branches(rows, THRESHOLDS)
        if answers is None or statistics is None or statistics.trials is None:
            raise SystemExit("this model comes without statistics of photos")
        true = [frozenset().union(*map(mentions, texts)) for texts in photos.captions]
        wrong, deep = tried(answers, true)
        usual = [
            (tuple(map(vocabulary.position, tree.chain.concepts)),)
            for tree in labeller.trees(rows) or ()
        ]
        print(f"| {photos.name}, {len(rows)} photos: risk | kept in | wrong | answered | levels |")
        print("| --- | --- | --- | --- | --- |")
        generator = np.random.default_rng(0)
        for risk in RISKS:
            found = []
            for _ in range(SPLITS):
                order = generator.permutation(len(rows))
                one, other = order[: len(rows) // 2], order[len(rows) // 2 :]
                shares = cells(wrong[other], deep[other], threshold(wrong[one], risk))
                error = np.sqrt(max(shares[0] * (1 - shares[0]), 1e-12) / len(other))
                found.append((shares[0] <= risk + 2 * error, *shares))
            values = np.nanmean(np.array(found, dtype=float), axis=0)
            print(f"| {risk}, splits | " + " | ".join(f"{value:.3f}" for value in values) + " |")
        for risk in RISKS:
            floor = statistics.trials.threshold(risk)
            shares = cells(wrong, deep, floor)
            shown = "-" if floor is None else f"from {floor:.2f}"
            values = " | ".join(f"{value:.3f}" for value in shares)
            print(f"| {risk}, {shown} with the model | {shares[0] <= risk} | {values} |")
        usually_wrong, usual_depth = tried(usual, true)
        values = (usually_wrong.mean(), (usual_depth > 0).mean(), usual_depth.mean())
        print("| by default | | " + " | ".join(f"{value:.3f}" for value in values) + " |")
        print()


if __name__ == "__main__":
    main()
