"""Queries that rank points by exterior angle inside Qdrant: fetch candidates, then apply a formula.

On a server with several shards the candidates are fetched per shard, so more are ranked in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from hiersearch.geometry import COINCIDENT_DISTANCE, radial_direction, root_distance
from hiersearch.qdrant.formula import ancestor_formula, descendant_formula

__all__ = ["Candidates", "ancestor_query", "descendant_query"]

Floats = NDArray[np.float32]

NEAR = 32
"""Candidates fetched by plain similarity too, so that the vector itself, and what lies so close to
it that its angle is decided by definition, is among them."""


@dataclass(frozen=True)
class Candidates:
    """Which points a ranking considers.

    Attributes:
        number: How many are fetched for a formula.
        filter: Which points they are taken from.
        params: How they are searched.
        using: The name of the vector; None is the unnamed one.
    """

    number: int
    filter: models.Filter
    params: models.SearchParams
    using: str | None

    def by(self, vector: Floats, number: int | None = None) -> models.Prefetch:
        """The points nearest to a vector."""
        return models.Prefetch(
            query=vector.tolist(),
            using=self.using,
            filter=self.filter,
            params=self.params,
            limit=self.number if number is None else number,
        )

    def scored_by(self, vector: Floats, parts: list[models.Prefetch]) -> models.Prefetch:
        """The points of several prefetches, each once, with their scores against one vector."""
        return models.Prefetch(
            prefetch=parts,
            query=vector.tolist(),
            using=self.using,
            limit=sum(part.limit or 0 for part in parts),
        )


def descendant_query(parent: Floats, root: Floats, candidates: Candidates) -> dict[str, Any] | None:
    """`prefetch` and `query` for `query_points`: points by Ξ(parent, point).

    The score u·v against the radial direction u = (t − r)/d_t is, but for the length of v − t, the
    numerator of the cosine: nearest to u, not to t, are the points of small angle.

    Returns:
        None where the parent is the root, which contains everything alike.
    """
    distance = float(root_distance(parent.astype(np.float64), root.astype(np.float64)))
    if distance <= COINCIDENT_DISTANCE:
        return None
    direction = radial_direction(parent.astype(np.float64), root.astype(np.float64))
    parts = [candidates.by(direction), candidates.by(parent, NEAR)]
    return {
        "prefetch": candidates.scored_by(direction, parts),
        "query": descendant_formula(distance),
    }


def ancestor_query(child: Floats, root: Floats, candidates: Candidates) -> dict[str, Any]:
    """`prefetch` and `query` for `query_points`: points by Ξ(point, child).

    The numerator of the cosine, (t − r)·(v − t) = t·(v + r) − 1 − r·v, is greatest half-way between
    the root and the child, but its denominator vanishes at both: good parents lie along the whole
    arc. So candidates are fetched at several places of it and scored against the child.
    """
    distance = float(root_distance(child.astype(np.float64), root.astype(np.float64)))
    arc = [_between(root, child, share) for share in ARC]
    each = -(-candidates.number // len(arc))
    parts = [candidates.by(vector, each) for vector in arc]
    return {"prefetch": candidates.scored_by(child, parts), "query": ancestor_formula(distance)}


ARC = (0.0, 0.25, 0.5, 0.75, 1.0)


def _between(root: Floats, child: Floats, share: float) -> Floats:
    """The direction that lies at that share of the way from the root to the child."""
    mixed = (1.0 - share) * root + share * child
    length = float(np.linalg.norm(mixed))
    return np.asarray(mixed / length if length > COINCIDENT_DISTANCE else child, dtype=np.float32)
