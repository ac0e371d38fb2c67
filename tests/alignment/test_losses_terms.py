"""The tensor-only parts against loops over plain numbers, written from the formulas."""

from __future__ import annotations

import math

import pytest
import torch

from hiersearch.alignment.losses.contrastive import symmetric_contrastive
from hiersearch.alignment.losses.entailment_cone import ConeCost
from hiersearch.alignment.losses.hierarchy_loss import drift
from hiersearch.alignment.losses.radial_cross_modal import (
    most_specific,
    path_terms,
    transitive_bound,
)
from hiersearch.alignment.losses.radial_embedding import AngleCost
from hiersearch.alignment.losses.triples import triple_terms

TIERS = [2, 3, 4, 5]
DIMENSION = 6


def radial_embedding_terms(positives, negatives, root, **present):
    return triple_terms(positives, negatives, root, AngleCost(), **present)


def entailment_cone_terms(positives, negatives, root, *, margin, k=0.1, **present):
    return triple_terms(positives, negatives, root, ConeCost(margin, k), **present)


def vectors(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(*shape, DIMENSION, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(found, dim=-1)


def batch(tiers: int, *, rows: int = 5, seed: int = 0):
    root = vectors(seed=seed + 2)
    return vectors(rows, tiers, seed=seed), vectors(rows, tiers, seed=seed + 1), root


def masks(rows: int, tiers: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.rand(rows, tiers, generator=generator) < 0.8,
        torch.rand(rows, tiers, generator=generator) < 0.6,
    )


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def length(a) -> float:
    return math.sqrt(sum(x * x for x in a))


def angle(parent, child, root) -> float:
    """Ξ: at the parent, between the ray from the root and the way to the child."""
    a, b = minus(parent, root), minus(child, parent)
    if length(a) < 1e-6 or length(b) < 1e-6:
        return 0.0
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / length(a) / length(b)
    return math.acos(max(-1.0, min(1.0, cosine)))


def aggregate(pairs) -> tuple[float, float]:
    """Of (cost of the positive pair, cost of the negative pair or None)."""
    if not pairs:
        return 0.0, 0.0
    positive = [p for p, _ in pairs]
    negative = [n for _, n in pairs if n is not None]
    mean = sum(positive) / len(positive)
    totals = [p + (n or 0.0) for p, n in pairs]

    def at_worst(costs) -> float:
        worst = [total for total, cost in zip(totals, costs, strict=True) if cost == max(costs)]
        return sum(worst) / len(worst)

    minimax = at_worst(positive)
    if negative:
        mean += sum(negative) / len(negative)
        costs = [-math.inf if n is None else n for _, n in pairs]
        minimax += at_worst(costs)
    return mean, minimax


def slow_terms(positives, negatives, root, cost, *, has_positives=None, has_negatives=None):
    """Mean and mini-max where `cost` is of (angle, parent's distance, is it a positive pair)."""
    pairs = []
    for row in range(len(positives)):
        chain = positives[row].tolist()
        for i in range(len(chain) - 1):
            if has_positives is not None and not (
                has_positives[row, i] and has_positives[row, i + 1]
            ):
                continue
            distance = length(minus(chain[i], root.tolist()))
            p = cost(angle(chain[i], chain[i + 1], root.tolist()), distance, True)
            n = None
            if negatives is not None and (has_negatives is None or has_negatives[row, i]):
                n = cost(
                    angle(chain[i], negatives[row, i].tolist(), root.tolist()), distance, False
                )
            pairs.append((p, n))
    return aggregate(pairs)


def radial(angle, distance, positive) -> float:
    return angle if positive else -angle


def cone(margin, k):
    def cost(angle, distance, positive) -> float:
        excess = angle - math.asin(min(1.0, k / distance) if distance else 1.0)
        return max(0.0, margin + (excess if positive else -excess))

    return cost


def slow_path(positives, negatives, root, slack, *, anchor="root"):
    """Local, mini-max and global terms of whole paths."""
    root = root.tolist()
    pairs, by_tier = [], [[] for _ in range(positives.shape[1] - 2)]
    for row in range(len(positives)):
        chain = positives[row].tolist()

        def at(i, other, chain=chain):
            above = root if i == 0 or anchor == "root" else chain[i - 1]
            return angle(chain[i], other, above)

        steps = [at(i, chain[i + 1]) for i in range(len(chain) - 1)]
        for i, step in enumerate(steps):
            pairs.append((step, None if negatives is None else -at(i, negatives[row, i].tolist())))
        for j in range(1, len(chain) - 1):
            cosines = [max(0.0, math.cos(steps[j - 1])), max(0.0, math.cos(steps[j]))]
            bound = math.acos(min(1.0, cosines[0] * cosines[1]))
            by_tier[j - 1].append(max(0.0, at(j - 1, chain[j + 1]) - bound + slack))
    whole = [sum(tier) / len(tier) for tier in by_tier]
    return *aggregate(pairs), sum(whole) / len(whole) if whole else 0.0


def close(found, expected, *, within: float = 1e-9) -> None:
    assert [float(value) for value in found] == pytest.approx(
        [float(value) for value in expected], abs=within
    )


@pytest.mark.parametrize("tiers", TIERS)
@pytest.mark.parametrize("with_negatives", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_radial_embedding_is_the_formula(tiers, with_negatives, unit):
    positives, negatives, root = batch(tiers)
    negatives = negatives if with_negatives else None
    root = root if unit else root * 0.3

    found = radial_embedding_terms(positives, negatives, root)

    close(found, slow_terms(positives, negatives, root, radial))


@pytest.mark.parametrize("tiers", TIERS)
@pytest.mark.parametrize("with_negatives", [True, False])
@pytest.mark.parametrize(("margin", "k"), [(0.0, 0.1), (0.5, 0.4), (-0.2, 1.2), (4.0, 0.1)])
def test_entailment_cone_is_the_formula(tiers, with_negatives, margin, k):
    positives, negatives, root = batch(tiers, seed=7)
    negatives = negatives if with_negatives else None

    found = entailment_cone_terms(positives, negatives, root, margin=margin, k=k)

    close(found, slow_terms(positives, negatives, root, cone(margin, k)))


@pytest.mark.parametrize("tiers", [*TIERS, 7])
@pytest.mark.parametrize("with_negatives", [True, False])
@pytest.mark.parametrize("slack", [0.0, math.pi / 2, -0.5])
@pytest.mark.parametrize("anchor", ["previous", "root"])
def test_paths_are_the_formula(tiers, with_negatives, slack, anchor):
    positives, negatives, root = batch(tiers, seed=11)
    negatives = negatives if with_negatives else None

    found = path_terms(positives, negatives, root, slack=slack, anchor=anchor)

    close(found, slow_path(positives, negatives, root, slack, anchor=anchor))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_not_there_counts_for_nothing(seed):
    positives, negatives, root = batch(4, seed=seed)
    has_positives, has_negatives = masks(5, 4, seed)
    present = {"has_positives": has_positives, "has_negatives": has_negatives}

    re = radial_embedding_terms(positives, negatives, root, **present)
    ec = entailment_cone_terms(positives, negatives, root, margin=0.3, k=0.5, **present)

    close(re, slow_terms(positives, negatives, root, radial, **present))
    close(ec, slow_terms(positives, negatives, root, cone(0.3, 0.5), **present))


@pytest.mark.parametrize("anchor", ["previous", "root"])
@pytest.mark.parametrize("slack", [0.0, 1.0])
def test_shorter_paths_are_paths(slack, anchor):
    """Tiers missing at either end leave what the path without them would give."""
    positives, negatives, root = batch(5, seed=3, rows=4)
    told = {"slack": slack, "anchor": anchor}
    short = path_terms(positives[:, 1:4], negatives[:, 1:4], root, **told)
    has = torch.tensor([[False, True, True, True, False]]).expand(4, 5)

    found = path_terms(positives, negatives, root, has_positives=has, has_negatives=has, **told)

    close(found, short)


def test_triples_take_the_negative_of_the_parents_tier():
    positives, negatives, root = batch(3)
    before = radial_embedding_terms(positives, negatives, root)
    negatives[:, -1] = vectors(5, seed=99)

    close(radial_embedding_terms(positives, negatives, root), before)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(seed):
    positives, negatives, root = batch(4, rows=7, seed=seed)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(seed))
    others = vectors(7, seed=50)

    for terms in (
        lambda p, n: radial_embedding_terms(p, n, root),
        lambda p, n: entailment_cone_terms(p, n, root, margin=0.2),
        lambda p, n: path_terms(p, n, root),
        lambda p, n: path_terms(p, n, root, anchor="previous"),
        lambda p, n: [drift(p, n)],
    ):
        close(terms(positives[order], negatives[order]), terms(positives, negatives))
    whole = symmetric_contrastive(positives[:, 0], others, temperature=0.1)
    shuffled = symmetric_contrastive(positives[order, 0], others[order], temperature=0.1)
    close([shuffled], [whole])


def test_cones_with_a_large_margin_are_the_radial_loss():
    positives, negatives, root = batch(4)
    positives.requires_grad_()
    re = radial_embedding_terms(positives, negatives, root)
    ec = entailment_cone_terms(positives, negatives, root, margin=5.0, k=0.3)

    assert ec[0].item() == pytest.approx(re[0].item() + 10.0)
    (expected,) = torch.autograd.grad(re[0], positives)
    (found,) = torch.autograd.grad(ec[0], positives)
    torch.testing.assert_close(found, expected)


def test_drift_is_the_formula():
    now, before = vectors(3, 8, seed=0), vectors(3, 8, seed=1)
    cosines = [
        sum(x * y for x, y in zip(a, b, strict=True))
        for a, b in zip(now.flatten(0, 1).tolist(), before.flatten(0, 1).tolist(), strict=True)
    ]
    close([drift(now, before)], [(1 - sum(cosines) / len(cosines)) / 2])
    close([drift(now, now)], [0.0])
    close([drift(now, -now)], [1.0])
    close([drift(now, before, present=torch.zeros(3, 8, dtype=torch.bool))], [0.0])


def slow_contrastive(texts, others, temperature) -> float:
    scores = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in others] for a in texts]
    total = 0.0
    n = len(texts)
    for i in range(n):
        right = [j for j in range(n) if length(minus(texts[i], texts[j])) < 1e-6]
        row = [scores[i][j] / temperature for j in range(n)]
        column = [scores[j][i] / temperature for j in range(n)]
        for line in (row, column):
            normaliser = math.log(sum(math.exp(value) for value in line))
            total += sum(normaliser - line[j] for j in right) / len(right) / 2
    return total / n


