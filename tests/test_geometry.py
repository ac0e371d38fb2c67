from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiersearch import geometry

DIMENSION = 8
BACKENDS = {
    "numpy32": lambda x: np.asarray(x, dtype=np.float32),
    "numpy64": lambda x: np.asarray(x, dtype=np.float64),
    "torch32": lambda x: torch.asarray(np.asarray(x), dtype=torch.float32),
    "torch64": lambda x: torch.asarray(np.asarray(x), dtype=torch.float64),
}


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def naive_angle(parent: np.ndarray, child: np.ndarray, root: np.ndarray) -> float:
    """The definition, term by term, with Python floats."""
    outward = [float(t) - float(r) for t, r in zip(parent, root, strict=True)]
    onward = [float(v) - float(t) for v, t in zip(child, parent, strict=True)]
    lengths = math.hypot(*outward) * math.hypot(*onward)
    dot = math.fsum(a * b for a, b in zip(outward, onward, strict=True))
    return math.acos(max(-1.0, min(1.0, dot / lengths)))


def random_units(seed: int, *shape: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(*shape, DIMENSION)))


units = (
    hnp.arrays(np.float64, DIMENSION, elements=st.floats(-1, 1, width=32))
    .filter(lambda v: np.linalg.norm(v) > 1e-3)
    .map(unit)
)


@pytest.fixture(params=BACKENDS)
def to_backend(request):
    return BACKENDS[request.param]


def test_angle_is_the_definition_for_every_pair(to_backend):
    root, parents, children = random_units(0), random_units(1, 20), random_units(2, 20)
    expected = [naive_angle(t, v, root) for t, v in zip(parents, children, strict=True)]
    arguments = to_backend(parents), to_backend(children), to_backend(root)
    np.testing.assert_allclose(np.asarray(geometry.exterior_angle(*arguments)), expected, atol=2e-6)
    np.testing.assert_allclose(
        np.asarray(geometry.exterior_angle_cosine(*arguments)), np.cos(expected), atol=2e-6
    )


def test_score_forms_agree_with_the_vectors(to_backend):
    root, parents, children = random_units(3), random_units(4, 50), random_units(5, 50)
    expected = [math.cos(naive_angle(t, v, root)) for t, v in zip(parents, children, strict=True)]
    t, v, r = to_backend(parents), to_backend(children), to_backend(root)
    d_t, d_v = geometry.root_distance(t, r), geometry.root_distance(v, r)
    from_score = geometry.angle_cosine_from_score((t * v).sum(-1), d_t, d_v)
    u = geometry.radial_direction(t, r)
    from_radial = geometry.angle_cosine_from_radial_score((u * v).sum(-1), d_t, d_v)
    np.testing.assert_allclose(np.asarray(from_score), expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(from_radial), expected, atol=1e-5)


def test_one_parent_broadcasts_over_children_and_parents_over_children(to_backend):
    root, parents, children = random_units(6), random_units(7, 3), random_units(8, 5)
    angles = geometry.exterior_angle(
        to_backend(parents)[:, None], to_backend(children)[None], to_backend(root)
    )
    assert tuple(angles.shape) == (3, 5)
    row = geometry.exterior_angle(to_backend(parents[1]), to_backend(children), to_backend(root))
    np.testing.assert_array_equal(np.asarray(angles[1]), np.asarray(row))


def test_the_type_and_precision_that_went_in_come_out(to_backend):
    root, parent, child = (
        to_backend(random_units(9)),
        to_backend(random_units(10)),
        to_backend(random_units(11)),
    )
    for value in (
        geometry.root_distance(child, root),
        geometry.radial_direction(parent, root),
        geometry.exterior_angle(parent, child, root),
        geometry.exterior_angle_cosine(parent, child, root),
        geometry.cone_half_aperture(geometry.root_distance(child, root)),
        geometry.angle_cosine_from_score(child @ parent, child @ root, parent @ root),
        geometry.angle_cosine_from_radial_score(child @ parent, child @ root, parent @ root),
    ):
        assert value.dtype == root.dtype
        assert isinstance(value, torch.Tensor) == isinstance(root, torch.Tensor)


