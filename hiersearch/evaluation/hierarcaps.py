"""HierarCaps: are a photo's texts found, from general to specific, and are they in order?

Alper & Averbuch-Elor 2024, section 6.1: 1,000 photos, each with four texts from general to
specific. Measured are the texts retrieved for a photo, by the two protocols of
`hiersearch.evaluation.protocols`; how well the exterior angle tells a text that follows from
another from one that contradicts it; and the same scores where the length of a text gives less
away (the supplement's section 0.C.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.errors import MissingDataError
from hiersearch.evaluation.entailment import measure_entailment
from hiersearch.evaluation.files import checksum
from hiersearch.evaluation.hierarcaps_files import (
    BENCHMARK,
    SOURCE,
    TRAIN_PART,
    Item,
    find_test_file,
    read_items,
)
from hiersearch.evaluation.hierarcaps_scores import (
    control_chance,
    control_scores,
    item_chance,
    item_scores,
)
from hiersearch.evaluation.photo_files import photos_checksum
from hiersearch.evaluation.protocols import (
    RADII,
    Candidates,
    candidates,
    official_chains,
    official_steps,
    paper_chains,
)
from hiersearch.evaluation.result import Result
from hiersearch.geometry import root_distance
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.embedder import Embedder

__all__ = ["evaluate", "recall_by_radius"]

TEST_ITEMS = 1000
"""Items of the whole release; with fewer there are fewer texts to mistake for the right ones."""


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,
    progress: Progress = tell_nobody,
    entailment_items: int = 1000,
    fetch: Callable[[str], Path] | None = None,
) -> Result:
    """Run HierarCaps.

    All texts of the file are candidates, also of items whose photo is not there. A model without
    an image tower is measured by its texts alone.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or this one's, or its CSV file.
        seed: Draws the hierarchies for entailment.
        progress: Told of photos as they are encoded.
        entailment_items: The most hierarchies of the pairs file that are looked at.
        fetch: Finds or fetches that file where it does not lie beside the test file, such as
            `hiersearch.evaluation.fetching.fetch_part`; None to do without it.

    Raises:
        MissingDataError: If the data or all its photos are not there.
        UsageError: If a file is not what it should be.
        UnreadablePhotoError: If a photo cannot be decoded.
    """
    path = find_test_file(data)
    items = read_items(path)
    names = list(dict.fromkeys(text for item in items for text in item.texts))
    progress("encoding texts", 0, len(names))
    texts = embedder.texts(names)
    progress("encoding texts", len(names), len(names))
    scored, notes = _with_photos(items, path, embedder.has_photos)
    truth = [item.texts for item in scored]
    distances = dict(zip(names, root_distance(texts, embedder.root).tolist(), strict=True))
    chains: dict[str, list[tuple[str, ...]]] = {}
    series: dict[str, Any] = {"root_distance_by_tier": _by_tier(items, distances)}
    if embedder.has_photos:
        photos = embedder.photos([item.photo for item in scored if item.photo], progress)
        given = candidates(photos, texts, embedder.root, names)
        chains = {"official": official_chains(given), "paper": paper_chains(given)}
        series["recall_by_radius"] = recall_by_radius(given, truth)
    every = list(range(len(scored)))
    scores: dict[str, Any] = {}
    chance: dict[str, Any] = {}
    for protocol in ("official", "paper"):
        scores[protocol] = item_scores(chains.get(protocol), truth, distances, every)
        chance[protocol] = item_chance(chains.get(protocol), truth, len(names))
    entailment = measure_entailment(
        embedder,
        path,
        most=entailment_items,
        seed=seed,
        fetch=partial(fetch, TRAIN_PART) if fetch else None,
    )
    scores["entailment"], chance["entailment"] = entailment.scores, entailment.chance
    series["entailment"] = {"positive": entailment.positive, "negative": entailment.negative}
    scores["control"], control_notes = control_scores(chains, truth, distances)
    chance["control"] = control_chance(chains, truth, len(names))
    if len(items) < TEST_ITEMS:
        notes.append(
            f"{len(items)} items, not the release's {TEST_ITEMS}: retrieval is easier among fewer "
            "texts, so these are not to be set beside figures over all of them"
        )
    read = [path] if entailment.file is None else [path, entailment.file]
    files = {file.name: checksum(file) for file in read}
    if embedder.has_photos:
        files["photos"] = photos_checksum([i.photo for i in scored if i.photo], path.parent)
    return Result(
        benchmark=BENCHMARK,
        scores=scores,
        chance=chance,
        notes=(*notes, *entailment.notes, *control_notes),
        files=files,
        series=series,
    )


def recall_by_radius(given: Candidates, truth: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """How much of the true texts the released code has found by each of its radii.

    Args:
        given: The texts, scored against n photos.
        truth: For each photo its true texts.

    Returns:
        `radius`, the 50 root distances, and `recall`, the mean over photos at each.
    """
    gained = np.zeros(RADII)
    found = set()
    for photo, step, row in np.stack(official_steps(given), axis=1).tolist():
        text, right = given.names[row], set(truth[photo])
        if text in right and (photo, text) not in found:
            found.add((photo, text))
            gained[step] += 1 / len(right)
    radii = np.linspace(given.distances[0], given.distances[-1], RADII)
    return {"radius": radii.tolist(), "recall": (np.cumsum(gained) / len(truth)).tolist()}


def _with_photos(
    items: Sequence[Item], path: Path, has_photos: bool
) -> tuple[list[Item], list[str]]:
    """The items that can be scored, and what there is to say about it."""
    if not has_photos:
        return list(items), [
            "The model reads no photos: nothing is retrieved for them, and the order is measured "
            "on texts alone"
        ]
    found = [item for item in items if item.photo is not None]
    if not found:
        raise MissingDataError(
            f"none of the {len(items)} photos of {path.name} is in {path.parent}",
            hint=f"Get them from {SOURCE}, and put them into {path.parent / 'images'}",
        )
    if len(found) == len(items):
        return found, []
    return found, [
        f"{len(items) - len(found)} of {len(items)} photos are not there; their items are left "
        "out, and their texts remain candidates"
    ]


def _by_tier(items: Sequence[Item], distances: Mapping[str, float]) -> dict[str, list[float]]:
    tiers: dict[str, list[float]] = {}
    for item in items:
        for tier, text in enumerate(item.texts, start=1):
            tiers.setdefault(str(tier), []).append(distances[text])
    return tiers
