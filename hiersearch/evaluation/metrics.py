"""Measures of retrieval, ranking and order: arrays in, plain numbers out.

Where a measure is not defined by its formula (nothing found, constant scores), the value that says
"no better than nothing" is given, never NaN: each function says which.

How good retrieved chains of texts are: HierarCaps' measures.

Precision and recall compare a chain with the photo's true texts as sets of strings, and are means
over photos. F1 is the harmonic mean of those two means, as RCME's tables have it. τ is Kendall's,
of the true texts' root distances against their tiers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hiersearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from hiersearch.types import Integers, Reals


__all__ = [
    "ProtocolScores",
    "SetScores",
    "TextLists",
    "auroc",
    "average_precision",
    "best_ranks",
    "chance_recall",
    "f1",
    "kendall_tau",
    "order_tau",
    "recall_at",
    "score_chains",
    "score_lists",
    "set_scores",
    "spearman",
    "standard_error",
    "text_lists",
]


class SetScores(NamedTuple):
    """How far what was found is what is right; each in [0, 1]."""

    precision: float
    recall: float
    f1: float


def set_scores(found: Collection[object], true: Collection[object]) -> SetScores:
    """Precision, recall and F1 of a set.

    Args:
        found: What was found; repeats count once.
        true: What is right; repeats count once.

    Returns:
        A precision of 0 where nothing was found, a recall of 0 where nothing is right.
    """
    given, right = set(found), set(true)
    both = len(given & right)
    precision = both / len(given) if given else 0.0
    recall = both / len(right) if right else 0.0
    return SetScores(precision, recall, f1(precision, recall))


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall; 0 where both are 0."""
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


def kendall_tau(values: ArrayLike) -> float:
    """Kendall's τ-b of values against their order, in [−1, 1].

    Args:
        values: (T,), or (n, T) of which each row is measured by itself.

    Returns:
        The mean over rows; a row without two distinct values counts as 0, and so do no rows.
    """
    rows = np.atleast_2d(np.asarray(values))
    before, after = np.triu_indices(rows.shape[-1], 1)
    signs = np.sign(rows[:, after] - rows[:, before])
    untied = np.count_nonzero(signs, axis=1)
    # The order itself has no ties, so that τ-b = (C − D) / √(pairs · untied pairs).
    scale = np.sqrt(np.maximum(untied, 1) * float(max(len(before), 1)))
    return float(np.mean(signs.sum(axis=1) / scale)) if len(rows) else 0.0


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two (n,) arrays, in [−1, 1]; 0 where either is constant."""
    a, b = np.asarray(first), np.asarray(second)
    if len(a) < 2 or np.all(a == a[0]) or np.all(b == b[0]):
        return 0.0
    return float(np.clip(np.corrcoef(_ranks(a), _ranks(b))[0, 1], -1.0, 1.0))


def average_precision(positive: ArrayLike, negative: ArrayLike) -> float:
    """Area below the curve of precision over recall, as a sum of steps: Σ (Rₖ − Rₖ₋₁)·Pₖ.

    Equal scores are one step, so that their order does not matter.

    Args:
        positive: (p,) scores of what is right; higher is better.
        negative: (n,) scores of what is wrong.

    Returns:
        In [0, 1]; 0 where nothing is right.
    """
    right, wrong = np.sort(np.asarray(positive)), np.sort(np.asarray(negative))
    if not len(right):
        return 0.0
    thresholds = np.unique(right)
    right_kept = len(right) - np.searchsorted(right, thresholds)
    wrong_kept = len(wrong) - np.searchsorted(wrong, thresholds)
    gained = right_kept - np.append(right_kept[1:], 0)
    return float(np.sum(gained * (right_kept / (right_kept + wrong_kept))) / len(right))


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """How often a right score is above a wrong one; ties count half.

    Args:
        positive: (p,) scores of what is right; higher is better.
        negative: (n,) scores of what is wrong.

    Returns:
        In [0, 1]; ½ where there is no pair to compare.
    """
    right, wrong = np.asarray(positive), np.sort(np.asarray(negative))
    if not len(right) or not len(wrong):
        return 0.5
    below = np.searchsorted(wrong, right, side="left").mean()
    up_to = np.searchsorted(wrong, right, side="right").mean()
    return float((below + up_to) / (2.0 * len(wrong)))


def best_ranks(scores: Reals, right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each query, the rank of the best of its right candidates, from 1.

    A tie counts against the query: wrong candidates of the same score go first, so that constant
    scores earn nothing.

    Args:
        scores: (queries, candidates), higher is better; −∞ for those that are out of question.
        right: (queries, candidates), which are right; any number for a query.

    Returns:
        (queries,); one more than there are candidates where none is right.
    """
    best = np.max(scores, axis=1, where=right, initial=-np.inf)
    ahead = np.count_nonzero((scores >= best[:, None]) & ~right, axis=1)
    ranks: NDArray[np.int64] = np.where(right.any(axis=1), 1 + ahead, 1 + scores.shape[1])
    return ranks


def recall_at(ranks: ArrayLike, k: int) -> float:
    """The share of queries that have a right candidate among the first k; 0 for no queries.

    Args:
        ranks: (queries,), as `best_ranks` gives them.
        k: From 1 up.
    """
    found = np.asarray(ranks) <= k
    return float(found.mean()) if found.size else 0.0


def chance_recall(right: ArrayLike, candidates: int, k: int) -> float:
    """What `recall_at` comes to for candidates in random order: 1 − C(m−r, k) / C(m, k), its mean.

    Args:
        right: (queries,), how many candidates are right for each.
        candidates: How many there are, m.
        k: From 1 up.

    Returns:
        In [0, 1]; 0 for no queries.
    """
    counts, of_each = np.unique(np.asarray(right, dtype=np.int64), return_counts=True)
    if not len(counts):
        return 0.0
    drawn = min(k, candidates)
    none = [math.comb(candidates - int(r), drawn) / math.comb(candidates, drawn) for r in counts]
    return float(1.0 - np.average(none, weights=of_each))


def standard_error(values: ArrayLike) -> float:
    """Standard error of a mean: s / √n, with s from n − 1; 0 for fewer than two values."""
    sample = np.asarray(values, dtype=np.float64)
    return float(sample.std(ddof=1) / math.sqrt(len(sample))) if len(sample) > 1 else 0.0


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = ((last - counts + 1 + last) / 2.0)[inverse]
    return ranks


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

    photos: Integers
    texts: Integers
    n: int

    @cached_property
    def sizes(self) -> Integers:
        """(n,) how many texts each list has."""
        return np.bincount(self.photos, minlength=self.n)

    @cached_property
    def places(self) -> Integers:
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
    found: TextLists, truth: TextLists, names: Sequence[str], distances: Reals
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


def _tau(truth: TextLists, distances: Reals) -> float:
    values, sizes = distances[truth.texts], truth.sizes[truth.photos]
    # A hierarchy without texts counts as 0.
    total = 0.0
    for size in np.unique(sizes):
        rows = values[sizes == size].reshape(-1, size)
        total += kendall_tau(rows) * len(rows)
    return total / truth.n


def _distinct(cells: Integers) -> Integers:
    ordered = np.sort(cells)
    distinct: Integers = ordered[np.diff(ordered, prepend=-1) != 0]
    return distinct
