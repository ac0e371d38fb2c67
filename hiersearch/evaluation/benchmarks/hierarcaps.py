"""HierarCaps: are a photo's texts found, from general to specific, and are they in order?

Alper & Averbuch-Elor 2024, section 6.1: 1,000 photos, each with four texts from general to
specific. Measured are the texts retrieved for a photo, by the two protocols of
`hiersearch.evaluation.protocols`; how well the exterior angle tells a text that follows from
another from one that contradicts it; and, as a control, the same scores for items in which the
length of a text reveals less about its tier (supplement, 0.C.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.data.data_files import checksum, photos_checksum
from hiersearch.data.hierarcaps_files import (
    SOURCE,
    TRAIN_PART,
    Item,
    find_test_file,
    read_items,
)
from hiersearch.errors import MissingDataError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.benchmarks.entailment import measure_entailment
from hiersearch.evaluation.metrics import ProtocolScores, f1, order_tau, score_chains
from hiersearch.evaluation.protocols import (
    RADII,
    Candidates,
    candidates,
    official_chains,
    official_steps,
    paper_chains,
)
from hiersearch.geometry import root_distance
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder

__all__ = [
    "BENCHMARK",
    "HierarCaps",
    "control_chance",
    "control_scores",
    "control_subsets",
    "evaluate",
    "item_chance",
    "item_scores",
    "recall_by_radius",
]

TEST_ITEMS = 1000
"""Items of the whole release; with fewer there are fewer wrong texts to choose from."""

NEAR_WORDS = 4
"""How many words the last two tiers may differ by in the second control subset."""

PROTOCOLS = ("official", "paper")

SCORE_NAMES = ("precision", "recall", "f1")


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,
    on_progress: Progress = tell_nobody,
    entailment_items: int = 1000,
    fetch: Callable[[str], Path] | None = None,
) -> Result:
    """Run HierarCaps.

    All texts of the file are candidates, including those of items whose photo is missing. A model
    without an image tower is measured by its texts alone.

    Args:
        embedder: The model.
        data: The folder of all benchmarks' data, or this benchmark's, or its CSV file.
        seed: Random seed of the sample of hierarchies for entailment.
        on_progress: Called while photos are encoded.
        entailment_items: The most hierarchies that entailment is measured on.
        fetch: Finds or downloads their file if it is not beside the test file, such as
            `hiersearch.data.fetching.fetch_part`; None to do without.

    Raises:
        MissingDataError: The data, or all of its photos, are missing.
        UsageError: A file is invalid.
        UnreadablePhotoError: A photo cannot be decoded.
    """
    path = find_test_file(data)
    items = read_items(path)
    names = list(dict.fromkeys(text for item in items for text in item.texts))
    on_progress("encoding texts", 0, len(names))
    texts = embedder.texts(names)
    on_progress("encoding texts", len(names), len(names))
    scored, notes = _with_photos(items, path, embedder.has_photos)
    truth = [item.texts for item in scored]
    distances = dict(zip(names, root_distance(texts, embedder.root).tolist(), strict=True))
    chains: dict[str, list[tuple[str, ...]]] = {}
    series: dict[str, Any] = {"root_distance_by_tier": _by_tier(items, distances)}
    if embedder.has_photos:
        photos = embedder.photos([item.photo for item in scored if item.photo], on_progress)
        given = candidates(photos, texts, embedder.root, names)
        chains = {"official": official_chains(given), "paper": paper_chains(given)}
        series["recall_by_radius"] = recall_by_radius(given, truth)
    every = list(range(len(scored)))
    scores: dict[str, Any] = {}
    chance: dict[str, Any] = {}
    for protocol in PROTOCOLS:
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
        benchmark="hierarcaps",
        scores=scores,
        chance=chance,
        notes=(*notes, *entailment.notes, *control_notes),
        files=files,
        series=series,
    )


class HierarCaps:
    """This benchmark for the registry; see `evaluate`."""

    name = "hierarcaps"
    measures = "Whether a photo's texts are found, from general to specific, and are in order."
    needs = "HierarCaps' test file, its photos, and for entailment its train file; all downloaded."
    options: Mapping[str, str] = {
        "entailment_items": "The most hierarchies that entailment is measured on.",
    }
    compares_with_baseline = False

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            seed=inputs.seed,
            fetch=inputs.fetch,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = HierarCaps()


def recall_by_radius(given: Candidates, truth: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """The share of the true texts that the released code has found by each of its radii.

    Args:
        given: The texts, scored against n photos.
        truth: The true texts of each photo.

    Returns:
        `radius`, 50 root distances, and `recall` at each, mean over photos.
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


