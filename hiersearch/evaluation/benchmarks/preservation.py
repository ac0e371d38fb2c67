"""Preservation: how far a tuned encoder has moved from the one it was made from.

For texts and for photos: the mean cosine of each vector with its old self, and Spearman's
correlation of all pairwise cosines before and after, which is invariant to rotations of the space.
For retrieval: differences of recall. Texts are the captions of the retrieval benchmark if they are
available, else names of the built-in vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hiersearch.concepts import builtin_vocabulary
from hiersearch.data.caption_sets import caption_files, read_captions
from hiersearch.data.data_files import checksum
from hiersearch.errors import MissingDataError, UsageError
from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.benchmarks import retrieval
from hiersearch.evaluation.metrics import spearman
from hiersearch.progress import Progress, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiersearch.evaluation.benchmark import Benchmark, Inputs, Scores
    from hiersearch.evaluation.embedder import Embedder
    from hiersearch.types import Floats


__all__ = [
    "BENCHMARK",
    "Preservation",
    "differences",
    "evaluate",
    "moved",
    "moved_by_chance",
    "pairwise_cosines",
]

Item = TypeVar("Item")

LEAST = 3
"""The fewest vectors whose pairs can be ranked."""

SAMPLE = 1000


def moved(vectors: Floats, base: Floats) -> dict[str, float | None]:
    """How far vectors have moved.

    Args:
        vectors: (n, dim) rows of length 1, at least one.
        base: (n, other dim) rows of length 1, of the same things by the other encoder.

    Returns:
        "mean_cosine" and "least_cosine" from −1 to 1, None if the dimensions differ;
        "pairwise_spearman" from −1 to 1, 0 if all cosines are equal, None for fewer than three
        vectors.
    """
    scores: dict[str, float | None] = {"mean_cosine": None, "least_cosine": None}
    if vectors.shape == base.shape:
        cosines = np.sum(vectors.astype(np.float64) * base, axis=1).clip(-1.0, 1.0)
        scores = {"mean_cosine": float(cosines.mean()), "least_cosine": float(cosines.min())}
    scores["pairwise_spearman"] = (
        spearman(pairwise_cosines(vectors), pairwise_cosines(base))
        if len(vectors) >= LEAST
        else None
    )
    return scores


def moved_by_chance(vectors: Floats, base: Floats, *, seed: int = 0) -> dict[str, float]:
    """Expected `moved` against an unrelated encoder.

    Args:
        vectors: As for `moved`.
        base: As for `moved`.
        seed: Random seed of the shuffle: each vector is compared with another one's old self.
    """
    chance = {"pairwise_spearman": 0.0} if len(vectors) >= LEAST else {}
    if vectors.shape == base.shape and len(base) > 1:
        # Rotating a shuffled order pairs no vector with its own.
        order = np.random.default_rng(seed).permutation(len(base))
        pairs = np.sum(vectors[order].astype(np.float64) * base[np.roll(order, 1)], axis=1)
        chance["mean_cosine"] = float(pairs.mean())
    return chance


def pairwise_cosines(vectors: Floats) -> Floats:
    """The cosines of all n(n−1)/2 pairs of (n, dim) rows of length 1."""
    cosines: Floats = (vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)]
    return cosines


def differences(scores: Scores, base: Scores) -> dict[str, Scores | float]:
    """Each number of `scores` minus that of the same name in `base`.

    Counts (whole numbers) and scores that only one of the two has are left out.
    """
    found: dict[str, Scores | float] = {}
    for name, value in scores.items():
        other = base.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found[name] = differences(value, other)
        elif isinstance(value, float) and isinstance(other, float):
            found[name] = value - other
    return found


def evaluate(
    embedder: Embedder,
    data: Path | None,
    *,
    base: Embedder | None = None,
    seed: int = 0,
    on_progress: Progress = tell_nobody,
    sample: int = SAMPLE,
) -> Result:
    """Compare an encoder with the one it was made from.

    Args:
        embedder: The tuned model.
        data: The folder of all benchmarks' data, or of the retrieval benchmark's; None for texts of
            the built-in vocabulary alone.
        base: The model before it was tuned.
        seed: Random seed of the sample of texts and photos.
        on_progress: Called while photos are encoded.
        sample: The most texts, and the most photos, to compare.

    Raises:
        UsageError: No base was given, or a file is invalid.
        UnreadablePhotoError: A photo cannot be decoded.
    """
    if base is None:
        raise UsageError(
            "preservation compares a model with the one it was made from, which was not given",
            hint="Name that model: --baseline MODEL",
        )
    notes: list[str] = []
    texts, photos, files = _things(embedder, base, data, seed, sample, notes)
    scores: dict[str, Scores | float | str | int | None] = {"baseline": base.name}
    chance: dict[str, Scores | float] = {}
    ours, theirs = embedder.texts(texts), base.texts(texts)
    scores["texts"] = moved(ours, theirs) | {"n": len(texts)}
    chance["texts"] = moved_by_chance(ours, theirs, seed=seed)
    scores["photos"] = None
    if photos:
        ours, theirs = embedder.photos(photos, on_progress), base.photos(photos, on_progress)
        scores["photos"] = moved(ours, theirs) | {"n": len(photos)}
        chance["photos"] = moved_by_chance(ours, theirs, seed=seed)
    same = embedder.root.shape == base.root.shape
    scores["root_cosine"] = float(np.dot(embedder.root, base.root)) if same else None
    if not same:
        notes.append(
            f"The models' vectors have {len(embedder.root)} and {len(base.root)} dimensions, so "
            "that there is no cosine between them"
        )
    scores["retrieval"] = None
    if photos:
        after = retrieval.evaluate(embedder, data, on_progress=on_progress)
        before = retrieval.evaluate(base, data, on_progress=on_progress)
        delta = differences(after.scores, before.scores)
        scores["retrieval"], chance["retrieval"] = delta, differences(delta, delta)
        notes += [note for note in after.notes if note not in notes]
        files = {**files, **after.files}
    return Result(
        benchmark="preservation", scores=scores, chance=chance, notes=tuple(notes), files=files
    )


class Preservation:
    """This benchmark for the registry; see `evaluate`."""

    name = "preservation"
    measures = "How far a tuned model has moved from the one it was made from."
    needs = "The data of retrieval; names of the built-in vocabulary if there is none."
    options: Mapping[str, str] = {
        "sample": "The most texts, and the most photos, to compare.",
    }
    compares_with_baseline = True

    def run(self, embedder: Embedder, inputs: Inputs, **options: Any) -> Result:
        """See `Benchmark.run`."""
        return evaluate(
            embedder,
            inputs.data,
            base=inputs.baseline,
            seed=inputs.seed,
            on_progress=inputs.on_progress,
            **options,
        )


BENCHMARK: Benchmark = Preservation()


def _things(
    embedder: Embedder,
    base: Embedder,
    data: Path | None,
    seed: int,
    sample: int,
    notes: list[str],
) -> tuple[list[str], list[Path], dict[str, str]]:
    """Texts and photos to compare, and the checksum of their file.

    Both come from the first set of retrieval that has photos. There are no photos if one of the
    models cannot encode them, or no set has any.
    """
    both_see = embedder.has_photos and base.has_photos
    if not both_see:
        notes.append("One of the models reads texts only, so photos and retrieval are left out")
    try:
        paths = list(caption_files(data).values())
    except MissingDataError:
        notes.append(
            "There is no data of retrieval, so texts are names of the built-in vocabulary, and "
            "photos and retrieval are left out"
        )
        return _drawn([concept.name for concept in builtin_vocabulary()], seed, sample), [], {}
    left_out: list[MissingDataError] = []
    for path in paths:
        try:
            given = read_captions(path, need_photos=both_see)
            break
        except MissingDataError as error:
            left_out.append(error)
    else:
        notes.append(f"Photos and retrieval are left out: {left_out[0].message}")
        path, both_see = paths[0], False
        given = read_captions(path, need_photos=False)
    photos = _drawn(given.photos, seed, sample) if both_see else []
    return _drawn(given.captions, seed, sample), photos, {path.name: checksum(path)}


def _drawn(items: Sequence[Item], seed: int, sample: int) -> list[Item]:
    """A random sample of the distinct items, in their original order."""
    distinct = list(dict.fromkeys(items))
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:sample]
    return [distinct[at] for at in sorted(chosen.tolist())]
