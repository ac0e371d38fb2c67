"""Fits the statistics of a model's vectors of photos to what people say of photos.

A concept that is said of FEWEST photos, or more, gets weights and a bias of its own. They start
where nothing was learned, on the curve that all concepts share, or where earlier statistics have
them, and PULL draws them back there: the less is known, the less they move.

Of a photo with one caption it is not known what four other people would say. If one of five names a
concept, one of them alone does so with that concept's own chance, which photos with five captions
tell: log P(said) = log P + log chance, log P(not said) = log(1 - chance P).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hiersearch.errors import require
from hiersearch.trees.statistics import Curve
from hiersearch.types import Floats

__all__ = ["FEWEST", "PEOPLE_ASKED", "Fit", "Said", "chances", "fit", "rescaled"]

FEWEST = 15
"""Photos that a concept is said of, for something to be learned about it."""

PEOPLE_ASKED = 5
"""What a membership is the probability of: that one of so many people names the concept."""

PULL = 100.0
"""Of own weights: a logit then usually moves by some two from where it started."""

EPOCHS = 10
BATCH = 1024
LEAST_STEPS = 300
"""What few photos make in so many epochs is too little."""

RATES = (0.02, 0.003, 0.05)
"""Of the curve, of weights and of biases; Adam's, falling to 0 along a cosine."""

USUAL_CHANCE = 0.5
"""That one person names what one of five names, where no photo has as many captions."""

USUAL = 5
"""A concept's own chance is drawn towards all concepts' by so many photos."""

_FIRST_CURVE = (1.8, 1.0, -1.0)

_USUAL_CHANGE = np.array([0.2, 0.5])
"""How far the logarithm of the scale, and the shift, of logits usually have to go: few photos, or
photos whose descriptions tell nothing, move them no further."""


@dataclass(frozen=True, eq=False)
class Said:
    """What people say of photos.

    Attributes:
        vectors: (n, dim) float32, unit vectors of the photos.
        named: (n, k) int8, how many of a photo's captions name a concept; below 0 where nobody
            can tell.
        captions: (n,), how many captions a photo has, at least 1.
    """

    vectors: Floats
    named: np.ndarray
    captions: np.ndarray

    def of(self, rows: np.ndarray) -> Said:
        """Of some of the photos, which `rows` chooses."""
        return Said(self.vectors[rows], self.named[rows], self.captions[rows])


@dataclass(frozen=True, eq=False)
class Fit:
    """What `fit` finds.

    Attributes:
        curve: For concepts that nothing was learned about.
        weights: (k, dim) float32.
        biases: (k,) float32.
        mean: (dim,) float32, of the photos' vectors.
        covariance: (dim, dim) float32, of the same.
    """

    curve: Curve
    weights: Floats
    biases: Floats
    mean: Floats
    covariance: Floats

    def logits(self, vectors: Floats) -> Floats:
        """(n, k) for vectors (n, dim)."""
        found: Floats = vectors @ self.weights.T + self.biases
        return found


def chances(said: Said) -> Floats:
    """The chance that a caption names a concept which one of five names.

    Returns:
        (k,) float32, of each concept; from photos with as many captions.
    """
    named = said.named[(said.captions >= PEOPLE_ASKED) & (said.named >= 0).all(axis=1)]
    times = np.minimum(named, PEOPLE_ASKED).sum(axis=0)
    photos = (named > 0).sum(axis=0)
    usual = times.sum() / (PEOPLE_ASKED * photos.sum()) if photos.any() else USUAL_CHANCE
    found = (times + usual * PEOPLE_ASKED * USUAL) / (PEOPLE_ASKED * (photos + USUAL))
    return np.asarray(found, dtype=np.float32)


def chances_by_captions(chance: Floats) -> Floats:
    """The same of so many captions as the row's number; (PEOPLE_ASKED + 1, k)."""
    counts = np.arange(PEOPLE_ASKED + 1)[:, None]
    found = np.asarray(1 - (1 - chance) ** counts, dtype=np.float32)
    found[PEOPLE_ASKED] = 1
    return found