def test_plain_numbers_among_tensors_leave_a_tensor_that_has_a_gradient():
    score = torch.tensor([0.4, 0.5], dtype=torch.float64, requires_grad=True)
    found = geometry.angle_cosine_from_score(score, 4 / 5, 10 / 9)
    expected = geometry.angle_cosine_from_score(np.array([0.4, 0.5]), 4 / 5, 10 / 9)
    assert np.array_equal(found.detach().numpy(), expected)
    found.sum().backward()
    assert score.grad.abs().min() > 0


def test_the_root_contains_everything(to_backend):
    root, child = to_backend(random_units(12)), to_backend(random_units(13))
    assert float(geometry.exterior_angle(root, child, root)) == 0.0
    assert float(geometry.exterior_angle_cosine(root, child, root)) == 1.0
    assert float(abs(geometry.radial_direction(root, root)).max()) == 0.0
    d_v = geometry.root_distance(child, root)
    assert float(geometry.angle_cosine_from_score((root * child).sum(), d_v * 0, d_v)) == 1.0
    assert float(geometry.angle_cosine_from_radial_score(d_v * 0, d_v * 0, d_v)) == 1.0


def test_everything_contains_itself(to_backend):
    root, thing = to_backend(random_units(14)), to_backend(random_units(15))
    assert float(geometry.exterior_angle(thing, thing, root)) == 0.0
    assert float(geometry.exterior_angle(root, root, root)) == 0.0
    d = geometry.root_distance(thing, root)
    assert float(geometry.angle_cosine_from_score((thing * thing).sum(), d, d)) == 1.0
    u = geometry.radial_direction(thing, root)
    assert float(geometry.angle_cosine_from_radial_score((u * thing).sum(), d, d)) == 1.0


def test_a_child_beyond_its_parent_has_angle_zero_and_one_before_it_pi():
    root, far = np.zeros(2), np.array([1.0, 0.0])
    assert geometry.exterior_angle(far / 2, far, root) == pytest.approx(0.0)
    assert geometry.exterior_angle(far, far / 2, root) == pytest.approx(math.pi)


def test_plain_numbers_are_taken():
    # d_t = d_v = 1 and 60 degrees between the three: an equilateral triangle, exterior angle 120.
    assert float(geometry.angle_cosine_from_score(0.5, 1.0, 1.0)) == pytest.approx(-0.5)


def test_half_aperture(to_backend):
    distance = to_backend([0.0, 0.05, 0.1, 0.2, 2.0])
    expected = [math.pi / 2, math.pi / 2, math.pi / 2, math.asin(0.5), math.asin(0.05)]
    np.testing.assert_allclose(
        np.asarray(geometry.cone_half_aperture(distance)), expected, atol=1e-6
    )


@given(root=units, parent=units, child=units)
@settings(deadline=None)
def test_never_nan_and_in_range_in_float32(root, parent, child):
    r, t, v = (np.float32(x) for x in (root, parent, child))
    angle = geometry.exterior_angle(t, v, r)
    assert 0 <= angle <= np.float32(math.pi) + 1e-6
    d_t, d_v = geometry.root_distance(t, r), geometry.root_distance(v, r)
    for cosine in (
        geometry.exterior_angle_cosine(t, v, r),
        geometry.angle_cosine_from_score(t @ v, d_t, d_v),
        geometry.angle_cosine_from_radial_score(geometry.radial_direction(t, r) @ v, d_t, d_v),
    ):
        assert -1 <= cosine <= 1


@given(root=units, parent=units, child=units)
@settings(deadline=None)
def test_law_of_cosines_holds(root, parent, child):
    """d_v² = d_t² + b² + 2 d_t b cos Ξ, the triangle that root, parent and child make."""
    d_t, d_v = geometry.root_distance(parent, root), geometry.root_distance(child, root)
    b = geometry.root_distance(child, parent)
    cosine = geometry.exterior_angle_cosine(parent, child, root)
    assert d_v**2 == pytest.approx(d_t**2 + b**2 + 2 * d_t * b * cosine, abs=1e-5)


