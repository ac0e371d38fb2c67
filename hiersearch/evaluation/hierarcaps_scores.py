"""Scores of HierarCaps' items, of all and of those in which a text's length says less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.evaluation.chain_scores import ProtocolScores, order_tau, score_chains
from hiersearch.evaluation.metrics import f1

if TYPE_CHECKING:
    from hiersearch.evaluation.result import Scores

__all__ = ["control_chance", "control_scores", "control_subsets", "item_chance", "item_scores"]

NEAR_WORDS = 4
"""How many words the last two tiers may differ by in the second control subset."""

SCORE_NAMES = ("precision", "recall", "f1")


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


def item_scores(
    chains: Sequence[Sequence[str]] | None,
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
    rows: Sequence[int],
) -> dict[str, float | int | None]:
    """The scores of some of the items, by one protocol.

    Args:
        chains: For each item the texts that were retrieved; None if none were.
        truth: For each item its texts, general to specific.
        distances: The root distance of each text.
        rows: Which items.

    Returns:
        Precision, recall and so on from 0 to 1, "tau" from −1 to 1, and how many items, "n"; None
        where there is nothing to score.
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
    """What texts drawn at random would earn, as many for each photo as were retrieved for it.

    Args:
        chains: As for `item_scores`.
        truth: As for `item_scores`.
        texts: How many there are to draw from.
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
        For each subset its share and its scores by protocol; and notes on those that are empty.
    """
    control: dict[str, Any] = {}
    notes = []
    for name, rows in control_subsets(truth).items():
        control[name] = {
            "share": len(rows) / len(truth),
            **{
                protocol: item_scores(chains.get(protocol), truth, distances, rows)
                for protocol in ("official", "paper")
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
    """What drawing at random would earn in the subsets that are not empty.

    Args:
        chains: By protocol, as for `item_scores`.
        truth: As for `item_scores`.
        texts: How many there are to draw from.
    """
    chance: dict[str, Any] = {}
    for name, rows in control_subsets(truth).items():
        chance[name] = {
            protocol: item_chance(
                [found[row] for row in rows] if (found := chains.get(protocol)) else None,
                [truth[row] for row in rows],
                texts,
            )
            for protocol in ("official", "paper")
            if rows
        }
    return chance
