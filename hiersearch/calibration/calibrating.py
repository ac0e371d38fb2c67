"""One calibration: from described photos to a model's statistics, with what they are worth."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hiersearch.calibration.fitting import (
    FEWEST,
    PEOPLE_ASKED,
    Fit,
    Said,
    chances,
    chances_by_captions,
    fit,
    rescaled,
)
from hiersearch.concepts import Vocabulary, builtin_vocabulary
from hiersearch.config import cache_dir
from hiersearch.errors import UsageError, require
from hiersearch.evaluation.embedder import Embedder
from hiersearch.progress import Progress, tell_nobody
from hiersearch.trees import (
    PERHAPS,
    SURE,
    THRESHOLDS,
    Labeller,
    PhotoStatistics,
    Trials,
    calibrate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hiersearch.calibration.descriptions import Described, Description
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.types import Floats

__all__ = ["FEWEST_PHOTOS", "Band", "CalibrationReport", "calibrate_model"]

FEWEST_PHOTOS = 200
"""With fewer the curve itself is a guess."""

_EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Band:
    """How true the memberships of one band are, for photos that nothing was learned from.

    Attributes:
        low: The least membership of the band.
        high: The greatest.
        pairs: How many photos and concepts fall into it.
        expected: The share that the photos' captions should name.
        named: The share that they name.
    """

    low: float
    high: float
    pairs: int
    expected: float
    named: float


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration.

    Attributes:
        statistics: Of the model.
        photos: From how many something was learned.
        kept: On how many others it was measured.
        learned: Concepts that something was learned about.
        bands: From the least probable pairs up.
        problems: What was left out of the data, and why.
    """

    statistics: PhotoStatistics
    photos: int
    kept: int
    learned: int
    bands: tuple[Band, ...]
    problems: tuple[str, ...]


def calibrate_model(
    encoder: HierarchicalEncoder,
    described: Described,
    vocabulary: Vocabulary,
    *,
    earlier: PhotoStatistics | None = None,
    source: str = "",
    on_progress: Progress = tell_nobody,
    environ: Mapping[str, str] = os.environ,
) -> CalibrationReport:
    """Fits a model's memberships to photos that people have described.

    Args:
        encoder: The model; should not have been trained on these photos, or the kept tenth of them.
        described: The photos.
        vocabulary: The concepts, with parents.
        earlier: Statistics to start from, and to keep where nothing is learned.
        source: Whose descriptions they are, and on what terms.
        on_progress: Told about work that takes time.
        environ: The environment, for the cache of vectors.

    Raises:
        UsageError: The vocabulary has no parents, or there are too few photos.
        UnreadablePhotoError: A photo cannot be decoded.
        ModelError: The model has no image tower.
    """
    # Before hours of encoding.
    require("scipy.optimize", extra="calibrate", purpose="calibrating a model")
    if not vocabulary.has_parents:
        raise UsageError(
            "photos have no memberships in a vocabulary without parents",
            hint="Give a vocabulary that says what is a kind of what",
        )
    count = len(described.train) + len(described.kept)
    if count < FEWEST_PHOTOS or not described.kept:
        raise UsageError(
            f"{count} photos are too few to tell how probable anything is",
            hint=f"Give {FEWEST_PHOTOS} or more, described by people",
        )
    chosen = _often_named(described, vocabulary)
    if not chosen:
        raise UsageError(
            f"no concept is said of {FEWEST} photos or more: there is nothing to learn",
            hint="Give more photos, or a vocabulary that has what they show",
        )
    embedder = Embedder(encoder, cache=cache_dir(environ))
    every = [*described.train, *described.kept]
    vectors = embedder.photos([photo.path for photo in every], on_progress)
    names = tuple(vocabulary.names[at].casefold() for at in chosen)
    words = embedder.texts([vocabulary.names[at] for at in chosen])
    cut = len(described.train)
    train = _said(described, described.train, vectors[:cut], chosen)
    kept = _said(described, described.kept, vectors[cut:], chosen)
    chance = chances(train)
    on_progress("learning from what is said", 0, 1)
    start, curve = (None, None) if earlier is None else (_start(earlier, names), earlier.curve)
    fitted = fit(train, words, chance, start=start, curve=curve)
    # The other half stays for the risk, which wants photos that nothing was fitted to.
    half = np.arange(len(kept.vectors)) % 2 == 0
    # What five people say tells more than the chance that one of them would have said it: of what
    # is plain to see, that chance is greater than of the rest.
    told = half & (kept.captions >= PEOPLE_ASKED)
    fitted, *_ = rescaled(fitted, kept.of(told if told.sum() >= FEWEST_PHOTOS else half), chance)
    statistics = _statistics(encoder.id, fitted, names, earlier, source)
    on_progress("learning from what is said", 1, 1)
    labeller = _labeller(encoder, embedder, vocabulary, vectors, statistics)
    trials = _trials(labeller, described, described.kept[1::2], vectors[cut:][1::2])
    return CalibrationReport(
        statistics=replace(statistics, trials=trials),
        photos=len(train.vectors),
        kept=len(kept.vectors),
        learned=len(names),
        bands=tuple(_bands(fitted, kept, chance)),
        problems=described.problems,
    )


