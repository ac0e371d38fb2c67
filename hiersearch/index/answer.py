"""Answers a query: from its vector to levels, each with a concept and its photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hiersearch.concepts import Vocabulary
from hiersearch.geometry import exterior_angle
from hiersearch.index.photo_rows import PhotoHit, Rows
from hiersearch.index.understanding import Understanding
from hiersearch.photos import path_to_text
from hiersearch.qdrant import HierarchicalCollection
from hiersearch.trees import FLOOR, Chain, Labeller, Tally, Tree
from hiersearch.types import Floats

if TYPE_CHECKING:
    from hiersearch.qdrant import Filter

__all__ = ["Answer", "Level", "PhotoHit", "answer"]


_ANSWER_VERSION = 1


@dataclass(frozen=True)
class Level:
    """One step of a coarse-to-fine answer.

    Attributes:
        level: 1 is the coarsest.
        concept: The concept's name.
        concept_id: Its id in the vocabulary.
        mass: How probably the query's photo shows the concept, in [0, 1]; 1 if a text names it; of
            other texts, and where photos have no trees, the share of the posterior on the concept
            and all below it; None for vocabularies without parents.
        angle: Exterior angle from the concept to the query, in radians in [0, pi]: small if the
            query is a kind of it.
        count: How many photos of the index are expected to show the concept.
        sure: How many surely do; where photos have no trees, the same as `count`.
        photos: The best of them: those that surely show it before those that perhaps do, each
            nearest first.
    """

    level: int
    concept: str
    concept_id: str
    mass: float | None
    angle: float
    count: int
    sure: int
    photos: tuple[PhotoHit, ...]


@dataclass(frozen=True)
class Answer:
    """The answer to a query, from general to specific.

    Attributes:
        query: The text, or the path of the query's photo.
        levels: From coarse to fine; empty where nothing in the vocabulary fits, and where the
            query means nothing to the model.
        photos: The photos nearest to the query in the whole index, nearest first.
        branches: Of a photo, all that it surely shows: lines of concepts with their
            probabilities, general to specific, the levels' line first. Empty for a text.
        notes: What of the query was not understood, and what to do: sentences for people.
    """

    query: str
    levels: tuple[Level, ...]
    photos: tuple[PhotoHit, ...]
    branches: tuple[tuple[tuple[str, float], ...], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data, in the documented format, version 1."""
        return {
            "version": _ANSWER_VERSION,
            "query": self.query,
            "levels": [
                {
                    "level": level.level,
                    "concept": level.concept,
                    "mass": None if level.mass is None else round(level.mass, 4),
                    "angle": round(level.angle, 4),
                    "count": level.count,
                    "sure": level.sure,
                    "photos": [_photo_json(photo) for photo in level.photos],
                }
                for level in self.levels
            ],
            "photos": [_photo_json(photo) for photo in self.photos],
            "branches": [
                [{"concept": concept, "mass": round(mass, 4)} for concept, mass in branch]
                for branch in self.branches
            ],
            "notes": list(self.notes),
        }


def answer(
    query: str,
    vector: Floats,
    *,
    understanding: Understanding | None,
    photos: HierarchicalCollection,
    labeller: Labeller,
    levels: int,
    limit: int,
    where: Filter | None = None,
    trees: bool = False,
    tally: Tally | None = None,
    floor: float | None = None,
) -> Answer:
    """Answers a query.

    The levels of a text that names a concept go down to that concept. What those of another text
    or of a photo are, its vector says.

    Args:
        query: What the answer calls the query.
        vector: (dim,), float32, unit length.
        understanding: What is understood of the query, if it is a text; None for a photo.
        photos: The photos to choose from.
        labeller: Gives the vector its chain.
        levels: The most levels to return, at least 1.
        limit: The most photos per level, at least 0.
        where: Only photos that match are counted and listed.
        trees: Whether the photos have trees.
        tally: Of their memberships; None where it is not known.
        floor: The least mass of a level; by default what reads best.
    """
    tree = None
    if understanding is None:
        tree = next(iter(labeller.trees(vector[None], floor=floor) or ()), None)
    chain = _chain(vector, understanding, labeller, floor) if tree is None else tree.chain
    if understanding is not None and not understanding.readable and chain.links:
        # The model cannot read the query, but what the vocabulary calls it.
        vector = labeller.embeddings[labeller.vocabulary.position(chain.concepts[-1])]
    familiarity = [labeller.vocabulary[one].familiarity for one in chain.concepts]
    rows = Rows(
        photos,
        labeller.vocabulary,
        vector,
        limit=limit,
        where=where,
        trees=trees,
        tally=tally,
    )
    return Answer(
        query=query,
        levels=_levels(chain.trimmed(levels, familiarity), vector, photos.root, labeller, rows),
        photos=rows.nearest,
        branches=() if tree is None else _branches(tree, labeller.vocabulary, floor),
        notes=understanding.notes if understanding is not None else (),
    )


def _branches(
    tree: Tree, vocabulary: Vocabulary, floor: float | None
) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The branches with names, down to the least mass."""
    named = (
        tuple(
            (vocabulary[link.concept].name, link.mass)
            for link in branch
            if link.mass is not None and link.mass >= (floor or 0)
        )
        for branch in tree.branches(vocabulary)
    )
    return tuple(filter(None, named))


def _chain(
    vector: Floats, understanding: Understanding | None, labeller: Labeller, floor: float | None
) -> Chain:
    least = FLOOR if floor is None else floor
    if understanding is None:
        return labeller.chains(vector[None], floor=least)[0]
    if understanding.concepts:
        return labeller.named_chain(vector, understanding.concepts)
    if not understanding.readable:
        return Chain()
    return labeller.chains(vector[None], texts=True, floor=least)[0]


def _levels(
    chain: Chain, vector: Floats, root: Floats, labeller: Labeller, rows: Rows
) -> tuple[Level, ...]:
    """Levels of which none is expected to have more photos than the one above it."""
    vocabulary = labeller.vocabulary
    found: list[Level] = []
    for number, link in enumerate(chain, start=1):
        row = rows.of(link.concept)
        parent = labeller.embeddings[vocabulary.position(link.concept)]
        found.append(
            Level(
                level=number,
                concept=vocabulary[link.concept].name,
                concept_id=link.concept,
                mass=link.mass,
                angle=float(exterior_angle(parent, vector, root)),
                count=min([row.count, *(level.count for level in found[-1:])]),
                sure=row.sure,
                photos=row.photos,
            )
        )
    return tuple(found)


def _photo_json(photo: PhotoHit) -> dict[str, Any]:
    stored: dict[str, Any] = {"path": path_to_text(photo.path), "score": round(photo.score, 4)}
    if photo.copies:
        stored["copies"] = [path_to_text(copy) for copy in photo.copies]
    return stored
