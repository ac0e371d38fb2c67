"""How good retrieved chains of texts are: HierarCaps' measures.

Precision and recall compare a chain with the photo's true texts as sets of strings, and are means
over photos. F1 is the harmonic mean of those two means, as RCME's tables have it. τ is Kendall's,
of the true texts' root distances against their tiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.errors import UsageError
from hiersearch.evaluation.metrics import f1, kendall_tau

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ProtocolScores", "order_tau", "score_chains"]


@dataclass(frozen=True)
class ProtocolScores:
    """What a protocol found.

    Attributes:
        precision: Share of a photo's chain that is right, mean over photos, in [0, 1].
        recall: Share of a photo's true texts that its chain holds, mean over photos, in [0, 1].
        f1: Harmonic mean of the two, in [0, 1].
        tau: Kendall's τ of the true texts' root distances against their tiers, in [−1, 1].
        recall_per_tier: Share of photos, of those with such a tier, whose chain holds its text.
        n: How many photos there are.
        chains: What was retrieved for each photo, general to specific.
    """

    precision: float
    recall: float
    f1: float
    tau: float
    recall_per_tier: tuple[float, ...]
    n: int
    chains: tuple[tuple[str, ...], ...]


def score_chains(
    found: Sequence[Sequence[str]],
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
) -> ProtocolScores:
    """Score chains that were retrieved.

    Args:
        found: A chain for each photo, at least one; empty where nothing was retrieved.
        truth: For each photo its true texts, general to specific.
        distances: Root distances, of all true texts at least.

    Raises:
        UsageError: If there is no photo, or not as many chains as true hierarchies, or a true text
            without a distance.
    """
    if not found or len(found) != len(truth):
        raise UsageError(
            f"{len(found)} chains for {len(truth)} hierarchies", hint="Give one for each photo"
        )
    precisions, recalls, hits = [], [], []
    for chain, texts in zip(found, truth, strict=True):
        held = set(chain)
        both = len(held.intersection(texts))
        precisions.append(both / len(held) if held else 0.0)
        recalls.append(both / len(set(texts)) if texts else 0.0)
        hits.append([text in held for text in texts])
    tiers = [[hit for hit in tier if hit is not None] for tier in zip_longest(*hits)]
    precision, recall = float(np.mean(precisions)), float(np.mean(recalls))
    return ProtocolScores(
        precision=precision,
        recall=recall,
        f1=f1(precision, recall),
        tau=order_tau(truth, distances),
        recall_per_tier=tuple(float(np.mean(tier)) for tier in tiers),
        n=len(found),
        chains=tuple(map(tuple, found)),
    )


def order_tau(truth: Sequence[Sequence[str]], distances: Mapping[str, float]) -> float:
    """Kendall's τ of texts' values against their tiers, mean over hierarchies, in [−1, 1].

    Args:
        truth: Texts, general to specific, for each hierarchy; at least one.
        distances: A value for every text, such as its root distance.

    Raises:
        UsageError: If a text has none.
    """
    try:
        rows = [[distances[text] for text in texts] for texts in truth]
    except KeyError as error:
        raise UsageError(
            f"the true text {error.args[0]!r} is not among the candidates",
            hint="Let all true texts be candidates",
        ) from error
    total = 0.0
    for _, group in groupby(sorted(rows, key=len), key=len):
        alike = list(group)
        total += kendall_tau(alike) * len(alike)
    return total / len(rows)
