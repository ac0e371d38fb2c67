"""Measures of retrieval, ranking and order: arrays in, plain numbers out.

No measure returns NaN. Where its formula is not defined (nothing was retrieved, all scores are
equal), it returns the value of a model that knows nothing; each function says which.

`score_chains` scores the chains of texts that were retrieved for photos, as HierarCaps does
(Alper & Averbuch-Elor 2024, section 6.1): precision and recall compare a photo's chain with its
true texts as sets, and are averaged over photos; F1 is the harmonic mean of the two averages, as in
RCME's tables; τ is Kendall's, of the true texts' root distances against their tiers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from hiersearch.types import Integers, Reals


__all__ = [
    "ProtocolScores",
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
    "spearman",
    "text_lists",
]


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall; 0 where both are 0."""
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


def kendall_tau(values: ArrayLike) -> float:
    """Kendall's τ-b of values against their order, in [−1, 1].

    Computed for all rows at once: `scipy.stats.kendalltau` gives the same for one row, and takes
    some 500 times as long for the thousands of short rows that are measured here.

    Args:
        values: (T,), or (n, T) to measure each row separately.

    Returns:
        The mean over rows. A row without two distinct values counts as 0; 0 if there are no rows.
    """
    rows = np.atleast_2d(np.asarray(values))
    before, after = np.triu_indices(rows.shape[-1], 1)
    signs = np.sign(rows[:, after] - rows[:, before])
    untied = np.count_nonzero(signs, axis=1)
    # The order itself has no ties, so τ-b = (C − D) / √(pairs · untied pairs).
    scale = np.sqrt(np.maximum(untied, 1) * float(max(len(before), 1)))
    return float(np.mean(signs.sum(axis=1) / scale)) if len(rows) else 0.0


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two (n,) arrays, in [−1, 1]; 0 where either is constant."""
    from scipy.stats import spearmanr

    a, b = np.asarray(first), np.asarray(second)
    if len(a) < 2 or np.all(a == a[0]) or np.all(b == b[0]):
        return 0.0
    return float(np.clip(spearmanr(a, b).statistic, -1.0, 1.0))


def average_precision(positive: ArrayLike, negative: ArrayLike) -> float:
    """Area under the precision-recall curve, as a sum of steps: Σ (Rₖ − Rₖ₋₁)·Pₖ.

    Equal scores form one step, so that their order does not matter.

    Args:
        positive: (p,) scores of the positive items; higher is better.
        negative: (n,) scores of the negative items.

    Returns:
        In [0, 1]; 0 if there are no positive items.
    """
    from sklearn.metrics import average_precision_score

    labels, scores = _labelled(positive, negative)
    return float(average_precision_score(labels, scores)) if labels.any() else 0.0


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """How often a positive item scores higher than a negative one; ties count half.

    Args:
        positive: (p,) scores of the positive items; higher is better.
        negative: (n,) scores of the negative items.

    Returns:
        In [0, 1]; ½ if there is no pair to compare.
    """
    from sklearn.metrics import roc_auc_score

    labels, scores = _labelled(positive, negative)
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else 0.5


def best_ranks(scores: Reals, right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each query, the rank of its best correct candidate, from 1.

    Ties count against the query: wrong candidates of the same score are ranked first, so that
    constant scores earn nothing.

    Args:
        scores: (queries, candidates), higher is better; −∞ excludes a candidate.
        right: (queries, candidates), which candidates are correct; any number for a query.

    Returns:
        (queries,); the number of candidates plus one if no candidate is correct.
    """
    best = np.max(scores, axis=1, where=right, initial=-np.inf)
    ahead = np.count_nonzero((scores >= best[:, None]) & ~right, axis=1)
    ranks: NDArray[np.int64] = np.where(right.any(axis=1), 1 + ahead, 1 + scores.shape[1])
    return ranks


def recall_at(ranks: ArrayLike, k: int) -> float:
    """The share of queries with a correct candidate among the first k; 0 if there are no queries.

    Args:
        ranks: (queries,), as returned by `best_ranks`.
        k: At least 1.
    """
    found = np.asarray(ranks) <= k
    return float(found.mean()) if found.size else 0.0


