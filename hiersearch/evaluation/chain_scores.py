"""How good retrieved chains of texts are: HierarCaps' measures.

Precision and recall compare a chain with the photo's true texts as sets of strings, and are means
over photos. F1 is the harmonic mean of those two means, as RCME's tables have it. τ is Kendall's,
of the true texts' root distances against their tiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hiersearch.errors import UsageError
from hiersearch.evaluation.metrics import f1, kendall_tau

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Positions: TypeAlias = NDArray[np.int64]

__all__ = [
    "ProtocolScores",
    "TextLists",
    "order_tau",
    "score_chains",
    "score_lists",
    "text_lists",
]


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


@dataclass(frozen=True)
class TextLists:
    """A list of texts for each of n photos; each text goes by a number.

    Attributes:
        photos: (c,) whose list a text is in, ascending.
        texts: (c,) which text that is.
        n: How many lists there are; some may be empty.
    """

    photos: Positions
    texts: Positions
    n: int

    @cached_property
    def sizes(self) -> Positions:
        """(n,) how many texts each list has."""
        return np.bincount(self.photos, minlength=self.n)

    @cached_property
    def places(self) -> Positions:
        """(c,) where in its list each text stands, from 0."""
        starts = np.cumsum(self.sizes) - self.sizes
        return np.arange(len(self.photos)) - starts[self.photos]

    def as_names(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The lists, of the texts' names."""
        texts = [names[text] for text in self.texts.tolist()]
        ends = np.cumsum(self.sizes).tolist()
        return [tuple(texts[start:end]) for start, end in pairwise([0, *ends])]


def text_lists(lists: Sequence[Sequence[str]], number_of: Mapping[str, int]) -> TextLists:
    """Number the texts of some lists.

    Raises:
        UsageError: If a text has no number.
    """
    texts = [text for each in lists for text in each]
    try:
        numbers = np.array([number_of[text] for text in texts], dtype=np.int64)
    except KeyError as error:
        raise UsageError(
            f"the text {error.args[0]!r} is not among the candidates",
            hint="Let all true texts be candidates",
        ) from error
    sizes = np.array([len(each) for each in lists], dtype=np.int64)
    return TextLists(np.repeat(np.arange(len(lists)), sizes), numbers, len(lists))


def score_chains(
    found: Sequence[Sequence[str]],
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
) -> ProtocolScores:
    """Score chains that were retrieved.

    Args:
        found: A chain for each photo, at least one; empty where nothing was retrieved.
        truth: For each photo its true texts, general to specific.
        distances: Root distances, of all texts.

    Raises:
        UsageError: If there is no photo, or not as many chains as true hierarchies, or a text
            without a distance.
    """
    number_of = {text: number for number, text in enumerate(distances)}
    return score_lists(
        text_lists(found, number_of),
        text_lists(truth, number_of),
        tuple(distances),
        np.array(list(distances.values())),
    )


def score_lists(
    found: TextLists, truth: TextLists, names: Sequence[str], distances: Floats
) -> ProtocolScores:
    """Score chains whose texts have numbers.

    Args:
        found: As for `score_chains`.
        truth: As for `score_chains`.
        names: (m,) the texts by their numbers.
        distances: (m,) their root distances.

    Raises:
        UsageError: If there is no photo, or not as many chains as true hierarchies.
    """
    if not found.n or found.n != truth.n:
        raise UsageError(
            f"{found.n} chains for {truth.n} hierarchies", hint="Give one for each photo"
        )
    # A cell for each pair of photo and text.
    held = found.photos * len(names) + found.texts
    right = truth.photos * len(names) + truth.texts
    holds = np.zeros(found.n * len(names), dtype=np.bool_)
    holds[held] = True
    of_held, of_right, both = (
        np.bincount(_distinct(cells) // len(names), minlength=found.n)
        for cells in (held, right, right[holds[right]])
    )
    precision = float(np.mean(both / np.maximum(of_held, 1)))
    recall = float(np.mean(both / np.maximum(of_right, 1)))
    per_tier = np.bincount(truth.places, weights=holds[right]) / np.bincount(truth.places)
    return ProtocolScores(
        precision=precision,
        recall=recall,
        f1=f1(precision, recall),
        tau=_tau(truth, distances),
        recall_per_tier=tuple(per_tier.tolist()),
        n=found.n,
        chains=tuple(found.as_names(names)),
    )


def order_tau(truth: Sequence[Sequence[str]], distances: Mapping[str, float]) -> float:
    """Kendall's τ of texts' values against their tiers, mean over hierarchies, in [−1, 1].

    Args:
        truth: Texts, general to specific, for each hierarchy; at least one.
        distances: A value for every text, such as its root distance.

    Raises:
        UsageError: If a text has none.
    """
    number_of = {text: number for number, text in enumerate(distances)}
    return _tau(text_lists(truth, number_of), np.array(list(distances.values())))


def _tau(truth: TextLists, distances: Floats) -> float:
    values, sizes = distances[truth.texts], truth.sizes[truth.photos]
    # A hierarchy without texts counts as 0.
    total = 0.0
    for size in np.unique(sizes):
        rows = values[sizes == size].reshape(-1, size)
        total += kendall_tau(rows) * len(rows)
    return total / truth.n


def _distinct(cells: Positions) -> Positions:
    ordered = np.sort(cells)
    distinct: Positions = ordered[np.diff(ordered, prepend=-1) != 0]
    return distinct
