"""What a model sees on everyday photos: python benchmarks/everyday.py HIERARCAPS CAPTIONED PHOTOS.

HIERARCAPS is a folder with hierarcaps_dev.csv, coco_captions_dev.json and images. CAPTIONED is the
file that training/captioned.py writes, PHOTOS the folder of its photos; only those of the split
"dev" are used, which have five captions each. Prints, for either set:

* retrieval: the share of captions whose photo is among the first 1, 5 and 10 (HierarCaps: the most
  specific caption of each item);
* people: of the photos in which three of five captions have a word for people, and of those in
  which none has, the share whose chain begins with *person*;
* words: how well the vector of a general or a narrow word alone tells the photos that show it (two
  of five captions name it, or a kind of it) from the others: the area under the ROC curve, which is
  .5 by chance;
* probes: captions with one word exchanged, "a red car" against "a blue car": the share of captions
  that are nearer to their photo than the changed ones are, .5 by chance.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from hiersearch.concepts import PEOPLE, Mentions, Vocabulary, builtin_vocabulary
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.evaluation.metrics import auroc, best_ranks, recall_at
from hiersearch.trees import Labeller, calibrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hiersearch.types import Floats

SAID = (
    *("person", "people", "man", "men", "woman", "women", "boy"),
    *("boys", "girl", "girls", "child", "children", "kid", "kids"),
    *("lady", "guy", "player", "players", "crowd", "baby", "couple"),
    *("rider", "toddler"),
)
"""Words for people."""

GENERAL = (
    *("person", "animal", "vehicle", "food", "furniture", "sport", "plant"),
    *("building", "water", "clothing", "bird", "road", "beach", "snow"),
    *("room", "toy", "tree", "container", "mammal", "kitchen"),
)
NARROW = (
    *("dog", "cat", "horse", "bus", "train", "boat", "pizza"),
    *("laptop", "umbrella", "skateboard", "surfboard", "elephant", "giraffe", "zebra"),
    *("sheep", "cow", "bear", "banana", "toilet", "bicycle", "truck"),
    *("bench", "clock", "sandwich", "cake", "kite"),
)

FEWEST = 5
"""Photos that show a word, and that do not, for its area to be computed."""

PROBES = {
    "colours": [["red", "blue", "green", "yellow", "black", "white", "brown", "orange", "pink"]],
    "counts": [["one", "two", "three", "four", "five", "several"]],
    "materials": [["wooden", "metal", "stone", "brick", "glass", "plastic"]],
    "scenes": [["beach", "street", "field", "kitchen", "snow", "park", "mountain", "room"]],
    "people": [["man", "woman"], ["boy", "girl"], ["men", "women"], ["child", "man"]],
}
"""Words that are exchanged for another of their group."""


@dataclass(frozen=True)
class Photos:
    """Photos with several captions each.

    Attributes:
        name: Of the set.
        files: The image files.
        captions: Of each photo.
        queries: Texts to find photos by.
        own: The photo of each query.
    """

    name: str
    files: Sequence[Path]
    captions: Sequence[Sequence[str]]
    queries: Sequence[str]
    own: Sequence[int]


def hierarcaps(folder: Path) -> Photos:
    with (folder / "hierarcaps_dev.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row["image_url"].rpartition("/")[2] for row in rows]
    coco = json.loads((folder / "coco_captions_dev.json").read_text(encoding="utf-8"))
    said: defaultdict[int, list[str]] = defaultdict(list)
    for note in coco["annotations"]:
        said[int(note["image_id"])].append(note["caption"])
    return Photos(
        "HierarCaps",
        [folder / "images" / name for name in names],
        [said[int(Path(name).stem.rpartition("_")[2])] for name in names],
        [row["captions"].split(" => ")[-1] for row in rows],
        range(len(rows)),
    )


def flickr(captioned: Path, photos: Path) -> Photos:
    said: defaultdict[str, list[str]] = defaultdict(list)
    with captioned.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "dev":
                said[row["file"]].append(row["caption"])
    return Photos(
        "Flickr8k",
        [photos / name for name in said],
        list(said.values()),
        [caption for captions in said.values() for caption in captions],
        [number for number, captions in enumerate(said.values()) for _ in captions],
    )


def embed(encoder: HierarchicalEncoder, files: Sequence[Path]) -> Floats:
    blocks = []
    for start in range(0, len(files), 64):
        images = [
            ImageOps.exif_transpose(Image.open(file)).convert("RGB")
            for file in files[start : start + 64]
        ]
        blocks.append(encoder.encode_photos(images))
    return np.concatenate(blocks)


def retrieval(photos: Photos, vectors: Floats, texts: Floats) -> Iterator[tuple[str, float]]:
    right = np.asarray(photos.own)[:, None] == np.arange(len(vectors))
    ranks = best_ranks(texts @ vectors.T, right)
    for most in (1, 5, 10):
        yield f"R@{most}", recall_at(ranks, most)


def people(photos: Photos, begins_with_person: Sequence[bool]) -> Iterator[tuple[str, float]]:
    named = np.array(
        [
            sum(bool(words(text).intersection(SAID)) for text in captions)
            for captions in photos.captions
        ]
    )
    begins = np.array(begins_with_person)
    yield f"people seen, {np.sum(named >= 3)} photos", float(begins[named >= 3].mean())
    yield (
        f"people seen where none are, {np.sum(named == 0)} photos",
        float(begins[named == 0].mean()),
    )


def areas(
    photos: Photos, vectors: Floats, vocabulary: Vocabulary, encode: Callable[..., Floats]
) -> Iterator[tuple[str, float]]:
    mentions = Mentions(vocabulary, also=dict.fromkeys(PEOPLE, "person"))
    shown = []
    for captions in photos.captions:
        times = Counter(at for text in captions for at in mentions(text))
        shown.append({at for at, said in times.items() if said >= 2})
    place = {name: at for at, name in enumerate(vocabulary.names)}
    for label, names in (("general", GENERAL), ("narrow", NARROW)):
        found = {}
        for name, word in zip(names, encode(names), strict=True):
            true = np.array([place[name] in each for each in shown])
            if FEWEST <= true.sum() <= len(true) - FEWEST:
                found[name] = auroc(vectors[true] @ word, vectors[~true] @ word)
        if "person" in found:
            yield "AUC of person", found["person"]
        yield f"AUC of {len(found)} {label} words", float(np.mean(list(found.values())))


def probes(
    photos: Photos, vectors: Floats, encode: Callable[..., Floats]
) -> Iterator[tuple[str, float]]:
    for label, groups in PROBES.items():
        generator = random.Random(0)
        pairs = []
        for number, captions in enumerate(photos.captions):
            for caption in captions:
                changed = exchanged(caption, groups, generator)
                if changed is not None:
                    pairs.append((number, caption, changed))
        if not pairs:
            continue
        own = vectors[[number for number, *_ in pairs]]
        right = (own * encode([said for _, said, _ in pairs])).sum(axis=1)
        wrong = (own * encode([changed for *_, changed in pairs])).sum(axis=1)
        yield f"{label}, {len(pairs)} captions", float(np.mean(right > wrong))


def exchanged(
    caption: str, groups: Sequence[Sequence[str]], generator: random.Random
) -> str | None:
    """The caption with its first word of a group replaced; None if it has none."""
    for match in re.finditer(r"[a-z]+", caption.lower()):
        for group in groups:
            if match[0] in group:
                other = generator.choice([word for word in group if word != match[0]])
                return caption[: match.start()] + other + caption[match.end() :]
    return None


def words(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


def read_options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("hierarcaps", type=Path)
    parser.add_argument("captioned", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="mini")
    return parser.parse_args()


def main() -> None:
    options = read_options(__doc__.splitlines()[0])

    encoder = HierarchicalEncoder(options.model)
    vocabulary = builtin_vocabulary()
    concepts = encoder.encode_texts(vocabulary.names)
    sets = [hierarcaps(options.hierarcaps), flickr(options.captioned, options.photos)]
    vectors = [embed(encoder, photos.files) for photos in sets]
    calibration = calibrate(concepts, np.concatenate(vectors), temperature=encoder.temperature)
    labeller = Labeller(vocabulary, concepts, calibration, statistics=encoder.statistics)
    print(f"{encoder.name} ({encoder.id})\n")
    for photos, rows in zip(sets, vectors, strict=True):
        trees = labeller.trees(rows)
        chains = labeller.chains(rows) if trees is None else [tree.chain for tree in trees]
        begins = [
            bool(chain) and vocabulary[chain.concepts[0]].name == "person" for chain in chains
        ]
        print(f"| {photos.name}, {len(rows)} photos | {encoder.name} |\n| --- | --- |")
        for label, value in (
            *retrieval(photos, rows, encoder.encode_texts(list(photos.queries))),
            *people(photos, begins),
            *areas(photos, rows, vocabulary, encoder.encode_texts),
            *probes(photos, rows, encoder.encode_texts),
        ):
            print(f"| {label} | {value:.3f} |")
        print()


if __name__ == "__main__":
    main()
