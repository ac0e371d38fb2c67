"""Answers a query: from its vector to levels, each with a concept and its photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiersearch.concepts import Vocabulary
from hiersearch.errors import UnreadablePhotoError, UsageError
from hiersearch.geometry import exterior_angle
from hiersearch.index.photo_rows import Rows
from hiersearch.index.results import Answer, Level
from hiersearch.index.understanding import Understanding
from hiersearch.photos import read_photo
from hiersearch.qdrant import HierarchicalCollection
from hiersearch.trees import FLOOR, Chain, Labeller, Tally, Tree, risk_floor
from hiersearch.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL.Image import Image

    from hiersearch.qdrant import Filter
    from hiersearch.trees import Trials

__all__ = ["answer", "check_query", "least_mass", "query_photo"]


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


def check_query(text: str | None, image: str | Path | None, *, levels: int, limit: int) -> None:
    """Makes sure that a query, as `PhotoIndex.query` takes it, can be answered.

    Raises:
        UsageError: Not exactly one of text and image was given, the text says nothing, or a number
            is out of range.
    """
    if (text is None) == (image is None):
        raise UsageError("a query is a text or a photo", hint="Give one of the two")
    if text is not None and not text.strip():
        raise UsageError("the query is empty", hint="Say what to look for")
    if text is not None and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UsageError("the query is not valid text", hint="Type it in UTF-8")
    if levels < 1 or limit < 0:
        raise UsageError("levels must be 1 or more and limit 0 or more")


def query_photo(path: Path, *, min_side: int) -> Image:
    """The photo of a query.

    Args:
        path: Its file.
        min_side: Shortest edge in pixels that the model looks at.

    Raises:
        UnreadablePhotoError: It cannot be decoded; the message names the file.
    """
    try:
        return read_photo(path.expanduser(), min_side=min_side).image
    except UnreadablePhotoError as error:
        raise UnreadablePhotoError(
            f"cannot read {path}: {error.message}", hint=error.hint or "Give another photo"
        ) from error


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


def least_mass(
    risk: float | None,
    min_mass: float | None,
    vocabulary: Vocabulary,
    *,
    is_photo: bool,
    trials: Callable[[], Trials | None],
) -> float | None:
    """The least mass of an answer's levels; None for what reads best.

    Args:
        risk: As `PhotoIndex.query` takes it.
        min_mass: Likewise.
        vocabulary: The concepts.
        is_photo: Whether a photo is asked.
        trials: Returns what the risk is measured on; asked for a risk alone.

    Raises:
        UsageError: One of the two is out of range or does not apply here, or both were given.
    """
    if min_mass is not None:
        if risk is not None:
            raise UsageError("give a risk or a least mass, not both")
        if not 0 <= min_mass <= 1:
            raise UsageError(f"the least mass is {min_mass}, not between 0 and 1")
        if not vocabulary.has_parents:
            raise UsageError(
                "levels have no masses where the vocabulary has no parents",
                hint="Leave out the least mass",
            )
    if risk is None:
        return min_mass
    if not is_photo:
        raise UsageError(
            "a risk is for photos: how often answers to texts are wrong was not measured",
            hint="Give a photo, or a least mass",
        )
    return risk_floor(risk, trials(), vocabulary.id)