def chance_recall(right: ArrayLike, candidates: int, k: int) -> float:
    """Expected `recall_at` for candidates in random order: the mean of 1 − C(m−r, k) / C(m, k).

    Args:
        right: (queries,), the number of correct candidates of each query, r.
        candidates: The number of candidates, m.
        k: At least 1.

    Returns:
        In [0, 1]; 0 if there are no queries.
    """
    counts, of_each = np.unique(np.asarray(right, dtype=np.int64), return_counts=True)
    if not len(counts):
        return 0.0
    drawn = min(k, candidates)
    none = [math.comb(candidates - int(r), drawn) / math.comb(candidates, drawn) for r in counts]
    return float(1.0 - np.average(none, weights=of_each))


@dataclass(frozen=True)
class ProtocolScores:
    """The scores of the chains retrieved for some photos.

    Attributes:
        precision: Share of a photo's chain that is correct, mean over photos, in [0, 1].
        recall: Share of a photo's true texts that are in its chain, mean over photos, in [0, 1].
        f1: Harmonic mean of the two, in [0, 1].
        tau: Kendall's τ of the true texts' root distances against their tiers, in [−1, 1].
        recall_per_tier: For each tier, the share of the photos with a text at this tier whose
            chain contains it, in [0, 1].
        n: Number of photos.
        chains: The texts retrieved for each photo, general to specific.
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
    """A list of texts for each of n photos, flattened; each text is a number.

    Attributes:
        photos: (c,) the photo whose list an entry belongs to, ascending.
        texts: (c,) the entry's text.
        n: Number of lists, empty ones included.
    """

    photos: Integers
    texts: Integers
    n: int

    @cached_property
    def sizes(self) -> Integers:
        """(n,) the length of each list."""
        return np.bincount(self.photos, minlength=self.n)

    @cached_property
    def places(self) -> Integers:
        """(c,) the position of each entry in its list, from 0."""
        starts = np.cumsum(self.sizes) - self.sizes
        return np.arange(len(self.photos)) - starts[self.photos]

    def as_names(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The lists, with names for numbers."""
        texts = [names[text] for text in self.texts.tolist()]
        ends = np.cumsum(self.sizes).tolist()
        return [tuple(texts[start:end]) for start, end in pairwise([0, *ends])]


def text_lists(lists: Sequence[Sequence[str]], number_of: Mapping[str, int]) -> TextLists:
    """Replace texts by their numbers.

    Raises:
        UsageError: A text has no number.
    """
    texts = [text for each in lists for text in each]
    try:
        numbers = np.array([number_of[text] for text in texts], dtype=np.int64)
    except KeyError as error:
        raise UsageError(
            f"the text {error.args[0]!r} is not among the candidates",
            hint="Add all true texts to the candidates",
        ) from error
    sizes = np.array([len(each) for each in lists], dtype=np.int64)
    return TextLists(np.repeat(np.arange(len(lists)), sizes), numbers, len(lists))


def score_chains(
    found: Sequence[Sequence[str]],
    truth: Sequence[Sequence[str]],
    distances: Mapping[str, float],
) -> ProtocolScores:
    """Score the chains that were retrieved for photos.

    Args:
        found: A chain for each photo, at least one; empty if nothing was retrieved.
        truth: The true texts of each photo, general to specific.
        distances: The root distance of every text.

    Raises:
        UsageError: There are no photos, the two lists differ in length, or a text has no distance.
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
    """Score chains whose texts are numbers; see `score_chains`.

    Args:
        found: The chain of each photo.
        truth: The true texts of each photo.
        names: (m,) the text of each number.
        distances: (m,) the root distance of each text.

    Raises:
        UsageError: There are no photos, or the two lists differ in length.
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
        truth: The texts of each hierarchy, general to specific; at least one hierarchy.
        distances: The value of every text, such as its root distance.

    Raises:
        UsageError: A text has no value.
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


def _labelled(
    positive: ArrayLike, negative: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (1 for positive) and scores of both, as scikit-learn takes them."""
    right, wrong = np.asarray(positive), np.asarray(negative)
    return np.repeat([1, 0], [len(right), len(wrong)]), np.concatenate([right, wrong])