def _often_named(described: Described, vocabulary: Vocabulary) -> list[int]:
    """Concepts to learn about: those said of enough photos, of a name that is theirs alone."""
    times = Counter(at for photo in described.train for at in photo.times)
    folded = [name.casefold() for name in vocabulary.names]
    owners = Counter(folded)
    return sorted(at for at, count in times.items() if count >= FEWEST and owners[folded[at]] == 1)


def _said(
    described: Described, photos: Sequence[Description], vectors: Floats, chosen: Sequence[int]
) -> Said:
    captions = np.array([photo.captions for photo in photos])
    return Said(vectors, described.times(photos, chosen), captions)


def _start(earlier: PhotoStatistics, names: Sequence[str]) -> tuple[Floats, Floats, np.ndarray]:
    place = {name: row for row, name in enumerate(earlier.names)}
    rows = np.array([place.get(name, -1) for name in names], dtype=np.intp)
    known = rows >= 0
    weights = np.zeros((len(names), len(earlier.mean)), dtype=np.float32)
    biases = np.zeros(len(names), dtype=np.float32)
    weights[known], biases[known] = earlier.weights[rows[known]], earlier.biases[rows[known]]
    return weights, biases, known


def _statistics(
    model_id: str,
    fitted: Fit,
    names: Sequence[str],
    earlier: PhotoStatistics | None,
    source: str,
) -> PhotoStatistics:
    """Statistics in the precision that they are kept in; what is not learned anew stays."""
    weights, biases, every = fitted.weights, fitted.biases, tuple(names)
    if earlier is not None:
        learned = set(names)
        rows = [row for row, name in enumerate(earlier.names) if name not in learned]
        weights = np.concatenate([weights, earlier.weights[rows]])
        biases = np.concatenate([biases, earlier.biases[rows]])
        every += tuple(earlier.names[row] for row in rows)
    half = weights.astype(np.float16)
    # Of all that labels depend on.
    content = repr((fitted.curve, every, SURE, PERHAPS)).encode()
    arrays = (half, biases, fitted.mean, fitted.covariance)
    digest = hashlib.sha256(content + b"".join(np.asarray(part).tobytes() for part in arrays))
    return PhotoStatistics(
        id=f"{model_id}-{digest.hexdigest()[:12]}",
        mean=fitted.mean,
        covariance=fitted.covariance,
        curve=fitted.curve,
        names=every,
        weights=half.astype(np.float32),
        biases=biases,
        source=source,
    )


def _labeller(
    encoder: HierarchicalEncoder,
    embedder: Embedder,
    vocabulary: Vocabulary,
    vectors: Floats,
    statistics: PhotoStatistics,
) -> Labeller:
    temperature = encoder.temperature
    texts = embedder.texts(builtin_vocabulary().names)
    calibration = calibrate(texts, vectors, temperature=temperature)
    words = embedder.texts(vocabulary.names)
    return Labeller(vocabulary, words, calibration, statistics=statistics)


def _trials(
    labeller: Labeller, described: Described, photos: Sequence[Description], vectors: Floats
) -> Trials:
    """Answers to the photos of which enough is said."""
    told = [row for row, photo in enumerate(photos) if photo.captions >= PEOPLE_ASKED]
    wrong = np.zeros(len(THRESHOLDS), dtype=int)
    answers = labeller.main_branches(vectors[told], THRESHOLDS) or []
    for row, lines in zip(told, answers, strict=True):
        wrong += [_is_wrong(line, photos[row], described) for line in lines]
    return Trials(len(told), tuple(map(int, wrong)), labeller.vocabulary.id)


def _is_wrong(line: Sequence[int], photo: Description, described: Described) -> bool:
    """Whether the deepest concept of an answer is false; of those that the data can tell."""
    if not line:
        return False
    if described.asked is not None:
        line = [at for at in line if at in described.asked]
    return not line or line[-1] not in photo.times


def _bands(fitted: Fit, kept: Said, chance: Floats) -> Iterator[Band]:
    stated = 1 / (1 + np.exp(-np.clip(fitted.logits(kept.vectors), -30, 30)))
    is_known = kept.named >= 0
    said = chances_by_captions(chance)[np.minimum(kept.captions, PEOPLE_ASKED)] * stated
    for low, high in pairwise(_EDGES):
        here = (stated >= low) & ((stated < high) | (high == 1)) & is_known
        if here.any():
            yield Band(
                low=low,
                high=high,
                pairs=int(here.sum()),
                expected=float(said[here].mean()),
                named=float((kept.named[here] > 0).mean()),
            )