def test_gradient_is_finite_everywhere_even_on_a_straight_line_and_at_coinciding_points():
    root = torch.zeros(3)
    straight = torch.tensor([1.0, 0.0, 0.0])
    for parent, child in (
        (straight / 2, straight),
        (straight, straight / 2),
        (straight, straight),
        (root, straight),
        (root, root),
    ):
        t, v = parent.clone().requires_grad_(), child.clone().requires_grad_()
        geometry.exterior_angle(t, v, root).backward()
        assert torch.isfinite(t.grad).all()
        assert torch.isfinite(v.grad).all()


def test_gradient_agrees_with_finite_differences():
    root, parent, child = (torch.asarray(random_units(seed)) for seed in (16, 17, 18))
    assert torch.autograd.gradcheck(
        lambda t, v: geometry.exterior_angle(t, v, root),
        (parent.requires_grad_(), child.requires_grad_()),
    )


@pytest.mark.parametrize("distance", [0.0, 5e-4, 9.9e-4])
def test_squares_up_to_a_millionth_are_zero_where_they_come_from_scores(to_backend, distance):
    """For v = t and for t = r: the value is exactly 1, and no other."""
    apart, one = to_backend([distance]), to_backend([1.0])
    # t = r, for any child; then v = t, for a parent at distance 1, by both forms.
    assert float(geometry.angle_cosine_from_score(one * 0.3, apart, one)[0]) == 1.0
    assert float(geometry.angle_cosine_from_radial_score(one * 0.3, apart, one)[0]) == 1.0
    score = 1 - apart**2 / 2
    assert float(geometry.angle_cosine_from_score(score, one, one)[0]) == 1.0
    reach = (1 - apart**2) / 2  # so that d_v² − 2 d_t s_u is the square
    assert float(geometry.angle_cosine_from_radial_score(reach, one, one)[0]) == 1.0


def test_squares_above_a_millionth_are_not_zero(to_backend):
    apart, one = to_backend([1.1e-3]), to_backend([1.0])
    assert float(geometry.angle_cosine_from_score(one * 0.3, apart, one)[0]) < 1.0
    assert float(geometry.angle_cosine_from_radial_score(-one * 0.3, apart, one)[0]) < 1.0
    assert float(geometry.angle_cosine_from_score(1 - apart**2 / 2, one, one)[0]) < 1.0
    reach = (1 - apart**2) / 2
    assert float(geometry.angle_cosine_from_radial_score(reach, one, one)[0]) < 1.0


def test_rounding_takes_no_cosine_beyond_one():
    chance = np.random.default_rng(3)
    roots, outward = chance.normal(size=(2, 4000, DIMENSION)).astype(np.float32)
    for factor, expected in ((1.7, 1.0), (0.3, -1.0)):  # beyond the parent, and before it
        parents = roots + outward
        children = roots + np.float32(factor) * outward
        for root, parent, child in zip(roots, parents, children, strict=True):
            cosine = geometry.exterior_angle_cosine(parent, child, root)
            assert -1.0 <= cosine <= 1.0
            assert cosine == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scores_that_no_vectors_have_are_held_within_one(sign):
    score, parent_distance = 0.9, 1.0
    impossible = sign * 1.001 * math.sqrt(2 - 2 * score)  # the numerator that gives it
    child_distance = math.sqrt(parent_distance**2 + 2 * (impossible + 1 - score))
    assert geometry.angle_cosine_from_score(score, parent_distance, child_distance) == sign


def test_points_exactly_as_near_as_counts_as_one_are_one():
    root, near = np.zeros(2), np.array([geometry.COINCIDENT_DISTANCE, 0.0])
    assert np.linalg.norm(near) == geometry.COINCIDENT_DISTANCE
    beside = np.array([0.0, 0.5])
    assert geometry.exterior_angle(near, beside, root) == 0.0
    assert geometry.exterior_angle_cosine(near, beside, root) == 1.0
    assert not geometry.radial_direction(near, root).any()
    assert geometry.exterior_angle(beside, beside + near, root) == 0.0
    assert geometry.exterior_angle_cosine(beside, beside + near, root) == 1.0
    distance = math.sqrt(geometry.COINCIDENT_SQUARE)
    assert distance**2 == geometry.COINCIDENT_SQUARE
    assert geometry.angle_cosine_from_score(0.3, distance, 1.0) == 1.0
