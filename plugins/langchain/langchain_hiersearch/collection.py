"""Points of a Qdrant collection as documents."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from hiersearch import HierarchicalCollection, HierarchicalEncoder
from hiersearch.errors import ModelMismatchError, UsageError
from hiersearch.geometry import angle_cosine_from_score, root_distance
from hiersearch.qdrant import Filter, Hit
from hiersearch.trees import trim
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import model_validator

from langchain_hiersearch.base import HierarchicalRetriever

__all__ = ["CollectionRetriever"]

Floats: TypeAlias = NDArray[np.float32]


class CollectionRetriever(HierarchicalRetriever):
    """Points of a collection that say what a text is, from general to specific.

    The levels of a query are its radial path: each step is more similar to it than every point as
    general or more general. `search` chooses the documents:

    * "path": the steps, most specific first, then the nearest other points;
    * "descendants": the points that are most a kind of the query, by exterior angle;
    * "ancestors": the points that the query is most a kind of, by exterior angle.

    A document stands at the deepest level that is as general as it or more general, and `concept`
    is that level's text. `angle` has the more general side as the parent: for "descendants" the
    query, otherwise the document. `score` is the cosine to the query ("path") or the cosine of the
    angle. Further metadata are `id`, `root_distance`, and what the payload holds; where names
    clash, ours win. Points without a root distance, which others have added, stand at level 0.

    The defaults read collections that langchain-qdrant has written.

    Attributes:
        collection: The points, attached or created by hiersearch.
        encoder: The model of the vectors.
        content_key: The payload field that holds a point's text.
        metadata_key: The payload field that holds its metadata; None: all other fields.
        search: Which documents to give.
        where: Which points to search.

    Raises:
        ModelMismatchError: The collection's root is not this model's.

    Example:
        >>> encoder = HierarchicalEncoder("mini")
        >>> collection = HierarchicalCollection(client, "texts", root=encoder.root)
        >>> retriever = CollectionRetriever(collection=collection, encoder=encoder, k=6)
        >>> documents = retriever.invoke("a parrot")
    """

    collection: HierarchicalCollection
    encoder: HierarchicalEncoder
    content_key: str = "page_content"
    metadata_key: str | None = "metadata"
    search: Literal["path", "descendants", "ancestors"] = "path"
    where: Filter | None = None

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        ours, theirs = self.encoder.root, self.collection.root
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-3):
            raise ModelMismatchError(
                f"the root of the collection {self.collection.name!r} is not that of "
                f"{self.encoder.name}",
                hint="Give the encoder that made the collection's vectors",
            )
        return self

    def _documents(self, query: str, k: int) -> list[Document]:
        vector = self.encoder.encode_texts([query])[0]
        whole = self.collection.radial_path(vector, filter=self.where)
        path = [whole[place] for place in trim(len(whole), self.levels)]
        return [self._document(hit, path) for hit in self._hits(vector, path, k)]

    def _hits(self, vector: Floats, path: list[Hit], k: int) -> list[Hit]:
        if self.search == "descendants":
            return self.collection.descendants_of(vector, limit=k, filter=self.where)
        if self.search == "ancestors":
            return self.collection.ancestors_of(vector, limit=k, filter=self.where)
        hits = {hit.id: hit for hit in reversed(path)}
        if len(hits) < k:
            for hit in self.collection.nearest(vector, limit=k, filter=self.where):
                hits.setdefault(hit.id, self._with_angle(hit, vector))
        return list(hits.values())[:k]

    def _with_angle(self, hit: Hit, vector: Floats) -> Hit:
        """A near point with the angle from it to the query, as the steps of the path have it."""
        if hit.root_distance is None:
            return hit
        distance = root_distance(vector.astype(np.float64), self.collection.root.astype(np.float64))
        cosine = float(angle_cosine_from_score(hit.score, hit.root_distance, float(distance)))
        return dataclasses.replace(hit, angle=math.acos(cosine))

    def _document(self, hit: Hit, path: list[Hit]) -> Document:
        level = _level(hit, path)
        return Document(
            id=str(hit.id),
            page_content=self._text(hit),
            metadata={
                **self._stored_metadata(hit.payload),
                "id": hit.id,
                "level": level,
                "concept": self._text(path[level - 1]) if level else None,
                "angle": hit.angle,
                "score": hit.score,
                "root_distance": hit.root_distance,
            },
        )

    def _text(self, hit: Hit) -> str:
        text = hit.payload.get(self.content_key)
        if isinstance(text, str):
            return text
        held = ", ".join(sorted(hit.payload)) or "no field at all"
        raise UsageError(
            f"the point {hit.id} of {self.collection.name!r} has no text called "
            f"{self.content_key!r}",
            hint=f"Name the field of the text as content_key; the point has {held}",
        )

    def _stored_metadata(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        if self.metadata_key is None:
            return {key: value for key, value in payload.items() if key != self.content_key}
        stored = payload.get(self.metadata_key)
        return dict(stored) if isinstance(stored, Mapping) else {}


def _level(hit: Hit, path: list[Hit]) -> int:
    """How many levels are as general as a point or more general."""
    distance = hit.root_distance
    if distance is None:
        return 0
    # Distances have five decimals; two roundings of one may differ in the last.
    within = distance + 1.5e-5
    return sum(step.root_distance is not None and step.root_distance <= within for step in path)
