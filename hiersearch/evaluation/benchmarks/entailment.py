"""Does the exterior angle tell a text that follows from another from one that contradicts it?

Measured on hierarchies in the format of HierarCaps' train file: for each tier but the last, the
angle from its text to the next tier's, which implies it, and to its negative, which contradicts it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.data.hierarcaps_files import (
    PAIR_FILES,
    SOURCE,
    find_pairs_file,
    read_pairs,
)
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.metrics import auroc, average_precision
from hiersearch.geometry import exterior_angle

if TYPE_CHECKING:
    from pathlib import Path

    from hiersearch.evaluation.benchmark import Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Reals


__all__ = ["Entailment", "entailment_angles", "entailment_scores", "measure_entailment"]

UNKNOWN: Mapping[str, float | int | None] = {"average_precision": None, "auroc": None, "n": 0}


@dataclass(frozen=True)
class Entailment:
    """What was measured.

    Attributes:
        scores: `average_precision`, `auroc` and the number of pairs, `n`.
        chance: What guessing would score.
        positive: Angles in radians of pairs that entail.
        negative: Angles in radians of pairs that do not.
        notes: What a reader should know.
        file: The file that the hierarchies were read from, if any.
    """

    scores: Scores
    chance: Scores = field(default_factory=dict)
    positive: Sequence[float] = ()
    negative: Sequence[float] = ()
    notes: tuple[str, ...] = ()
    file: Path | None = None


def entailment_angles(
    vectors: Mapping[str, Reals],
    root: Reals,
    hierarchies: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> tuple[Reals, Reals]:
    """Exterior angles of pairs that entail, and of pairs that contradict.

    Args:
        vectors: (dim,) of every text.
        root: (dim,).
        hierarchies: Positive and negative texts, equally many of both; at least one hierarchy.

    Returns:
        (n,) positive and (n,) negative angles in radians, in [0, π].
    """
    triples = [
        (parent, child, negative)
        for positives, negatives in hierarchies
        for parent, child, negative in zip(positives, positives[1:], negatives, strict=False)
    ]
    parents, children, others = (
        np.stack([vectors[text] for text in texts]) for texts in zip(*triples, strict=True)
    )
    return (
        np.asarray(exterior_angle(parents, children, root)),
        np.asarray(exterior_angle(parents, others, root)),
    )


def entailment_scores(positive: Reals, negative: Reals) -> dict[str, float | int | None]:
    """How well small angles identify the pairs that entail.

    Args:
        positive: (p,) angles of pairs that entail, at least one.
        negative: (n,) angles of pairs that do not, at least one.
    """
    return {
        "average_precision": average_precision(-positive, -negative),
        "auroc": auroc(-positive, -negative),
        "n": len(positive) + len(negative),
    }


def measure_entailment(
    embedder: Embedder,
    test_file: Path,
    *,
    most: int,
    seed: int,
    fetch: Callable[[], Path] | None = None,
) -> Entailment:
    """Measure entailment on a file of hierarchies with negatives.

    Args:
        embedder: The model.
        test_file: HierarCaps' test file; the file of hierarchies is looked for beside it.
        most: The most hierarchies to use; if there are more, a random sample is taken.
        seed: Random seed of the sample.
        fetch: Finds or downloads the file if it is not there, or raises a `MissingDataError`. If
            that file is invalid a note says so, since nobody asked for it.

    Raises:
        UsageError: The file beside the test file is invalid.
    """
    path = find_pairs_file(test_file)
    if path is not None:
        return _measured(embedder, path, most, seed)
    lacking = f"there is no {' or '.join(PAIR_FILES)} beside the test file"
    try:
        if fetch is not None:
            return _measured(embedder, fetch(), most, seed)
    except (MissingDataError, UsageError) as error:
        lacking += f", and {error.message}"
    return Entailment(
        UNKNOWN, notes=(f"Entailment is not measured: {lacking}; it comes from {SOURCE}",)
    )


def _measured(embedder: Embedder, path: Path, most: int, seed: int) -> Entailment:
    pairs = read_pairs(path)
    notes = []
    if pairs.left_out:
        notes.append(
            f"{pairs.left_out} rows of {path.name} are left out: not as many negatives as texts"
        )
    hierarchies = list(pairs.hierarchies)
    if len(hierarchies) > most:
        hierarchies = random.Random(seed).sample(hierarchies, most)
    if not hierarchies:
        notes.append(f"Entailment is not measured: {path.name} holds no pairs")
        return Entailment(UNKNOWN, notes=tuple(notes), file=path)
    notes.append(
        f"Entailment is measured on {len(hierarchies)} hierarchies of {path.name}; a model that "
        "was trained on them has an advantage"
    )
    texts = list(dict.fromkeys(text for both in hierarchies for some in both for text in some))
    vectors = dict(zip(texts, embedder.texts(texts), strict=True))
    positive, negative = entailment_angles(vectors, embedder.root, hierarchies)
    return Entailment(
        entailment_scores(positive, negative),
        {"average_precision": len(positive) / (len(positive) + len(negative)), "auroc": 0.5},
        positive.tolist(),
        negative.tolist(),
        tuple(notes),
        path,
    )
