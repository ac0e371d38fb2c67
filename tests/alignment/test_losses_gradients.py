"""Gradients of the tensor-only parts, and what they are where geometry has no direction."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from hiersearch.alignment.losses.contrastive import symmetric_contrastive
from hiersearch.alignment.losses.hierarchy_loss import drift
from hiersearch.alignment.losses.radial_cross_modal import (
    path_terms,
)
from hiersearch.geometry import exterior_angle
from tests.alignment.test_losses_terms import (
    batch,
    close,
    cone,
    entailment_cone_terms,
    radial,
    radial_embedding_terms,
    slow_path,
    slow_terms,
)

TERMS = {
    "radial embedding": lambda p, n, r: sum(radial_embedding_terms(p, n, r)),
    "entailment cone": lambda p, n, r: sum(entailment_cone_terms(p, n, r, margin=1.0, k=0.2)),
    "paths": lambda p, n, r: sum(path_terms(p, n, r)),
    "paths, rank by rank": lambda p, n, r: sum(path_terms(p, n, r, anchor="previous")),
    "paths, transitivity alone": lambda p, n, r: path_terms(p, n, r, slack=0.0)[2],
    "drift": lambda p, n, r: drift(p, n + 0 * r),
    "contrastive": lambda p, n, r: symmetric_contrastive(p[:, 0], n[:, 0] + r, temperature=0.3),
}


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("tiers", [2, 4])
def test_gradients(name, tiers):
    inputs = [values.requires_grad_() for values in batch(tiers, rows=3, seed=21)]
    assert torch.autograd.gradcheck(TERMS[name], inputs, atol=1e-5)


def nearly_straight(turn: float, *, backwards: bool, dtype=torch.float64):
    """A hierarchy of three tiers whose angles are all `turn`, or π − `turn`."""
    root = torch.tensor([0.1, 0.0, 0.0], dtype=dtype)
    sign = -1.0 if backwards else 1.0
    points, heading = [], torch.tensor([1.0, 0.0, 0.0], dtype=dtype)
    side = torch.tensor([0.0, 1.0, 0.0], dtype=dtype)
    point = root + 0.5 * heading
    for _ in range(3):
        points.append(point)
        point = point + 0.3 * (sign * math.cos(turn) * heading + math.sin(turn) * side)
    return torch.stack(points)[None], root


@pytest.mark.parametrize("turn", [1e-2, 1e-4, 1e-6, 1e-9, 1e-12, 0.0])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_stay_bounded_near_cosines_of_one(turn, backwards, dtype):
    positives, root = nearly_straight(turn, backwards=backwards, dtype=dtype)
    negatives = positives.flip(0) + 0.01
    for name, terms in TERMS.items():
        if name in ("contrastive", "drift"):  # of no angles
            continue
        p, n, r = (v.clone().requires_grad_() for v in (positives, negatives, root))
        value = terms(p, n, r)
        value.backward()
        assert value.isfinite(), name
        for gradient in (p.grad, n.grad, r.grad):
            if gradient is not None:
                assert gradient.isfinite().all(), name
                # An angle's gradient is at most one over the shortest side, here about 0.3, save
                # of the negatives, which lie 0.01 away.
                assert gradient.abs().max() < 1e3, name


@pytest.mark.parametrize("turn", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("backwards", [False, True])
def test_an_angles_gradient_is_exact_near_cosines_of_one(turn, backwards):
    """It is one over the child's distance, across the way there, however small the angle."""
    positives, root = nearly_straight(turn, backwards=backwards)
    parent, child = positives[0, 0], positives[0, 1].requires_grad_()
    exterior_angle(parent, child, root).backward()
    assert child.grad is not None
    assert float(child.grad.norm()) == pytest.approx(1 / 0.3, rel=1e-6)
    # Against differences that are small beside the angle.
    step = turn * 1e-3
    for axis in range(2):
        moved = torch.zeros(3, dtype=torch.float64)
        moved[axis] = step
        with torch.no_grad():
            ahead = exterior_angle(parent, child + moved, root)
            behind = exterior_angle(parent, child - moved, root)
        slope = float(ahead - behind) / (2 * step)
        assert float(child.grad[axis]) == pytest.approx(slope, abs=1e-3)


def degenerate():
    """Hierarchies in which things coincide."""
    positives, negatives, root = batch(4, rows=1, seed=5)
    cases = {}
    for first, second in itertools.combinations(range(4), 2):
        equal = positives.clone()
        equal[:, second] = equal[:, first]
        cases[f"tiers {first} and {second} equal"] = equal, negatives, root
    at_root = positives.clone()
    at_root[:, 0] = root
    cases["the first is the root"] = at_root, negatives, root
    child_at_root = positives.clone()
    child_at_root[:, 1] = root
    cases["a child is the root"] = child_at_root, negatives, root
    cases["two tiers, equal"] = positives[:, :1].expand(1, 2, -1), negatives[:, :2], root
    cases["negatives equal their parents"] = positives, positives.clone(), root
    cases["all equal"] = positives[:, :1].expand(1, 4, -1), positives[:, :1].expand(1, 4, -1), root
    cases["all the root"] = root.expand(1, 4, -1), root.expand(1, 4, -1), root
    cases["a root at the origin"] = positives, negatives, torch.zeros_like(root)
    cases["no rows"] = positives[:0], negatives[:0], root
    return cases


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_triples(case, name, dtype):
    inputs = [values.to(dtype).clone().requires_grad_() for values in degenerate()[case]]
    value = TERMS[name](*inputs)
    assert value.isfinite()
    if value.requires_grad:  # not the transitivity of two tiers
        value.backward()
    for values in inputs:
        assert values.grad is None or values.grad.isfinite().all()


@pytest.mark.parametrize("case", degenerate())
def test_degenerate_triples_have_the_values_of_the_formula(case):
    positives, negatives, root = degenerate()[case]
    close(
        radial_embedding_terms(positives, negatives, root),
        slow_terms(positives, negatives, root, radial),
        within=1e-7,  # the reference's own arc cosine near 0 and π
    )
    close(
        entailment_cone_terms(positives, negatives, root, margin=0.4),
        slow_terms(positives, negatives, root, cone(0.4, 0.1)),
        within=1e-7,
    )
    if len(positives):
        for anchor in ("previous", "root"):
            close(
                path_terms(positives, negatives, root, anchor=anchor),
                slow_path(positives, negatives, root, math.pi / 2, anchor=anchor),
                within=1e-7,
            )


@pytest.mark.parametrize("distance", [0.0, 0.05, 0.1, 0.1 + 1e-12, 0.1 + 1e-6, 0.1001, 0.102])
def test_cones_near_the_root(distance):
    """Within K of the root a cone is a half space, and the aperture has no gradient."""
    root = torch.zeros(3, dtype=torch.float64)
    parent = torch.tensor([distance, 0.0, 0.0], dtype=torch.float64)
    child = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    positives = torch.stack([parent, child])[None].requires_grad_()
    mean, _ = entailment_cone_terms(positives, None, root, margin=2.0, k=0.1)
    mean.backward()
    expected = slow_terms(positives.detach(), None, root, cone(2.0, 0.1))
    assert mean.item() == pytest.approx(expected[0], abs=1e-9)
    assert positives.grad is not None
    assert positives.grad.isfinite().all()
    assert positives.grad.abs().max() < 1e3
