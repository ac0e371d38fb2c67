"""A Qdrant collection for hierarchical search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from numpy.typing import ArrayLike

from hiersearch.errors import CollectionError
from hiersearch.progress import Progress, tell_nobody
from hiersearch.qdrant.attach.attaching import (
    AttachSettings,
    AttachSummary,
    Check,
    DetachSummary,
    attach,
    detach,
    repair,
)
from hiersearch.qdrant.attach.fill import PAGE, Label, set_payload
from hiersearch.qdrant.attachment import read_attachment
from hiersearch.qdrant.clients.client_calls import Client
from hiersearch.qdrant.filters import HasValue, lacks_any
from hiersearch.qdrant.points import ROOT_DISTANCE, Fields, Hit, Payloads, PointId, Record
from hiersearch.qdrant.radial_path import PathSearch, Way
from hiersearch.qdrant.ranking import Ranking
from hiersearch.qdrant.schema import CollectionOptions, CollectionSchema
from hiersearch.qdrant.searching import Searcher, Wanted
from hiersearch.qdrant.stored import StoredPoints
from hiersearch.trees import CONCEPTS

if TYPE_CHECKING:
    from hiersearch.qdrant.filters import Filter

__all__ = ["HierarchicalCollection"]


class HierarchicalCollection:
    """A collection of unit vectors, searched from general to specific.

    Rankings (`descendants_of`, `ancestors_of`) answer on any collection as it is. Paths, radii and
    counts of concepts need attached points, which have `root_distance` in their payload.

    The same code runs over a server, Qdrant Cloud, `QdrantClient(":memory:")` and the embedded
    engine. Nothing is sent before the first call, which reads the collection's configuration. The
    limits of a server's strict mode are respected: batches are split, fewer candidates fetched, and
    searches exact only on request. If the collection was attached with another root or vector,
    calls that need its points attached raise `CollectionError`. Quantised vectors are rescored.

    Args:
        client: A `QdrantClient` or an `EdgeClient`.
        name: The name of the collection, which need not exist yet.
        root: (dim,), the unit vector that root distances are measured from: the embedding of the
            empty text, by the model of the vectors (`HierarchicalEncoder.root`).
        vector_name: Which of a point's vectors to use; "" is the unnamed one.
        hnsw_ef: Width of searches in a graph, for recall at the cost of time; None: the store's.

    Raises:
        VectorError: The root is not a unit vector.

    Examples:
        >>> collection = HierarchicalCollection(client, "photos", root=encoder.root)
        >>> collection.create()
        >>> collection.upsert(ids, encoder.encode_photos(photos), payloads)
        >>> path = collection.radial_path(encoder.encode_texts(["a parrot"])[0])
    """

    def __init__(
        self,
        client: Client,
        name: str,
        *,
        root: ArrayLike,
        vector_name: str = "hiersearch",
        hnsw_ef: int | None = None,
    ) -> None:
        self._schema = CollectionSchema(client, name, root=root, vector_name=vector_name)
        self._points = StoredPoints(self._schema)
        self._searcher = Searcher(self._schema, hnsw_ef)
        self._paths = PathSearch(self._searcher)
        self._ranking = Ranking(self._searcher, self._points)
        self.client = client
        self.name = name
        self.root = self._schema.root
        self.vector_name = vector_name
        self.hnsw_ef = hnsw_ef

    @classmethod
    def attached(cls, client: Client, name: str, *, hnsw_ef: int | None = None) -> Self:
        """A collection that was attached before, with the root and vector recorded then.

        Raises:
            CollectionError: There is no such collection, or it is not attached.
        """
        known = read_attachment(client, name)
        if known is None:
            raise CollectionError(
                f"the collection {name!r} is not attached",
                hint="Attach it first: 'hiersearch attach'",
            )
        return cls(client, name, root=known.root, vector_name=known.vector, hnsw_ef=hnsw_ef)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client!r}, {self.name!r})"

    def exists(self) -> bool:
        """Whether the store has a collection of this name."""
        return self._schema.exists()

    def create(
        self,
        *,
        payload_indexes: Mapping[str, str] | None = None,
        options: CollectionOptions | None = None,
    ) -> None:
        """Create the collection and its payload indexes; what exists already stays as it is.

        Args:
            payload_indexes: Kind of index ("keyword", "float", "integer", "datetime", ...) by
                payload field, in addition to those on `root_distance` and `concepts`.
            options: How to lay out and store a new collection. Of an existing one, only missing
                shard keys are added.

        Raises:
            CollectionError: There is a collection of this name with other vectors.
            StoreError: The store does not support an option.
        """
        self._schema.create(payload_indexes or {}, options or CollectionOptions())

    def drop(self) -> None:
        """Delete the collection, if it exists."""
        self._schema.drop()

    def optimize(self) -> bool:
        """Let the embedded engine tidy up; servers do so by themselves.

        Worth calling after many changes. Up to `EXACT_UP_TO` points it reclaims deleted points'
        space; above, it builds the search graph, which takes minutes. Tells whether it did any.
        """
        embedded = self._schema.embedded
        return embedded is not None and embedded.optimize(self.name)

    def upsert(
        self,
        ids: Sequence[PointId],
        vectors: ArrayLike,
        payloads: Payloads,
        *,
        shard_key: str | None = None,
    ) -> None:
        """Store points, replacing those with the same ids.

        Args:
            ids: (n), unsigned integers or UUIDs.
            vectors: (n, dim), of any length but zero; they are normalised.
            payloads: (n); `root_distance` is added to each.
            shard_key: Which shard to use, in a collection created with `shard_keys`.

        Raises:
            VectorError: A vector has the wrong shape, a number that is not finite, or length zero.
            StoreError: The store rejects a payload or an id, or is full.
        """
        self._points.upsert(ids, vectors, payloads, shard_key=shard_key)

    def put(self, records: Sequence[Record]) -> None:
        """Store points as they were read, replacing those with the same ids.

        Nothing is normalised or recomputed: meant for points of a similar collection.

        Raises:
            VectorError: A point was read without its vector.
        """
        self._points.put(records)

    def set_payload(
        self, ids: Sequence[PointId], payloads: Payloads, *, shard_key: str | None = None
    ) -> None:
        """Set payload fields, to different values for each point; the other fields stay.

        Args:
            ids: (n), of existing points.
            payloads: (n), the fields to set.
            shard_key: Which shard they are in, in a collection created with `shard_keys`.

        Raises:
            StoreError: A point does not exist.
        """
        set_payload(self._points, ids, payloads, shard_key)

    def delete(self, ids: Sequence[PointId], *, shard_key: str | None = None) -> None:
        """Delete points; missing ones are ignored. `shard_key` is as for `upsert`."""
        self._points.delete(ids, shard_key=shard_key)

    def retrieve(
        self, ids: Sequence[PointId], *, payload: Fields = True, with_vectors: bool = False
    ) -> list[Record]:
        """The points with some ids, in that order; missing ones are left out."""
        return self._points.retrieve(ids, payload=payload, with_vectors=with_vectors)

    def scroll(
        self,
        filter: Filter | None = None,
        *,
        payload: Fields = True,
        with_vectors: bool = False,
        page: int = 1000,
    ) -> Iterator[Record]:
        """All points that match, by id, fetched page by page.

        Raises:
            UsageError: A page has less than one point; raised with the first point.
        """
        return self._points.scroll(filter, payload=payload, with_vectors=with_vectors, page=page)

    def scroll_ids(
        self, filter: Filter | None = None, *, page: int = 1000
    ) -> Iterator[list[PointId]]:
        """The ids of all points that match, in order, in lists of at most a page each."""
        return self._points.scroll_ids(filter, page=page)

    def similarities_to_root(self, ids: Sequence[PointId]) -> dict[PointId, float]:
        """Cosine similarity of points to the root, computed by the store from the original vectors.

        Returns:
            By id, without points that lack the vector. Empty if the store allows no exact searches.
        """
        return self._points.similarities_to_root(ids)

    def count(self, filter: Filter | HasValue | None = None, *, exact: bool = True) -> int:
        """How many points match; all of them exactly, or about, which is faster.

        If a server's strict mode allows no exact counts, the ids of all matches are read instead.
        """
        return self._points.count(filter, exact=exact)

    def count_without_distance(self) -> int:
        """How many points are not attached; hierarchical queries do not find those."""
        return self._points.count(lacks_any([ROOT_DISTANCE]))

    def facets(
        self, key: str = CONCEPTS, *, limit: int = 20_000, filter: Filter | None = None
    ) -> dict[str, int]:
        """How many points have each value of a payload field.

        Args:
            key: A payload field with a keyword index.
            limit: Greatest number of values, the most frequent first.
            filter: Which points to count.

        Returns:
            Exact counts; estimates if a server's strict mode allows nothing else.

        Raises:
            CollectionError: The collection was attached without a vocabulary, or not at all.
            StoreError: There may be more values than a server's strict mode lets it return.
        """
        return self._searcher.facets(key, limit=limit, matching=filter)

    def nearest(
        self,
        vector: ArrayLike,
        *,
        limit: int,
        filter: Filter | HasValue | None = None,
        offset: int = 0,
        payload: Fields = True,
        score_threshold: float | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points most similar to a vector, with ties broken by id.

        Args:
            vector: (dim,).
            limit: Number of hits.
            filter: Which points to search.
            offset: Number of hits to skip at the front.
            payload: Whether to fetch payloads, or which fields of them.
            score_threshold: Least cosine similarity.
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points.
        """
        wanted = Wanted(limit, offset, score_threshold, filter, payload, None, exact)
        return self._searcher.nearest(vector, wanted)

    def radial_path(
        self,
        vector: ArrayLike,
        *,
        filter: Filter | None = None,
        payload: Fields = True,
        exact: bool | None = None,
        radii: int | Sequence[float] | None = None,
        by: Way | None = None,
    ) -> list[Hit]:
        """What a vector is called, from the most general point to the most specific.

        Each hit is more similar to the vector than every point at or below its own root distance.
        Its score is the similarity; its angle is the exterior angle with the hit as the parent and
        the vector as the child. Points that are not attached are left out
        (`count_without_distance`). The path can be whole, or sampled as in the paper
        (`hiersearch.qdrant.radial_path`).

        Args:
            vector: (dim,).
            filter: Which points to search.
            payload: Whether to fetch payloads, or which fields of them.
            exact: Whether to compare with every vector; None: up to `EXACT_UP_TO` points.
            radii: Where to sample the path: root distances, or a number of them, evenly spaced from
                the closest point that matches to the farthest; None: the whole path.
            by: How to find a sampled path: "descent" reads it off the whole path, "batch" sends one
                search per radius; None: whichever the first path with so many radii shows to be
                faster over this client.

        Returns:
            Coarse to fine, each hit once.

        Raises:
            CollectionError: No point is attached, or they were attached with another root or
                vector.
            UsageError: The whole path is requested by batch, or the radii are not numbers.
        """
        return self._paths.find(vector, filter, payload, exact, radii, by)

    def descendants_of(
        self,
        parent_vector: ArrayLike,
        *,
        limit: int,
        filter: Filter | None = None,
        offset: int = 0,
        payload: Fields = True,
        score_threshold: float | None = None,
        candidates: int | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points that entail a vector most: least exterior angle, the vector as the parent.

        Args:
            parent_vector: (dim,).
            limit: Number of hits.
            filter: Which points to search.
            offset: Number of hits to skip at the front.
            payload: Whether to fetch payloads, or which fields of them.
            score_threshold: Least cosine of the exterior angle.
            candidates: Number of points whose angle is computed (`hiersearch.qdrant.ranking`), per
                shard; fewer if a server's strict mode demands it.
            exact: Whether to fetch the candidates by comparison with every vector.

        Returns:
            Least angle first, with ties broken by id; `score` is the cosine of the angle.

        Raises:
            CollectionError: There is no such collection, or its vectors have no cosines.
            UsageError: `candidates` is less than 1.
        """
        wanted = Wanted(limit, offset, score_threshold, filter, payload, candidates, exact)
        return self._ranking.descendants_of(parent_vector, wanted)

    def ancestors_of(
        self,
        child_vector: ArrayLike,
        *,
        limit: int,
        filter: Filter | None = None,
        offset: int = 0,
        payload: Fields = True,
        score_threshold: float | None = None,
        candidates: int | None = None,
        exact: bool | None = None,
    ) -> list[Hit]:
        """The points that a vector entails most: least exterior angle, the vector as the child.

        Arguments, answer and errors are those of `descendants_of`.
        """
        wanted = Wanted(limit, offset, score_threshold, filter, payload, candidates, exact)
        return self._ranking.ancestors_of(child_vector, wanted)

    def attach(
        self,
        *,
        label: Label | None = None,
        check: Check | None = None,
        model: str = "",
        vocabulary: str = "",
        replace_index: bool = False,
        dry_run: bool = False,
        page: int | None = None,
        on_progress: Progress = tell_nobody,
    ) -> AttachSummary:
        """Give every point of an existing collection its `root_distance`, in place.

        Run again after an interruption, it completes the work. A search graph that was built
        before the index on `root_distance` does not know it: raise `hnsw_ef` if paths miss points.

        Args:
            label: Also gives points their concepts, so that they can be counted and filtered.
            check: Called with some points before anything is written; may refuse them.
            model: The name of the model, to be recorded.
            vocabulary: The id of the vocabulary behind `label`, to be recorded.
            replace_index: Whether to replace indexes of another type on the fields that are added.
            dry_run: Whether to only look and count.
            page: Number of points to read and write at a time; None: as many as is fast.
            on_progress: Called as the work proceeds.

        Raises:
            UsageError: `page` is less than 1.
            CollectionError: There is no such collection or vector; it is compared by neither cosine
                nor dot product, has another root, or fields or other indexes of those names.
            ModelMismatchError: The check says that another model made the vectors.
            VectorError: Vectors compared by dot product are not of length 1; nothing was written.
            StoreError: The store failed; what was written stays.
        """
        named = (label, check, model, vocabulary, dry_run, page, on_progress, replace_index)
        with self._schema.changing():
            return attach(self._points, AttachSettings(*named))

    def repair(
        self,
        *,
        label: Label | None = None,
        check: Check | None = None,
        model: str = "",
        vocabulary: str = "",
        recompute: bool = False,
        replace_index: bool = False,
        dry_run: bool = False,
        page: int | None = None,
        on_progress: Progress = tell_nobody,
    ) -> AttachSummary:
        """Give points that were added since the collection was attached their `root_distance`.

        With `recompute`, wrong distances are corrected and all points labelled anew: for vectors
        that were replaced, or another root. Other arguments and errors are those of `attach`.

        Raises:
            CollectionError: As for `attach`; or no point is attached yet.
        """
        named = (label, check, model, vocabulary, dry_run, page, on_progress, replace_index)
        with self._schema.changing():
            return repair(self._points, AttachSettings(*named), recompute=recompute)

    def detach(self, *, page: int = PAGE, on_progress: Progress = tell_nobody) -> DetachSummary:
        """Remove what `attach` added, and nothing else. After an interruption, run it again.

        Raises:
            UsageError: `page` is less than 1.
            CollectionError: There is no such collection, or it is not attached.
        """
        with self._schema.changing():
            return detach(self._points, page=page, on_progress=on_progress)
