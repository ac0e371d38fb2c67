"""Photos for tests, of which it is known how probably they show what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hiersearch.calibration.fitting import PEOPLE_ASKED, Fit, Said

__all__ = ["CONCEPTS", "DIM", "World", "sigmoid", "stated", "unit", "world"]

DIM = 64
CONCEPTS = 20


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class World:
    """Photos, how probably one of five people names each concept, and what five people said.

    Attributes:
        vectors: (n, DIM), of the photos.
        words: (k, DIM), of the concepts' names.
        weights: (k, DIM), the true ones.
        biases: (k,), the true ones.
        true: (n, k), the probabilities.
        chance: (k,), that one person names what one of five names.
        says: (n, 5, k), whether each person names it.
    """

    vectors: np.ndarray
    words: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    true: np.ndarray
    chance: np.ndarray
    says: np.ndarray

    def said(self, captions: int | np.ndarray = PEOPLE_ASKED) -> Said:
        """What the first so many people say, of all photos or of each."""
        each = np.broadcast_to(captions, len(self.vectors))
        heard = self.says & (np.arange(PEOPLE_ASKED) < each[:, None])[:, :, None]
        return Said(self.vectors, heard.sum(axis=1).astype(np.int8), each)


@cache
def world(photos: int, seed: int = 0) -> World:
    """Photos of one source; another seed draws others from it."""
    source = np.random.default_rng(99)
    words = unit(source.normal(size=(CONCEPTS, DIM)))
    weights = 20 * unit(words + 0.7 * unit(source.normal(size=(CONCEPTS, DIM))))
    centre = np.full(DIM, 0.036)
    biases = np.linspace(-5, 0, CONCEPTS) - weights @ centre
    willing = np.linspace(0.2, 0.7, CONCEPTS)

    generator = np.random.default_rng(seed)
    vectors = unit(generator.normal(size=(photos, DIM)) + 0.3)
    true = sigmoid(vectors @ weights.T + biases)
    is_named = generator.random(true.shape) < true
    says = generator.random((photos, PEOPLE_ASKED, CONCEPTS)) < willing
    while (silent := is_named & ~says.any(axis=1)).any():
        again = generator.random(says.shape) < willing
        says = np.where(silent[:, None], again, says)
    says &= is_named[:, None]
    chance = willing / (1 - (1 - willing) ** PEOPLE_ASKED)
    return World(vectors, words, weights, biases, true, chance.astype(np.float32), says)


def stated(found: Fit, vectors: np.ndarray) -> np.ndarray:
    return sigmoid(found.logits(vectors))
