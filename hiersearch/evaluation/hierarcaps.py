"""HierarCaps: are a photo's texts found, from general to specific, and are they in order?

Alper & Averbuch-Elor 2024, section 6.1: 1,000 photos, each with four texts from general to
specific. Measured are the texts retrieved for a photo, by the two protocols of
`hiersearch.evaluation.protocols`; how well the exterior angle tells a text that follows from
another from one that contradicts it; and the same scores where the length of a text gives less
away (the supplement's section 0.C.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.errors import MissingDataError
from hiersearch.evaluation.chain_scores import ProtocolScores, order_tau, score_chains
from hiersearch.evaluation.entailment import measure_entailment
from hiersearch.evaluation.files import checksum
from hiersearch.evaluation.hierarcaps_files import (
    BENCHMARK,
    SOURCE,
    Item,
    find_pairs_file,
    find_test_file,
    read_items,
)
from hiersearch.evaluation.metrics import f1
from hiersearch.evaluation.protocols import (
    RADII,
    Candidates,
    candidates,
    official_chains,
    official_steps,
    paper_chains,
)
from hiersearch.evaluation.result import Result, Scores
from hiersearch.geometry import root_distance
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from hiersearch.evaluation.embedder import Embedder

__all__ = ["control_subsets", "evaluate", "recall_by_radius"]

TEST_ITEMS = 1000
"""Items of the whole release; with fewer there are fewer texts to mistake for the right ones."""

NEAR_WORDS = 4
"""How many words the last two tiers may differ by in the second control subset."""

SCORE_NAMES = ("precision", "recall", "f1")


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    seed: int = 0,
    progress: Progress = tell_nobody,
    entailment_items: int = 1000,
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
        scores[protocol] = _scores(chains.get(protocol), truth, distances, every)
        chance[protocol] = _chance(chains.get(protocol), truth, len(names))
    pairs_path = find_pairs_file(path)
    entailment = measure_entailment(embedder, pairs_path, most=entailment_items, seed=seed)
    scores["entailment"], chance["entailment"] = entailment.scores, entailment.chance
    series["entailment"] = {"positive": entailment.positive, "negative": entailment.negative}
    scores["control"], control_notes = _control(chains, truth, distances)
    chance["control"] = _control_chance(chains, truth, len(names))
    if len(items) < TEST_ITEMS:
        notes.append(
            f"{len(items)} items, not the release's {TEST_ITEMS}: retrieval is easier among fewer "
            "texts, so these are not to be set beside figures over all of them"
        )
    files = [path] if pairs_path is None else [path, pairs_path]
    return Result(
        benchmark=BENCHMARK,
        scores=scores,
        chance=chance,
        notes=(*notes, *entailment.notes, *control_notes),
        files={file.name: checksum(file) for file in files},
        series=series,
    )


def control_subsets(truth: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Items in which the length of a text says less about its tier (supplement, 0.C.2).

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


def recall_by_radius(given: Candidates, truth: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """How much of the true texts the released code has found by each of its radii.

    Args:
        given: The texts, scored against n photos.
        truth: For each photo its true texts.

    Returns:
        `radius`, the 50 root distances, and `recall`, the mean over photos at each.
    """
    reached = np.zeros(RADII)
    for row, texts in zip(official_steps(given).tolist(), truth, strict=True):
        right, found = set(texts), set()
        for step, column in enumerate(row):
            if given.names[column] in right:
                found.add(column)
            reached[step] += len(found) / len(right)
    radii = np.linspace(given.distances[0], given.distances[-1], RADII)
    return {"radius": radii.tolist(), "recall": (reached / len(truth)).tolist()}


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


def _scores(
    chains: Sequence[Sequence[str]] | None,
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
    rows: Sequence[int],
) -> dict[str, float | int | None]:
    """The scores of some of the items; None where there is nothing to score."""
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


def _chance(
    chains: Sequence[Sequence[str]] | None, truth: Sequence[Sequence[str]], texts: int
) -> dict[str, float]:
    """What texts drawn at random would earn, as many for each photo as were retrieved for it."""
    if chains is None:
        return {"tau": 0.0}
    precision = float(np.mean([len(set(right)) for right in truth])) / texts
    recall = float(np.mean([len(set(chain)) for chain in chains])) / texts
    tiers = {f"recall_tier_{tier}": recall for tier in range(1, max(map(len, truth)) + 1)}
    named = zip(SCORE_NAMES, (precision, recall, f1(precision, recall)), strict=True)
    return {**dict(named), "tau": 0.0, **tiers}


def _control(
    chains: Mapping[str, Sequence[Sequence[str]]],
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
) -> tuple[Scores, list[str]]:
    """The scores of the control subsets, retrieved from all texts; and those that are empty."""
    control: dict[str, Any] = {}
    notes = []
    for name, rows in control_subsets(truth).items():
        control[name] = {
            "share": len(rows) / len(truth),
            **{
                protocol: _scores(chains.get(protocol), truth, distances, rows)
                for protocol in ("official", "paper")
            },
        }
        if not rows:
            notes.append(f"No item belongs to the control subset {name}, so it has no scores")
    words = {text: float(len(text.split())) for texts in truth for text in texts}
    control["tau_of_word_count"] = order_tau(truth, words)
    return control, notes


def _control_chance(
    chains: Mapping[str, Sequence[Sequence[str]]], truth: Sequence[Sequence[str]], texts: int
) -> Scores:
    """What drawing at random would earn in the subsets that are not empty."""
    chance: dict[str, Any] = {}
    for name, rows in control_subsets(truth).items():
        chance[name] = {
            protocol: _chance(
                [found[row] for row in rows] if (found := chains.get(protocol)) else None,
                [truth[row] for row in rows],
                texts,
            )
            for protocol in ("official", "paper")
            if rows
        }
    return chance


def _by_tier(items: Sequence[Item], distances: Mapping[str, float]) -> dict[str, list[float]]:
    tiers: dict[str, list[float]] = {}
    for item in items:
        for tier, text in enumerate(item.texts, start=1):
            tiers.setdefault(str(tier), []).append(distances[text])
    return tiers
