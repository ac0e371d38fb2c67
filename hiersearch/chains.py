"""From vectors to chains of concepts, by the way that suits the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from hiersearch.concepts import Vocabulary
from hiersearch.descent import Calibration, PosteriorDescent
from hiersearch.types import Floats

__all__ = [
    "CHAIN",
    "CONCEPTS",
    "MASSES",
    "Chain",
    "Labeller",
    "Link",
    "RadialPaths",
    "chain_payload",
]

CHAIN = "chain"
MASSES = "masses"
CONCEPTS = "concepts"


@dataclass(frozen=True)
class Link:
    """One concept of a chain.

    Attributes:
        concept: The concept's id.
        mass: Its share of the posterior, in [0, 1]; None on a radial path, which has none.
    """

    concept: str
    mass: float | None


Chain: TypeAlias = tuple[Link, ...]
"""Concepts from general to specific; empty where nothing in the vocabulary fits."""


class RadialPaths(Protocol):
    """Stored concepts that know the radial path of a vector over them."""

    def radial_path(self, vector: Floats) -> Sequence[Any]:
        """Hits, general to specific, whose payload names their `concept`."""


class Labeller:
    """Gives vectors their chains.

    With a calibration they come from the posterior descent, for vocabularies with parents; without
    one from the radial path, for vocabularies without.

    Args:
        vocabulary: The concepts.
        embeddings: (n, dim), float32 unit rows, a row per concept.
        calibration: The model's calibration, or None for the radial path.
        concepts: The stored concepts, for the radial path.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embeddings: Floats,
        calibration: Calibration | None,
        concepts: RadialPaths,
    ) -> None:
        self.vocabulary = vocabulary
        self.embeddings = embeddings
        self._calibration = calibration
        self._concepts = concepts
        self._descent = (
            PosteriorDescent(
                vocabulary.parent_positions,
                embeddings,
                calibration,
                familiarity=[concept.familiarity for concept in vocabulary],
            )
            if calibration is not None
            else None
        )

    def chains(self, vectors: Floats, *, texts: bool = False) -> list[Chain]:
        """The chain of each vector, untrimmed.

        Args:
            vectors: (b, dim), float32 unit rows.
            texts: Whether they are vectors of texts; photos and texts differ in sharpness.

        Returns:
            b chains.
        """
        if self._descent is None or self._calibration is None:
            return [self._radial_chain(vector) for vector in vectors]
        ids = [concept.id for concept in self.vocabulary]
        temperature = self._calibration.text_temperature if texts else self._calibration.temperature
        return [
            tuple(
                Link(ids[position], mass)
                for position, mass in zip(chain.concepts, chain.masses, strict=True)
            )
            for chain in self._descent.chains(vectors, temperature=temperature)
        ]

    def _radial_chain(self, vector: Floats) -> Chain:
        path = self._concepts.radial_path(vector)
        return tuple(Link(str(hit.payload["concept"]), None) for hit in path)


def chain_payload(chain: Chain, vocabulary: Vocabulary) -> dict[str, Any]:
    """The part of a photo's payload that its chain makes.

    Returns:
        `chain`: concept ids, general to specific; `masses`, if the chain has them; `concepts`: the
        chain and all its ancestors, sorted: what is counted and filtered.
    """
    ids = [link.concept for link in chain]
    return {
        "chain": ids,
        "masses": [round(link.mass, 4) for link in chain if link.mass is not None],
        "concepts": sorted(set(ids).union(*(vocabulary.ancestors(one) for one in ids))),
    }
