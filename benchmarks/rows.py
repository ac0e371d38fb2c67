"""What photos are said to show: python benchmarks/rows.py HIERARCAPS CAPTIONED PHOTOS.

Measured against captions. The arguments are those of benchmarks/everyday.py, and so are the photos:
HierarCaps' development items and the split "dev" of Flickr8k, with five captions each. A photo
shows a concept, or what is above it, if a caption names it; for the rows, if two captions do.
Prints, for either set:

* rows: of the photos that show a noun, over 34 everyday nouns, over the 200 most specific concepts
  that captions of the split "train" name most often, and over all of these, the share that its row
  lists, and the share of the listed ones that show it: the ones that surely show it, and with those
  that perhaps do. Beside them, the nearest photos by likeness to the word alone, as many as there
  are right ones;
* trees: concepts that a photo surely shows, how many of them its captions name, photos of people
  (three captions say so) whose tree has *person*, and others whose tree has it;
* calibration: for pairs stated at .05 or more by tenths of what is stated; log loss and Brier score
  of all pairs of concepts that captions name often, beside those of the concepts' rates;
* counts: of concepts that 20 photos show or more, how far the number of photos that are expected to
  show it is from the true one, as a share of that, on average and in the middle, and without the
  names that captions mostly use for something else ("orange" for a colour); the same of the number
  that surely or perhaps show it.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from everyday import GENERAL, SAID, Photos, embed, flickr, hierarcaps, read_options, words

from hiersearch.concepts import PEOPLE, Mentions, builtin_vocabulary
from hiersearch.concepts.mentions import MISLEADING
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.trees import PERHAPS, SURE, Labeller, Tally, calibrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hiersearch.types import Floats

NOUNS = (
    *("cat", "train", "kitchen", "beach", "dog", "pizza", "giraffe", "horse", "bathroom"),
    *("toilet", "skateboard", "airplane", "bus", "clock", "zebra", "elephant", "motorcycle"),
    *("boat", "bench", "umbrella", "bicycle", "truck", "bear", "bird", "cow", "sheep", "laptop"),
    *("cake", "sandwich", "surfboard", "snow", "tennis", "baseball", "person"),
)
MORE = 200
EDGES = (0.05, *(tenth / 10 for tenth in range(1, 10)), 1.01)


@dataclass(frozen=True)
class Set:
    """Photos with what is true and what is stated of them.

    Attributes:
        name: Of the set.
        said: (photos, concepts), how many captions name each.
        people: (photos,), how many captions name people.
        stated: (photos, concepts), memberships.
        likeness: (photos, concepts), cosines to the concepts' names.
    """

    name: str
    said: np.ndarray
    people: np.ndarray
    stated: Floats
    likeness: Floats


def measured(photos: Photos, rows: Floats, labeller: Labeller, mentions: Mentions) -> Set:
    said = np.zeros((len(rows), len(labeller.vocabulary)), dtype=np.int8)
    for at, captions in enumerate(photos.captions):
        for concept, times in Counter(one for text in captions for one in mentions(text)).items():
            said[at, concept] = times
    people = [sum(bool(words(text).intersection(SAID)) for text in c) for c in photos.captions]
    stated = labeller.memberships(rows)
    if stated is None:
        raise SystemExit("this model comes without statistics of photos")
    return Set(photos.name, said, np.array(people), stated, rows @ labeller.embeddings.T)


def rows_of(one: Set, label: str, concepts: Sequence[int]) -> Iterator[tuple[str, float]]:
    shows = one.said[:, concepts] >= 2
    present = shows.any(axis=0)
    shows, chosen = shows[:, present], np.array(concepts)[present]
    label = f"{label}, {present.sum()} nouns, {shows.sum()} photos"
    for how, least in (("surely", SURE), ("surely or perhaps", PERHAPS)):
        listed = one.stated[:, chosen] >= least
        right = (listed & shows).sum()
        yield f"{label}, {how}: found", right / shows.sum()
        yield f"{label}, {how}: right", right / listed.sum()
    likeness = one.likeness[:, chosen]
    nearest = 0
    for column, count in enumerate(shows.sum(axis=0)):
        nearest += shows[np.argsort(-likeness[:, column])[:count], column].sum()
    yield f"{label}, by likeness alone", nearest / shows.sum()


def trees_of(one: Set, person: int) -> Iterator[tuple[str, float]]:
    sure, true = one.stated >= SURE, one.said > 0
    yield "concepts in a tree", sure.sum(axis=1).mean()
    yield "right of these", true[sure].mean()
    yield "trees without any", (~sure.any(axis=1)).mean()
    yield "people seen", sure[one.people >= 3, person].mean()
    yield "people seen where none are", sure[one.people == 0, person].mean()


def losses(one: Set, often: Sequence[int], rates: np.ndarray) -> Iterator[tuple[str, float]]:
    true = one.said[:, often] > 0
    for name, stated in (("memberships", one.stated[:, often]), ("rates", rates[None, :])):
        sure = np.clip(np.broadcast_to(stated, true.shape).astype(float), 1e-6, 1 - 1e-6)
        logs = -np.where(true, np.log(sure), np.log(1 - sure)).mean()
        yield f"log loss of {name}", logs
        yield f"Brier score of {name}", ((sure - true) ** 2).mean()


def counts(one: Set, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    true = (one.said > 0).sum(axis=0)
    many = np.flatnonzero(true >= 20)
    tally = Tally.of(one.stated)
    sure, likely = tally.table[:, 0].astype(int), tally.table[:, 2].astype(int)
    expected = [tally.expected(at, sure[at], likely[at], tally.photos) for at in many]
    for name, stated in (
        ("expected", np.array(expected)),
        ("surely or perhaps", (sure + likely)[many]),
    ):
        off = abs(stated - true[many]) / true[many]
        yield f"{name}: counts of {len(many)} concepts, off by", float(np.mean(off))
        yield f"{name}: the same, median", float(np.median(off))
        told = np.array([names[at] not in MISLEADING for at in many])
        yield f"{name}: of the {told.sum()} that captions tell", float(np.mean(off[told]))


def calibration(one: Set, concepts: Sequence[int] | None) -> list[str]:
    chosen = slice(None) if concepts is None else list(concepts)
    stated, true = one.stated[:, chosen], one.said[:, chosen] > 0
    cells = []
    for low, high in itertools.pairwise(EDGES):
        here = (stated >= low) & (stated < high)
        cells.append(f"{stated[here].mean():.2f}/{true[here].mean():.2f}" if here.any() else "")
    return cells


def often_named(captioned: Path, mentions: Mentions) -> tuple[Counter[int], int]:
    """In how many captions of the split "train" each concept is named, and how many there are."""
    found: Counter[int] = Counter()
    rows = 0
    with captioned.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                rows += 1
                found.update(mentions(row["caption"]))
    return found, rows


def main() -> None:
    options = read_options(__doc__.splitlines()[0])

    encoder = HierarchicalEncoder(options.model)
    vocabulary = builtin_vocabulary()
    mentions = Mentions(vocabulary, also=dict.fromkeys(PEOPLE, "person"))
    named, captions = often_named(options.captioned, mentions)
    leaves = [at for at, concept in enumerate(vocabulary) if not vocabulary.children(concept.id)]
    more = sorted(leaves, key=lambda at: -named[at])[:MORE]
    often = sorted(at for at, times in named.items() if times >= 100)
    rates = np.array([named[at] / captions for at in often])
    concepts = encoder.encode_texts(vocabulary.names)
    place = {name: at for at, name in enumerate(vocabulary.names)}
    nouns = [place[name] for name in NOUNS if name in place]
    print(f"{encoder.name} ({encoder.id}), {len(vocabulary)} concepts ({vocabulary.id})")
    print(f"no concepts: {', '.join(name for name in NOUNS if name not in place) or 'none'}\n")
    for photos in (hierarcaps(options.hierarcaps), flickr(options.captioned, options.photos)):
        rows = embed(encoder, photos.files)
        measures = calibrate(concepts, rows, temperature=encoder.temperature)
        labeller = Labeller(vocabulary, concepts, measures, statistics=encoder.statistics)
        one = measured(photos, rows, labeller, mentions)
        print(f"| {one.name}, {len(rows)} photos | {encoder.name} |\n| --- | --- |")
        for label, value in (
            *rows_of(one, "everyday", nouns),
            *rows_of(one, "often named", more),
            *rows_of(one, "all", sorted({*nouns, *more})),
            *trees_of(one, place["person"]),
            *losses(one, often, rates),
            *counts(one, vocabulary.names),
        ):
            print(f"| {label} | {value:.3f} |")
        print("\n| stated / true | " + " | ".join(f"{low:.2f} on" for low in EDGES[:-1]) + " |")
        print("| --- " * len(EDGES) + "|")
        for label, chosen in (("all", None), *((name, [place[name]]) for name in GENERAL)):
            print(f"| {label} | " + " | ".join(calibration(one, chosen)) + " |")
        print()


if __name__ == "__main__":
    main()