@pytest.mark.parametrize("temperature", [1.0, 0.07])
def test_contrastive_is_the_formula(temperature):
    texts, others = vectors(6, seed=0), vectors(6, seed=1)
    found = symmetric_contrastive(texts, others, temperature=temperature)
    close([found], [slow_contrastive(texts.tolist(), others.tolist(), temperature)])

    plain = texts @ others.T / temperature
    rows = torch.nn.functional.cross_entropy(plain, torch.arange(6))
    columns = torch.nn.functional.cross_entropy(plain.T, torch.arange(6))
    close([found], [(rows + columns) / 2])


def test_repeated_texts_share_their_photos():
    texts, others = vectors(5, seed=0), vectors(5, seed=1)
    texts[3] = texts[1]
    found = symmetric_contrastive(texts, others, temperature=0.2)
    close([found], [slow_contrastive(texts.tolist(), others.tolist(), 0.2)])


def test_pairs_that_are_not_there_change_nothing():
    texts, others = vectors(5, seed=0), vectors(5, seed=1)
    present = torch.tensor([True, False, True, True, False])
    found = symmetric_contrastive(texts, others, temperature=0.2, present=present)
    close([found], [symmetric_contrastive(texts[present], others[present], temperature=0.2)])
    nothing = symmetric_contrastive(texts, others, temperature=0.2, present=present & False)
    assert float(nothing) == 0.0


def test_most_specific_tier():
    positives, *_ = batch(3, rows=3)
    has = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])
    found = most_specific(positives, has)
    torch.testing.assert_close(found, positives[[0, 1, 2], [1, 2, 0]])


@pytest.mark.parametrize("a", [0.0, 1e-9, 1e-3, 0.4, 1.2, math.pi / 2, 2.5, math.pi])
@pytest.mark.parametrize("b", [0.0, 1e-9, 1e-3, 0.4, 1.2, math.pi / 2, 2.5, math.pi])
def test_the_transitive_bound(a, b):
    first, second = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b))
    bound = transitive_bound(first, second)
    product = max(0.0, math.cos(a)) * max(0.0, math.cos(b))
    assert bound.item() == pytest.approx(math.acos(product), abs=1e-7)

    bound.backward()
    for gradient in (first.grad, second.grad):
        assert gradient is not None
        assert 0.0 <= float(gradient) <= 1.0 + 1e-9
