"""Photos of an index as documents."""

from __future__ import annotations

from collections.abc import Iterator

from hiersearch import Answer, Level, PhotoHit, PhotoIndex
from hiersearch.photos import path_to_text
from langchain_core.documents import Document

from langchain_hiersearch.base import HierarchicalRetriever

__all__ = ["PhotoRetriever"]


class PhotoRetriever(HierarchicalRetriever):
    """The photos of an index that a text describes.

    The query's chain of concepts is followed from its specific end to its general one: first the
    nearest photos under the most specific concept, then those under the next, at last the nearest
    of the whole index. Each photo comes once, at its most specific level.

    A document's text is the photo's name and the concepts down to its level, as
    "cat.jpg: animal > mammal > cat". Its `score` is the cosine to the query; further metadata are
    `path`, `copies`, `concept_id`, `mass` (share of the posterior on the concept and all below it)
    and `count` (photos under the concept). At level 0, which has no concept, what belongs to one is
    None.

    Attributes:
        index: The index, which stays the caller's to close.
        where: Conditions on the photos, like "taken>=2020" or "folder=Holidays"; all must hold.

    Example:
        >>> with PhotoIndex.open("holiday.index") as index:
        ...     retriever = PhotoRetriever(index=index, k=6, where=("taken>=2020",))
        ...     documents = retriever.invoke("a temple")
    """

    index: PhotoIndex
    where: tuple[str, ...] = ()

    def _documents(self, query: str, k: int) -> list[Document]:
        answer = self.index.query(query, levels=self.levels, limit=k, where=self.where)
        found: dict[str, Document] = {}
        for photo, chain in _placed(answer):
            document = _document(photo, chain)
            found.setdefault(document.metadata["path"], document)
        return list(found.values())[:k]


def _placed(answer: Answer) -> Iterator[tuple[PhotoHit, tuple[Level, ...]]]:
    """Photos with the levels that they lie under, most specific first."""
    for depth in range(len(answer.levels), 0, -1):
        for photo in answer.levels[depth - 1].photos:
            yield photo, answer.levels[:depth]
    for photo in answer.photos:
        yield photo, ()


def _document(photo: PhotoHit, chain: tuple[Level, ...]) -> Document:
    path = path_to_text(photo.path)
    level = chain[-1] if chain else None
    names = " > ".join(step.concept for step in chain)
    name = path.rsplit("/", 1)[-1]
    return Document(
        id=path,
        page_content=f"{name}: {names}" if names else name,
        metadata={
            "path": path,
            "copies": [path_to_text(copy) for copy in photo.copies],
            "level": level.level if level else 0,
            "concept": level.concept if level else None,
            "concept_id": level.concept_id if level else None,
            "mass": level.mass if level else None,
            "angle": level.angle if level else None,
            "count": level.count if level else None,
            "score": photo.score,
        },
    )
