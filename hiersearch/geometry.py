"""The geometry of a hierarchy in one embedding space.

Every text and photo is a unit vector. The hierarchy has a *root* r, a unit vector too: the
embedding of the empty text, which is more general than any other. For a parent t and a child v:

* root_distance:   d_x = ‖x − r‖, in [0, 2]; small is general, large is specific
* exterior angle:  Ξ(t, v) = ∠(t − r, v − t), in [0, π]; small means that v entails t
* half aperture:   ψ(t) = asin(min(1, K / d_t)), in [0, π/2], of the entailment cone at t

Sources: Ganea et al. 2018 (entailment cones); Desai et al. 2023, eq. 6-7 (MERU);
Alper & Averbuch-Elor 2024, section 3 (the Euclidean form with a root, used here).

NumPy arrays and torch tensors share one implementation (array API); torch is not needed. Leading
axes broadcast, the last axis is the embedding dimension. Two coinciding points have no direction
between them, so by definition the root contains everything, and everything contains itself:
cosine 1, angle 0. Nothing here returns NaN for finite input.
"""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from hiersearch.types import Array

__all__ = [
    "COINCIDENT_DISTANCE",
    "COINCIDENT_SQUARE",
    "angle_cosine_from_radial_score",
    "angle_cosine_from_score",
    "cone_half_aperture",
    "exterior_angle",
    "exterior_angle_cosine",
    "radial_direction",
    "root_distance",
]

COINCIDENT_DISTANCE = 1e-6
"""Vectors closer than this are one point: below it float32 coordinates hold no direction."""

COINCIDENT_SQUARE = 1e-6
"""Squared distances up to this count as zero where they come from float32 scores near 1."""


def root_distance(vectors: Array, root: Array) -> Array:
    """Distance of unit vectors from the root: d = ‖x − r‖.

    Args:
        vectors: (..., dim).
        root: (dim,).

    Returns:
        (...,), in [0, 2] for unit vectors.
    """
    xp = _namespace(vectors, root)
    return xp.linalg.vector_norm(vectors - root, axis=-1)


def radial_direction(parent: Array, root: Array) -> Array:
    """Unit vector that points from the root to the parent: u = (t − r) / d_t.

    Scores against u rank the children of t far better than scores against t.

    Args:
        parent: (..., dim).
        root: (dim,).

    Returns:
        (..., dim); zeros where the parent is the root, which has no direction.
    """
    xp = _namespace(parent, root)
    return _unit(xp, parent - root)[0]


def exterior_angle_cosine(parent: Array, child: Array, root: Array) -> Array:
    """Cosine of the exterior angle: cos Ξ = (t − r)·(v − t) / (‖t − r‖ ‖v − t‖).

    Args:
        parent: (..., dim).
        child: (..., dim), broadcast against the parent.
        root: (dim,).

    Returns:
        (...,), in [−1, 1].
    """
    xp = _namespace(parent, child, root)
    outward, outward_length = _unit(xp, parent - root)
    onward, onward_length = _unit(xp, child - parent)
    cosine = xp.clip(xp.sum(outward * onward, axis=-1), -1.0, 1.0)
    return _one_where(
        xp,
        cosine,
        (outward_length <= COINCIDENT_DISTANCE) | (onward_length <= COINCIDENT_DISTANCE),
    )


def exterior_angle(parent: Array, child: Array, root: Array) -> Array:
    """Exterior angle Ξ(t, v) in radians, at the parent.

    Computed as 2·atan2(‖a − b‖, ‖a + b‖) of the two unit directions (Kahan), which stays exact near
    0 and π, where the arc cosine loses half its digits and its gradient is infinite.

    Args:
        parent: (..., dim).
        child: (..., dim), broadcast against the parent.
        root: (dim,).

    Returns:
        (...,), in [0, π].
    """
    xp = _namespace(parent, child, root)
    outward, outward_length = _unit(xp, parent - root)
    onward, onward_length = _unit(xp, child - parent)
    apart = xp.linalg.vector_norm(outward - onward, axis=-1)
    along = xp.linalg.vector_norm(outward + onward, axis=-1)
    coincident = (outward_length <= COINCIDENT_DISTANCE) | (onward_length <= COINCIDENT_DISTANCE)
    # Both norms are zero where both directions are: the sum is replaced before atan2 sees it.
    angle = 2.0 * xp.atan2(apart, _one_where(xp, along, coincident))
    return xp.where(coincident, xp.zeros_like(angle), angle)