def cost(logits: Floats, named: np.ndarray, chance: Floats) -> tuple[float, Floats]:
    """−log of the chance that captions say what they say, and its gradient.

    Args:
        logits: (n, k), that one of five people names the concept.
        named: (n, k), as in `Said`.
        chance: (n, k), that the photo's captions name what one of five people would.

    Returns:
        The sum, and (n, k) its derivative by the logits. What is said costs −log P: the rest of it
        is the same for all logits.
    """
    bounded = np.clip(logits, -30, 30)
    shown, absent = 1 / (1 + np.exp(-bounded)), 1 / (1 + np.exp(bounded))
    silent = absent + (1 - chance) * shown
    is_said, is_known = named > 0, named >= 0
    total = -np.log(np.where(is_said, shown, silent), where=is_known, out=np.zeros_like(shown))
    slope = np.where(is_said, -absent, chance * shown * absent / silent)
    return float(total.sum(dtype=np.float64)), np.where(is_known, slope, 0).astype(np.float32)


def fit(
    said: Said,
    words: Floats,
    chance: Floats,
    *,
    start: tuple[Floats, Floats, np.ndarray] | None = None,
    curve: Curve | None = None,
) -> Fit:
    """The curve, and the weights and biases of concepts.

    Args:
        said: What people say of the photos.
        words: (k, dim), unit text vectors of the concepts' names.
        chance: (k,), as from `chances`.
        start: Earlier weights (k, dim) and biases (k,), and (k,) whether there are any.
        curve: Where the curve starts.
    """
    mean = said.vectors.mean(axis=0)
    inputs = np.ascontiguousarray(said.vectors - mean, dtype=np.float32)
    covariance = inputs.T @ inputs / len(inputs)
    deviation = np.sqrt(np.maximum(np.einsum("kd,de,ke->k", words, covariance, words), 1e-12))
    directions = np.asarray(words / deviation[:, None], dtype=np.float32)
    by_captions = chances_by_captions(chance)
    captions = np.minimum(said.captions, PEOPLE_ASKED)
    rate = _log_rate(said, by_captions[captions])
    step = np.float32(words.shape[1] ** 0.5)  # a step then changes a logit as much as the curve's
    shared = np.ones(len(words), dtype=np.float32)
    fixed, fixed_biases = np.zeros_like(directions), np.zeros_like(rate)
    if start is not None:
        weights, biases, known = start
        shared = np.where(known, 0, 1).astype(np.float32)
        fixed = np.where(known[:, None], weights, 0).astype(np.float32)
        fixed_biases = np.where(known, biases + weights @ mean, 0).astype(np.float32)
    first = _FIRST_CURVE if curve is None else (curve.slope, curve.use, curve.offset)
    values = [
        np.array(first, dtype=np.float32),
        np.zeros_like(directions),
        np.zeros(len(words), dtype=np.float32),
    ]

    def combined() -> tuple[Floats, Floats]:
        of_all, own, bias = values
        weights = fixed + (shared * of_all[0])[:, None] * directions + step * own
        biases = fixed_biases + shared * (of_all[1] * rate + of_all[2]) + bias
        return weights, biases

    optimiser = _Adam(values)
    for rows, share in _batches(len(inputs)):
        weights, biases = combined()
        part = inputs[rows]
        _, slope = cost(part @ weights.T + biases, said.named[rows], by_captions[captions[rows]])
        scale = len(inputs) / len(rows)
        by_weight, by_bias = slope.T @ part * scale, slope.sum(axis=0) * scale
        by_curve = (
            (shared[:, None] * by_weight * directions).sum(),
            (shared * by_bias * rate).sum(),
            (shared * by_bias).sum(),
        )
        gradients = [
            np.array(by_curve, dtype=np.float32),
            by_weight * step + PULL * values[1],
            by_bias + values[2],
        ]
        optimiser.step(gradients, [first * share for first in RATES])
    weights, biases = combined()
    shared_slope, use, offset = map(float, values[0])
    return Fit(
        curve=Curve(shared_slope, use, offset),
        weights=weights,
        biases=biases - weights @ mean,
        mean=mean,
        covariance=np.asarray(covariance, dtype=np.float32),
    )


