"""Chains of concepts for labelled photos: python benchmarks/levels.py PHOTOS [--model mini].

PHOTOS is a folder with truth.csv (file,true_concepts; names separated by semicolons) and the photos
that it names; the first part of a file's path is its set. Four levels are asked of the built-in
vocabulary. Per photo, with names compared without case:

* level 1: the first concept shown is true;
* precision: the share of the shown concepts that are true, 0 where none is shown;
* recall: the share of the true names that the vocabulary has as names of concepts, shown;
* length: concepts shown; all right: some are shown, and all of them are true.

The file names one thing a photo: where the chain begins with *person*, the best chain beside it is
scored, so that seeing the people in a photo is neither punished nor rewarded. How often is printed.

Means over photos, then over sets. Beside them: the best constant answer (of all chains of the
vocabulary the one with the most precision and recall), and the paper's radial path over the same
words.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from sys import stderr
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from hiersearch.concepts import Vocabulary, builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.geometry import root_distance
from hiersearch.trees import FLOOR, MAIN_FROM, Labeller, calibrate, trim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVELS = 4
PEOPLE = "person"


class Score(NamedTuple):
    level_1: float
    precision: float
    recall: float
    length: float
    all_right: float


def read_truth(file: Path) -> dict[str, dict[str, frozenset[str]]]:
    """Per set, each file's true names in lower case."""
    truth: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            names = frozenset(name.strip().lower() for name in row["true_concepts"].split(";"))
            truth[row["file"].split("/")[0]][row["file"]] = names
    return truth


def score(shown: Sequence[str], true: frozenset[str], known: frozenset[str]) -> Score:
    right = [name.lower() in true for name in shown]
    findable = true & known
    found = findable & {name.lower() for name in shown}
    return Score(
        level_1=float(bool(right) and right[0]),
        precision=sum(right) / len(right) if right else 0.0,
        recall=len(found) / len(findable) if findable else 0.0,
        length=float(len(shown)),
        all_right=float(bool(right) and all(right)),
    )


def mean(scores: Iterable[Score]) -> Score:
    return Score(*np.mean(list(scores), axis=0))


def embed(encoder: HierarchicalEncoder, files: Sequence[Path]) -> np.ndarray:
    blocks = []
    for start in range(0, len(files), 64):
        photos = []
        for file in files[start : start + 64]:
            with Image.open(file) as image:
                photos.append(ImageOps.exif_transpose(image).convert("RGB"))
        blocks.append(encoder.encode_photos(photos))
    return np.concatenate(blocks)


def show(chain: Sequence[int], vocabulary: Vocabulary) -> list[str]:
    concepts = [vocabulary.concepts[at] for at in chain]
    familiarity = [concept.familiarity or 0.0 for concept in concepts]
    return [concepts[at].name for at in trim(len(chain), LEVELS, familiarity)]


def is_of_people(chain: Sequence[int], vocabulary: Vocabulary) -> bool:
    return bool(chain) and vocabulary.names[chain[0]] == PEOPLE


def main_branches(labeller: Labeller, rows: np.ndarray, set_: str) -> list[list[int]]:
    """Of photos with trees the main branches, else the chains; the best others beside people."""
    vocabulary, descent = labeller.vocabulary, labeller.descent
    labels = labeller.trees(rows)
    chains = labeller.chains(rows) if labels is None else [tree.chain for tree in labels]
    found = [[vocabulary.position(one) for one in chain.concepts] for chain in chains]
    people = [at for at, chain in enumerate(found) if is_of_people(chain, vocabulary)]
    if not people:
        return found
    stderr.write(f"{set_}: {len(people)} of {len(found)} chains begin with {PEOPLE}\n")
    masses = descent.masses(rows[people])
    members = labeller.memberships(rows[people])
    person = vocabulary.names.index(PEOPLE)
    others = [vocabulary.position(root) for root in vocabulary.roots]
    others.remove(person)
    for place, at in enumerate(people):
        # The shares of what people leave.
        weight = masses[place] / max(1 - masses[place][person], 1e-6)
        floor = FLOOR
        if members is not None:
            weight, floor = (members[place] + weight) / 2, MAIN_FROM
        first = max(others, key=lambda root: weight[root])
        found[at] = list(descent.walk(weight, weight >= floor, first=first))
    return found