def angle_cosine_from_score(score: Array, parent_distance: Array, child_distance: Array) -> Array:
    """Cosine of the exterior angle from a similarity and two stored distances.

    cos Ξ = [s − 1 + (d_v² − d_t²)/2] / (d_t √(2 − 2s)), for the score s = t·v of unit vectors and
    any root. From float32 scores the error is below 1e-5 where ‖v − t‖ ≥ 0.1 and grows beyond.

    Args:
        score: (...,), s in [−1, 1].
        parent_distance: (...,), d_t in [0, 2].
        child_distance: (...,), d_v in [0, 2].

    Returns:
        (...,), in [−1, 1].
    """
    xp, (score, parent_distance, child_distance) = _arrays(score, parent_distance, child_distance)
    square = 2.0 - 2.0 * score
    numerator = score - 1.0 + (child_distance**2 - parent_distance**2) / 2.0
    return _cosine(xp, numerator, parent_distance, square)


def angle_cosine_from_radial_score(
    radial_score: Array, parent_distance: Array, child_distance: Array
) -> Array:
    """Cosine of the exterior angle from a score against the radial direction of the parent.

    cos Ξ = [d_t s_u − d_t²/2] / (d_t √(d_v² − 2 d_t s_u)), for s_u = u·v and a unit root.

    Args:
        radial_score: (...,), s_u in [−1, 1].
        parent_distance: (...,), d_t in [0, 2].
        child_distance: (...,), d_v in [0, 2].

    Returns:
        (...,), in [−1, 1].
    """
    xp, (radial_score, parent_distance, child_distance) = _arrays(
        radial_score, parent_distance, child_distance
    )
    reach = parent_distance * radial_score
    square = child_distance**2 - 2.0 * reach
    numerator = reach - parent_distance**2 / 2.0
    return _cosine(xp, numerator, parent_distance, square)


def cone_half_aperture(distance: Array, k: float = 0.1) -> Array:
    """Half aperture of the entailment cone: ψ(t) = asin(min(1, K / d_t)).

    Args:
        distance: (...,), d_t in [0, 2].
        k: K > 0, the distance within which the cone is a half space. 0.1 is MERU's value.

    Returns:
        (...,), in (0, π/2]; π/2 at the root.
    """
    xp, (distance,) = _arrays(distance)
    return xp.asin(k / xp.clip(distance, k, None))


def _namespace(*values: Array) -> Any:
    if all(isinstance(value, np.ndarray | np.generic) for value in values):
        return np  # which has all that is used here; its compatible form takes long to load
    return array_api_compat.array_namespace(*values)


def _arrays(*values: Array) -> tuple[Any, tuple[Array, ...]]:
    """The array namespace of the values, plain numbers among them made arrays of it."""
    found = [value for value in values if array_api_compat.is_array_api_obj(value)]
    xp = _namespace(*found) if found else _namespace(np.empty(0))
    return xp, tuple(
        value if array_api_compat.is_array_api_obj(value) else xp.asarray(value, dtype=xp.float64)
        for value in values
    )


def _unit(xp: Any, vectors: Array) -> tuple[Array, Array]:
    """The vectors' directions (zeros where they have none) and their lengths."""
    lengths = xp.linalg.vector_norm(vectors, axis=-1)
    none = lengths <= COINCIDENT_DISTANCE
    scale = xp.where(none, xp.zeros_like(lengths), 1.0 / _one_where(xp, lengths, none))
    return vectors * scale[..., None], lengths


def _cosine(xp: Any, numerator: Array, parent_distance: Array, square: Array) -> Array:
    """Numerator / (d_t √square), 1 where either factor is zero, clamped to [−1, 1]."""
    coincident = (square <= COINCIDENT_SQUARE) | (parent_distance**2 <= COINCIDENT_SQUARE)
    length = parent_distance * xp.sqrt(xp.clip(square, COINCIDENT_SQUARE, None))
    cosine = xp.clip(numerator / _one_where(xp, length, coincident), -1.0, 1.0)
    return _one_where(xp, cosine, coincident)


def _one_where(xp: Any, values: Array, condition: Array) -> Array:
    return xp.where(condition, xp.ones_like(values), values)
