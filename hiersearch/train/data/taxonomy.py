"""A vocabulary as something to train on: other names for its concepts, and steps left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hiersearch.train.data.hierarchies import text_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiersearch.concepts import Vocabulary

__all__ = ["Taxonomy"]


@dataclass(frozen=True)
class Taxonomy:
    """A directed graph without cycles, of concepts that may have several names.

    Attributes:
        vocabulary: The concepts and what is above them, whole: what is a kind of what is asked
            here, also where a step is cut.
        synonyms: Further names of concepts, by id.
        cut: Steps, (child's id, parent's id), that no hierarchy takes.
        apart: Pairs of text keys that are no tier and negative of each other.
        uses: How often each name of a concept stands for it in real texts, by id and in the order
            of `names`; a concept that is missing is not used. Empty where nothing is known.
    """

    vocabulary: Vocabulary
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cut: frozenset[tuple[str, str]] = frozenset()
    apart: frozenset[frozenset[str]] = frozenset()
    uses: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def names(self, concept: str) -> tuple[str, ...]:
        """All names of a concept, by its id; the vocabulary's first."""
        return (self.vocabulary[concept].name, *self.synonyms.get(concept, ()))

    @cached_property
    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each concept's names, in the names' order, by its id."""
        return {c.id: tuple(map(text_key, self.names(c.id))) for c in self.vocabulary}

    @cached_property
    def concepts_by_key(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the concepts that bear a name, by the name's key."""
        found: dict[str, dict[str, None]] = {}
        for concept, keys in self.keys.items():
            for key in keys:
                found.setdefault(key, {})[concept] = None
        return {key: tuple(ids) for key, ids in found.items()}

    @cached_property
    def kept_parents(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of each concept's parents but for the cut steps."""
        return {
            concept.id: tuple(p for p in concept.parents if (concept.id, p) not in self.cut)
            for concept in self.vocabulary
        }

    def related(self, one: str, other: str) -> bool:
        """Whether one text can mean the same as another, or something above or below it.

        A text stands for every concept that bears it: *bat* is below *animal* and below *club*.

        Args:
            one: The key of a concept's name.
            other: That of another.
        """
        return (
            not self._up(one).isdisjoint(self.concepts_by_key[other])
            or not self._up(other).isdisjoint(self.concepts_by_key[one])
            or (bool(self.apart) and frozenset((one, other)) in self.apart)
        )

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        return {}

    def _up(self, key: str) -> frozenset[str]:
        """The ids of the concepts that bear a name and of everything above them."""
        found = self._known.get(key)
        if found is None:
            bearers = self.concepts_by_key[key]
            found = frozenset(bearers).union(*map(self.vocabulary.ancestors, bearers))
            self._known[key] = found
        return found
