"""Measures of a model while it is trained, on hierarchies that are not trained on.

Those of HierarCaps, with the most specific text of each hierarchy, as it was before training, in
place of a photo; and how far the texts have moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.evaluation.metrics import kendall_tau
from hiersearch.evaluation.protocols import official
from hiersearch.geometry import exterior_angle, root_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hiersearch.data.hierarchies import Hierarchy
    from hiersearch.types import Floats


__all__ = ["Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """The measures; every value is finite.

    Attributes:
        tau: Kendall's τ of root distances against tiers, mean over hierarchies, in [−1, 1].
        precision: Of the radial path, in [0, 1].
        recall: Of the radial path, in [0, 1].
        entailment: The share of triples whose positive angle is below the negative one; 0.5 if
            there are no negatives.
        drift: (1 − mean cosine to before training) / 2 over all texts, in [0, 1].
    """

    tau: float
    precision: float
    recall: float
    entailment: float
    drift: float


def validate(
    hierarchies: Sequence[Hierarchy],
    embed: Callable[[Sequence[str]], Floats],
    before: Callable[[Sequence[str]], Floats],
    root: Floats,
) -> Validation:
    """Measure a model.

    Args:
        hierarchies: At least one.
        embed: From texts to (n, dim) rows of length 1, with the current weights.
        before: The same, before training.
        root: (dim,), what distances are measured from.
    """
    names = list(dict.fromkeys(text for h in hierarchies for text in h.positive))
    others = list(dict.fromkeys(text for h in hierarchies for text in h.negative))
    texts = list(dict.fromkeys([*names, *others]))
    vectors = embed(texts).astype(np.float64)
    moved = (1.0 - float(np.mean(np.sum(vectors * before(texts), axis=1)))) / 2.0
    row_of = {text: row for row, text in enumerate(texts)}
    distances = root_distance(vectors, root)
    taus = [kendall_tau([distances[row_of[text]] for text in h.positive]) for h in hierarchies]
    retrieved = official(
        before([h.positive[-1] for h in hierarchies]),
        vectors[: len(names)],
        root,
        [h.positive for h in hierarchies],
        names,
    )
    return Validation(
        tau=float(np.mean(taus)),
        precision=retrieved.precision,
        recall=retrieved.recall,
        entailment=_entailment(hierarchies, vectors, row_of, root),
        drift=max(moved, 0.0),
    )


def _entailment(
    hierarchies: Sequence[Hierarchy],
    vectors: NDArray[np.float64],
    row_of: dict[str, int],
    root: Floats,
) -> float:
    triples = [triple for hierarchy in hierarchies for triple in hierarchy.triples]
    if not triples:
        return 0.5
    parents, children, negatives = (
        vectors[[row_of[text] for text in texts]] for texts in zip(*triples, strict=True)
    )
    near = exterior_angle(parents, children, root)
    return float(np.mean(near < exterior_angle(parents, negatives, root)))