def rescaled(fitted: Fit, said: Said, chance: Floats) -> tuple[Fit, float, float]:
    """A fit whose logits suit photos that nothing was learned from.

    Args:
        fitted: As from `fit`.
        said: Of other photos.
        chance: As for `fit`.

    Returns:
        The fit, and the scale and the shift of its logits.

    Raises:
        MissingPackageError: SciPy is not installed.
    """
    optimize = require("scipy.optimize", extra="calibrate", purpose="calibrating a model")
    logits = fitted.logits(said.vectors)
    known = chances_by_captions(chance)[np.minimum(said.captions, PEOPLE_ASKED)]

    def value(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The cost, and its slope by the logarithm of the scale, which stays above 0, and shift."""
        scale, shift = np.exp(numbers[0], dtype=np.float32), np.float32(numbers[1])
        total, slope = cost(scale * logits + shift, said.named, known)
        by_scale = scale * (slope * logits).sum(dtype=np.float64)
        gradient = np.array([by_scale, slope.sum(dtype=np.float64)]) + numbers / _USUAL_CHANGE**2
        total += float(np.square(numbers / _USUAL_CHANGE).sum()) / 2
        return total / len(logits), gradient / len(logits)

    found = optimize.minimize(value, np.zeros(2), jac=True, method="L-BFGS-B")
    scale, shift = float(np.exp(found.x[0])), float(found.x[1])
    curve = fitted.curve
    return (
        replace(
            fitted,
            curve=Curve(curve.slope * scale, curve.use * scale, curve.offset * scale + shift),
            weights=np.asarray(fitted.weights * scale, dtype=np.float32),
            biases=np.asarray(fitted.biases * scale + shift, dtype=np.float32),
        ),
        scale,
        shift,
    )


def _log_rate(said: Said, chance: Floats) -> Floats:
    """(k,) the logarithm of how often one of five people would name each concept."""
    asked = np.where(said.named >= 0, chance, 0).sum(axis=0)
    times = np.maximum((said.named > 0).sum(axis=0), 0.5)
    return np.asarray(np.log(times / np.maximum(asked, 1)), dtype=np.float32)


def _batches(count: int) -> Iterator[tuple[np.ndarray, float]]:
    """Rows of each step, and how large it is beside the first."""
    generator = np.random.default_rng(0)
    size = min(BATCH, count)
    each = count // size
    steps = max(EPOCHS * each, LEAST_STEPS)
    for at in range(steps):
        if at % each == 0:
            order = generator.permutation(count)
        start = at % each * size
        yield order[start : start + size], (1 + np.cos(np.pi * at / steps)) / 2


class _Adam:
    """Kingma and Ba, arXiv 1412.6980, algorithm 1; changes the arrays that it is given."""

    def __init__(self, values: list[np.ndarray]) -> None:
        self._values = values
        self._first = [np.zeros_like(value) for value in values]
        self._second = [np.zeros_like(value) for value in values]
        self._steps = 0

    def step(self, gradients: list[np.ndarray], rates: list[float]) -> None:
        self._steps += 1
        for value, first, second, gradient, rate in zip(
            self._values, self._first, self._second, gradients, rates, strict=True
        ):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            mean = first / np.float32(1 - 0.9**self._steps)
            spread = np.sqrt(second / np.float32(1 - 0.999**self._steps)) + np.float32(1e-8)
            value -= np.float32(rate) * mean / spread
