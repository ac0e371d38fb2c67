"""Learn from captions which photos show a concept: the statistics that come with `mini`.

    python training/membership.py CAPTIONED PHOTOS --vectors vectors.npz

CAPTIONED is the file that training/captioned.py writes, PHOTOS the folder of its photos. Vectors of
photos are kept in the file `--vectors`: a second run reads them there.

A concept that the captions of FEWEST photos name, or more, gets weights and a bias of its own. They
start as the curve that all concepts share and are drawn back to it, by PULL, where there is little
to learn from. Of a photo with one caption it is not known what four others would say: that caption
names a concept that one of five names with the concept's own chance, which photos with five
captions tell.

Vectors of photos that the model was trained on look surer than those of others. So the scale and
the shift of all logits are then fitted on the photos that were kept from training, for which stated
and true shares are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from hiersearch.concepts import PEOPLE, Mentions, builtin_vocabulary
from hiersearch.data.captioned_photos import CaptionedPhoto, read_captioned
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.encoder.mini.second_generation import packed_folder
from hiersearch.trees import (
    MEMBERSHIP_FILE,
    PERHAPS,
    SURE,
    Curve,
    PhotoStatistics,
    write_statistics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

FEWEST = 15
PULL = 0.3
EPOCHS = 5
BATCH = 2048
PEOPLE_ASKED = 5
"""Captions of the photos that tell how often one of five people names a concept."""

USUAL = 5
"""A concept's chance that one caption names it is drawn towards all concepts' by so many photos."""

SOURCE = "of COCO (CC BY 4.0) and of Flickr8k (for research); of these, counts and weights"
RECIPE = Path(__file__).parent / "recipes" / "captioned.toml"


@dataclass(frozen=True)
class Said:
    """What captions say of photos.

    Attributes:
        vectors: (n, dim).
        named: (n, concepts), how many of a photo's captions name a concept.
        captions: (n,), how many a photo has.
    """

    vectors: np.ndarray
    named: np.ndarray
    captions: np.ndarray


def embed(encoder: HierarchicalEncoder, files: Sequence[Path], cache: Path) -> np.ndarray:
    """The vectors of photos; from the cache, if they are there of this model and these files."""
    names = "\n".join([encoder.id, *(path.name for path in files)])
    digest = hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
    if cache.exists():
        with np.load(cache) as kept:
            if str(kept["digest"]) == digest:
                return kept["vectors"].astype(np.float32)
    batches = [files[start : start + 64] for start in range(0, len(files), 64)]
    found = np.concatenate(list(encoder.encode_photo_batches(batches)))
    np.savez(cache, vectors=found.astype(np.float16), digest=digest)
    return found


def read_said(
    photos: Sequence[CaptionedPhoto], vectors: np.ndarray, mentions: Mentions, chosen: Sequence[int]
) -> Said:
    place = {at: column for column, at in enumerate(chosen)}
    named = np.zeros((len(photos), len(chosen)), dtype=np.int8)
    for row, photo in enumerate(photos):
        for at, times in Counter(at for text in photo.captions for at in mentions(text)).items():
            if at in place:
                named[row, place[at]] = times
    return Said(vectors, named, np.array([len(photo.captions) for photo in photos]))


def chance_in_one(said: Said) -> np.ndarray:
    """(concepts,) the chance that a caption names a concept which one of five captions names."""
    named = said.named[said.captions == PEOPLE_ASKED]
    times, photos = named.sum(axis=0), (named > 0).sum(axis=0)
    usual = times.sum() / (PEOPLE_ASKED * photos.sum())
    return (times + usual * PEOPLE_ASKED * USUAL) / (PEOPLE_ASKED * (photos + USUAL))


def cost(logits: Tensor, said: Tensor, single: Tensor, chance: Tensor) -> Tensor:
    """−log of the chance that captions say what they say; summed.

    Args:
        logits: (n, concepts), that one of five people names the concept.
        said: (n, concepts), whether a caption does; 0 or 1.
        single: (n,), whether the photo has one caption.
        chance: (concepts,), as from `chance_in_one`.
    """
    is_said = logsigmoid(logits)
    all_said = said * is_said + (1 - said) * logsigmoid(-logits)
    silent = torch.log1p(-0.9999 * chance * torch.sigmoid(logits))
    one_said = said * (is_said + chance.log()) + (1 - said) * silent
    return -torch.where(single[:, None], one_said, all_said).sum()


def learn(
    said: Said, words: np.ndarray, chance: np.ndarray
) -> tuple[Curve, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The curve, weights, biases, and the mean and covariance of photos' vectors."""
    mean = said.vectors.mean(axis=0)
    centred = said.vectors - mean
    covariance = centred.T @ centred / len(centred)
    deviation = np.sqrt(np.einsum("kd,de,ke->k", words, covariance, words))
    single = said.captions == 1
    asked = (~single).sum() + (single[:, None] * chance).sum(axis=0)
    rate = torch.from_numpy(np.log((said.named > 0).sum(axis=0) / asked).astype(np.float32))
    directions = torch.from_numpy((words / deviation[:, None]).astype(np.float32))
    scale = words.shape[1] ** 0.5  # so that a step changes a logit as much as one of the curve's
    inputs = torch.from_numpy(centred.astype(np.float32))
    truths = torch.from_numpy((said.named > 0).astype(np.float32))
    singles, chances = torch.from_numpy(single), torch.from_numpy(chance.astype(np.float32))
    curve = torch.nn.Parameter(torch.tensor([1.8, 1.0, -1.0]))
    own = torch.nn.Parameter(torch.zeros_like(directions))
    bias = torch.nn.Parameter(torch.zeros(len(words)))

    def combined() -> tuple[Tensor, Tensor]:
        weights = curve[0] * directions + own * scale
        return weights, curve[1] * rate + curve[2] + bias

    rates = (0.02, 0.003, 0.01)
    groups = [{"params": [value]} for value in (curve, own, bias)]
    optimiser = torch.optim.Adam(groups)
    steps = EPOCHS * (len(inputs) // BATCH)
    generator = torch.Generator().manual_seed(0)
    done = 0
    for _ in range(EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        for start in range(0, len(inputs) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            for group, first in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = first * (1 + np.cos(np.pi * done / steps)) / 2
            weights, biases = combined()
            logits = inputs[rows] @ weights.T + biases
            loss = cost(logits, truths[rows], singles[rows], chances) * len(inputs) / BATCH
            loss = loss + PULL * own.square().sum() / 2 + bias.square().sum() / 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += 1
    with torch.no_grad():
        weights, biases = combined()
        biases = biases - weights @ torch.from_numpy(mean.astype(np.float32))
    found = Curve(*curve.tolist())
    return found, weights.numpy(), biases.numpy(), mean, covariance


def rescale(said: Said, logits: np.ndarray, chance: np.ndarray) -> tuple[float, float]:
    """The scale and the shift of logits that fit photos which nothing was learned from."""
    given = torch.from_numpy(logits)
    truths = torch.from_numpy((said.named > 0).astype(np.float32))
    single, chances = torch.from_numpy(said.captions == 1), torch.from_numpy(chance).float()
    values = torch.tensor([1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([values], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = cost(values[0] * given + values[1], truths, single, chances) / len(given)
        loss.backward()
        return loss

    optimiser.step(closure)
    scale, shift = values.tolist()
    return scale, shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captioned", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--vectors", type=Path, default=Path("vectors.npz"))
    parser.add_argument("--output", type=Path, default=packed_folder() / MEMBERSHIP_FILE)
    options = parser.parse_args()

    photos = read_captioned(options.captioned, options.photos)
    encoder = HierarchicalEncoder(options.model)
    every = [*photos.kept, *photos.train]
    vectors = embed(encoder, [photo.path for photo in every], options.vectors)
    vocabulary = builtin_vocabulary()
    leave_out = tomllib.loads(RECIPE.read_text(encoding="utf-8"))["leave_out"]
    mentions = Mentions(vocabulary, leave_out=leave_out, also=dict.fromkeys(PEOPLE, "person"))
    found = [frozenset().union(*map(mentions, photo.captions)) for photo in photos.train]
    times = Counter(at for one in found for at in one)
    chosen = sorted(at for at, count in times.items() if count >= FEWEST)
    names = [vocabulary.names[at] for at in chosen]
    kept = read_said(photos.kept, vectors[: len(photos.kept)], mentions, chosen)
    train = read_said(photos.train, vectors[len(photos.kept) :], mentions, chosen)
    chance = chance_in_one(train)
    words = encoder.encode_texts(names)
    curve, weights, biases, mean, covariance = learn(train, words, chance)
    scale, shift = rescale(kept, kept.vectors @ weights.T + biases, chance)
    print(f"{len(names)} concepts; {curve}; on the kept photos {scale:.3f} logit + {shift:.3f}")
    weights, biases = scale * weights, scale * biases + shift
    curve = Curve(curve.slope * scale, curve.use * scale, curve.offset * scale + shift)
    show_reliability(kept, weights, biases, chance)
    half = weights.astype(np.float16)
    # Of all that labels depend on.
    content = repr((curve, names, SURE, PERHAPS)).encode()
    arrays = b"".join(part.tobytes() for part in (half, biases, mean, covariance))
    statistics = PhotoStatistics(
        id=f"{encoder.id}-{hashlib.sha256(content + arrays).hexdigest()[:12]}",
        mean=mean,
        covariance=covariance,
        curve=curve,
        names=tuple(name.casefold() for name in names),
        weights=half,
        biases=biases,
        source=SOURCE,
    )
    write_statistics(options.output, statistics)
    print(f"{statistics.id}: {options.output.stat().st_size / 1e6:.1f} MB in {options.output}")


def show_reliability(
    kept: Said, weights: np.ndarray, biases: np.ndarray, chance: np.ndarray
) -> None:
    """What is stated and what is true, of the kept photos; of one caption what it will name."""
    stated = 1 / (1 + np.exp(-(kept.vectors @ weights.T + biases)))
    said = np.where((kept.captions == 1)[:, None], stated * chance, stated)
    edges = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01]
    print("| stated | pairs | will be named | is named |\n| --- | --- | --- | --- |")
    for low, high in itertools.pairwise(edges):
        here = (stated >= low) & (stated < high)
        if here.any():
            counted = [f"{low:.2f} to {high:.2f}", str(here.sum())]
            shares = [
                f"{value:.3f}" for value in (said[here].mean(), (kept.named[here] > 0).mean())
            ]
            print(f"| {' | '.join(counted + shares)} |")


if __name__ == "__main__":
    main()