def control_subsets(truth: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Items in which the length of a text reveals less about its tier (supplement, 0.C.2).

    Args:
        truth: For each item its texts, general to specific, at least two.

    Returns:
        Positions of items: `equal_first_tiers`, whose first two texts have equally many words;
        `near_last_tiers`, whose last two differ by at most four. (The paper counts 72 % and 34 %
        of its items; by these words a half of them has 30 % and 34 %.)
    """
    words = [[len(text.split()) for text in texts] for texts in truth]
    return {
        "equal_first_tiers": [at for at, n in enumerate(words) if n[0] == n[1]],
        "near_last_tiers": [at for at, n in enumerate(words) if abs(n[-1] - n[-2]) <= NEAR_WORDS],
    }


def item_scores(
    chains: Sequence[Sequence[str]] | None,
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
    rows: Sequence[int],
) -> dict[str, float | int | None]:
    """The scores of some items by one protocol.

    Args:
        chains: The texts retrieved for each item; None if nothing was retrieved.
        truth: The texts of each item, general to specific.
        distances: The root distance of each text.
        rows: The positions of the items to score.

    Returns:
        Precision, recall and so on from 0 to 1, "tau" from −1 to 1, and the number of items, "n".
        None where there is nothing to score.
    """
    texts = [truth[row] for row in rows]
    tiers = [f"recall_tier_{tier}" for tier in range(1, max(map(len, truth)) + 1)]
    if chains is None or not rows:
        tau = order_tau(texts, distances) if rows else None
        return {**dict.fromkeys([*SCORE_NAMES]), "tau": tau, **dict.fromkeys(tiers), "n": len(rows)}
    found: ProtocolScores = score_chains([chains[row] for row in rows], texts, distances)
    per_tier = dict(zip(tiers, found.recall_per_tier, strict=False))
    return {
        **{name: getattr(found, name) for name in SCORE_NAMES},
        "tau": found.tau,
        **{tier: per_tier.get(tier) for tier in tiers},
        "n": found.n,
    }


def item_chance(
    chains: Sequence[Sequence[str]] | None, truth: Sequence[Sequence[str]], texts: int
) -> dict[str, float]:
    """The scores of random texts, as many for each photo as were retrieved for it.

    Args:
        chains: As for `item_scores`.
        truth: As for `item_scores`.
        texts: Number of candidates.
    """
    if chains is None:
        return {"tau": 0.0}
    precision = float(np.mean([len(set(right)) for right in truth])) / texts
    recall = float(np.mean([len(set(chain)) for chain in chains])) / texts
    tiers = {f"recall_tier_{tier}": recall for tier in range(1, max(map(len, truth)) + 1)}
    named = zip(SCORE_NAMES, (precision, recall, f1(precision, recall)), strict=True)
    return {**dict(named), "tau": 0.0, **tiers}


def control_scores(
    chains: Mapping[str, Sequence[Sequence[str]]],
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
) -> tuple[Scores, list[str]]:
    """The scores of the control subsets, retrieved from all texts.

    Args:
        chains: By protocol, as for `item_scores`.
        truth: As for `item_scores`.
        distances: As for `item_scores`.

    Returns:
        The share and the scores by protocol of each subset; and notes about empty ones.
    """
    control: dict[str, Any] = {}
    notes = []
    for name, rows in control_subsets(truth).items():
        control[name] = {
            "share": len(rows) / len(truth),
            **{
                protocol: item_scores(chains.get(protocol), truth, distances, rows)
                for protocol in PROTOCOLS
            },
        }
        if not rows:
            notes.append(f"No item belongs to the control subset {name}, so it has no scores")
    words = {text: float(len(text.split())) for texts in truth for text in texts}
    control["tau_of_word_count"] = order_tau(truth, words)
    return control, notes


def control_chance(
    chains: Mapping[str, Sequence[Sequence[str]]], truth: Sequence[Sequence[str]], texts: int
) -> Scores:
    """The scores of random texts in the subsets that are not empty.

    Args:
        chains: By protocol, as for `item_scores`.
        truth: As for `item_scores`.
        texts: Number of candidates.
    """
    chance: dict[str, Any] = {}
    for name, rows in control_subsets(truth).items():
        chance[name] = {
            protocol: item_chance(
                [found[row] for row in rows] if (found := chains.get(protocol)) else None,
                [truth[row] for row in rows],
                texts,
            )
            for protocol in PROTOCOLS
            if rows
        }
    return chance


def _with_photos(
    items: Sequence[Item], path: Path, has_photos: bool
) -> tuple[list[Item], list[str]]:
    """The items that can be scored, and notes."""
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
