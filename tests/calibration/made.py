"""Described photos for tests: parts of real photographs, each with what it shows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from hiersearch.concepts import Concept, Vocabulary

__all__ = ["SHOWN", "VOCABULARY", "make_captions", "make_parts"]

VOCABULARY = Vocabulary(
    [
        Concept("animal", "animal"),
        Concept("cat", "cat", ("animal",)),
        Concept("dog", "dog", ("animal",)),
        Concept("person", "person"),
        Concept("vehicle", "vehicle"),
        Concept("motorcycle", "motorcycle", ("vehicle",)),
        Concept("rocket", "rocket", ("vehicle",)),
        Concept("drink", "drink"),
        Concept("coffee", "coffee", ("drink",)),
        Concept("plant", "plant"),
        Concept("flower", "flower", ("plant",)),
        Concept("grass", "grass", ("plant",)),
        Concept("building", "building"),
        Concept("temple", "temple", ("building",)),
        Concept("wall", "wall"),
        Concept("galaxy", "galaxy"),
        Concept("coin", "coin"),
    ],
    "everyday",
)

SHOWN = {
    "astronaut.jpg": "person",
    "brick-wall.jpg": "wall",
    "cat.jpg": "cat",
    "coffee.jpg": "coffee",
    "coins.jpg": "coin",
    "flower.jpg": "flower",
    "grass.jpg": "grass",
    "galaxies.jpg": "galaxy",
    "motorcycle.jpg": "motorcycle",
    "photographer.jpg": "person",
    "rocket.jpg": "rocket",
    "temple.jpg": "temple",
}
"""What each photograph of the demo shows."""


def make_parts(photographs: Path, folder: Path, each: int) -> Path:
    """Small photos in folders that are called like what they show.

    Args:
        photographs: The demo's.
        folder: To be made.
        each: How many parts of each photograph.
    """
    generator = np.random.default_rng(0)
    for name, concept in SHOWN.items():
        (folder / concept).mkdir(parents=True, exist_ok=True)
        with Image.open(photographs / name) as opened:
            whole = opened.convert("RGB")
        for number in range(each):
            width, height = (round(side * generator.uniform(0.5, 0.95)) for side in whole.size)
            left = int(generator.integers(whole.width - width))
            top = int(generator.integers(whole.height - height))
            part = whole.crop((left, top, left + width, top + height)).resize((96, 96))
            part.save(folder / concept / f"{Path(name).stem}-{number}.png")
    return folder


def make_captions(photos: Path, file: Path, each: int = 5) -> Path:
    """A CSV file of what some people say of the photos of `make_parts`.

    Half of them name what a photo shows; a third something above it, where there is anything.

    Args:
        photos: The photos.
        file: To be made.
        each: How many captions a photo gets.
    """
    generator = np.random.default_rng(1)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "caption"])
        for path in sorted(photos.rglob("*.png")):
            concept = path.parent.name
            above = next(iter(VOCABULARY.ancestors(concept)), "thing")
            for drawn in generator.random(each):
                word = concept if drawn < 0.5 else above if drawn < 0.83 else "thing"
                writer.writerow([path.relative_to(photos), f"this is a nice {word}"])
    return file