def radial_path(vector: np.ndarray, embeddings: np.ndarray, distances: np.ndarray) -> list[int]:
    """The concepts met as the radius grows, each more similar than all before it."""
    path: list[int] = []
    best = -np.inf
    scores = embeddings @ vector
    for at in np.argsort(distances, kind="stable"):
        if scores[at] > best:
            best = scores[at]
            path.append(int(at))
    return path


def constant_answers(vocabulary: Vocabulary) -> Iterable[list[str]]:
    for at in range(len(vocabulary)):
        chain = [at]
        while vocabulary.parent_positions[chain[0]]:
            chain.insert(0, vocabulary.parent_positions[chain[0]][0])
        yield show(chain, vocabulary)


def line(label: str, scores: Score) -> str:
    return f"| {label} | " + " | ".join(f"{value:.2f}" for value in scores) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="mini")
    options = parser.parse_args()

    truth = read_truth(options.photos / "truth.csv")
    vocabulary = builtin_vocabulary()
    known = frozenset(name.lower() for name in vocabulary.names)
    encoder = HierarchicalEncoder(options.model)
    embeddings = encoder.encode_texts(vocabulary.names)
    distances = np.asarray(root_distance(embeddings, encoder.root))
    vectors = {
        name: embed(encoder, [options.photos / file for file in files])
        for name, files in truth.items()
    }
    every = np.concatenate(list(vectors.values()))
    measured = calibrate(embeddings, every)
    calibration = calibrate(embeddings, every, temperature=encoder.temperature)
    labeller = Labeller(vocabulary, embeddings, calibration, statistics=encoder.statistics)

    print(f"{len(every)} photos, {len(vocabulary)} concepts ({vocabulary.id}), {encoder.id}")
    print(f"temperature {calibration.temperature:.4f}, measured here {measured.temperature:.4f}\n")
    print("| answer | level 1 | precision | recall | length | all right |")
    print("| --- | --- | --- | --- | --- | --- |")
    paths: dict[str, list[Score]] = {"main branch": [], "radial path": []}
    for name, rows in vectors.items():
        chains = main_branches(labeller, rows, name)
        radial = [radial_path(row, embeddings, distances) for row in rows]
        for way, found in (("main branch", chains), ("radial path", radial)):
            shown = [show(chain, vocabulary) for chain in found]
            scores = [score(s, t, known) for s, t in zip(shown, truth[name].values(), strict=True)]
            print(line(f"{way}, {name}", mean(scores)))
            paths[way].append(mean(scores))
    for way, sets in paths.items():
        print(line(f"**{way}, mean**", mean(sets)))
    # Photos with the same truth score the same: each kind once, weighted.
    best_label, best = "", Score(0, 0, 0, 0, 0)
    kinds = {name: _kinds(files.values()) for name, files in truth.items()}
    for shown in constant_answers(vocabulary):
        if not any(shown[0].lower() in true for kind in kinds.values() for true, _ in kind):
            continue
        scores = mean(
            Score(*sum(np.array(score(shown, true, known)) * share for true, share in kind))
            for kind in kinds.values()
        )
        if scores.precision + scores.recall > best.precision + best.recall:
            best_label, best = " > ".join(shown), scores
    print(line(f"best constant answer ({best_label}), mean", best))


def _kinds(truths: Iterable[frozenset[str]]) -> list[tuple[frozenset[str], float]]:
    counts: defaultdict[frozenset[str], int] = defaultdict(int)
    for true in truths:
        counts[true] += 1
    whole = sum(counts.values())
    return [(true, count / whole) for true, count in counts.items()]


if __name__ == "__main__":
    main()
