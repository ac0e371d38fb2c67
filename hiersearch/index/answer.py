"""Answers a query: from its vector to levels, each with a concept and its photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiersearch.geometry import exterior_angle
from hiersearch.index.fields import PATH
from hiersearch.index.understanding import Understanding
from hiersearch.photos import path_to_text, text_to_path
from hiersearch.qdrant import Filter, HierarchicalCollection, Hit, all_of, equals
from hiersearch.trees import CONCEPTS, LIKELY, Chain, Labeller, Link
from hiersearch.types import Floats

__all__ = ["Answer", "Level", "PhotoHit", "answer"]


_ANSWER_VERSION = 1


@dataclass(frozen=True)
class PhotoHit:
    """A photo of the index.

    Attributes:
        path: Its file.
        copies: Further files of equal content.
        score: Cosine to the query, in [−1, 1].
    """

    path: Path
    copies: tuple[Path, ...]
    score: float


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
        count: How many photos of the index show the concept, surely or perhaps.
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
    """
    tree = None
    if understanding is None:
        tree = next(iter(labeller.trees(vector[None]) or ()), None)
    chain = _chain(vector, understanding, labeller) if tree is None else tree.chain
    if understanding is not None and not understanding.readable and chain.links:
        # The model cannot read the query, but what the vocabulary calls it.
        vector = labeller.embeddings[labeller.vocabulary.position(chain.concepts[-1])]
    familiarity = [labeller.vocabulary[one].familiarity for one in chain.concepts]
    return Answer(
        query=query,
        levels=tuple(
            _level(number, link, vector, photos, labeller, limit, where, trees)
            for number, link in enumerate(chain.trimmed(levels, familiarity), start=1)
        ),
        photos=_nearest(photos, vector, limit, where),
        branches=() if tree is None else _named(tree.branches(labeller.vocabulary), labeller),
        notes=understanding.notes if understanding is not None else (),
    )


def _named(
    branches: tuple[Chain, ...], labeller: Labeller
) -> tuple[tuple[tuple[str, float], ...], ...]:
    vocabulary = labeller.vocabulary
    return tuple(
        tuple((vocabulary[link.concept].name, link.mass or 0.0) for link in branch)
        for branch in branches
    )


def _chain(vector: Floats, understanding: Understanding | None, labeller: Labeller) -> Chain:
    if understanding is None:
        return labeller.chains(vector[None])[0]
    if understanding.concepts:
        return labeller.named_chain(vector, understanding.concepts)
    if not understanding.readable:
        return Chain()
    return labeller.chains(vector[None], texts=True)[0]


def _level(
    number: int,
    link: Link,
    vector: Floats,
    photos: HierarchicalCollection,
    labeller: Labeller,
    limit: int,
    where: Filter | None,
    trees: bool,
) -> Level:
    vocabulary = labeller.vocabulary
    parent = labeller.embeddings[vocabulary.position(link.concept)]
    surely = all_of(equals(CONCEPTS, link.concept), where)
    sure = count = photos.count(surely)
    found = _nearest(photos, vector, limit, surely)
    if trees:
        perhaps = all_of(equals(LIKELY, link.concept), where)
        count += photos.count(perhaps)
        found += _nearest(photos, vector, limit - len(found), perhaps)
    return Level(
        level=number,
        concept=vocabulary[link.concept].name,
        concept_id=link.concept,
        mass=link.mass,
        angle=float(exterior_angle(parent, vector, photos.root)),
        count=count,
        sure=sure,
        photos=found,
    )


def _nearest(
    photos: HierarchicalCollection, vector: Floats, limit: int, where: Filter | None
) -> tuple[PhotoHit, ...]:
    if limit == 0:
        return ()
    return tuple(
        _photo_hit(hit) for hit in photos.nearest(vector, limit=limit, filter=where, payload=[PATH])
    )


def _photo_hit(hit: Hit) -> PhotoHit:
    # Of equal files, one that exists: others may be on a disk that is not connected.
    paths = sorted(map(text_to_path, hit.payload[PATH]), key=lambda path: not path.exists())
    return PhotoHit(path=paths[0], copies=tuple(paths[1:]), score=hit.score)


def _photo_json(photo: PhotoHit) -> dict[str, Any]:
    stored: dict[str, Any] = {"path": path_to_text(photo.path), "score": round(photo.score, 4)}
    if photo.copies:
        stored["copies"] = [path_to_text(copy) for copy in photo.copies]
    return stored
