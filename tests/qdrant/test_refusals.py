"""What a collection refuses to answer, on every store: better an error than a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from hiersearch.errors import CollectionError, UsageError
from hiersearch.qdrant import Client, HierarchicalCollection, equals
from hiersearch.trees import CONCEPTS
from tests.qdrant.conftest import Cloud, unit
from tests.qdrant.foreign import COSINE, NAME, add, check_right, everything, label, their, theirs
from tests.rest_server import serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]

Ask = Callable[[HierarchicalCollection], Any]


@pytest.fixture
def client(attaching_client: Client) -> Client:
    return attaching_client


@pytest.fixture(scope="module")
def few() -> Cloud:
    return Cloud.make(40)


def rankings(few: Cloud) -> dict[str, Ask]:
    """Questions that are answered by scores alone, whatever is attached."""
    query = few.vectors[3]
    return {
        "nearest": lambda c: c.nearest(query, limit=3),
        "below": lambda c: c.descendants_of(query, limit=3),
        "below the root": lambda c: c.descendants_of(c.root, limit=3),
        "above": lambda c: c.ancestors_of(query, limit=3),
    }


def ranked(few: Cloud) -> dict[str, Ask]:
    """Every question that is answered by stored root distances."""
    query = few.vectors[3]
    return {
        "path": lambda c: c.radial_path(query),
        "radii": lambda c: c.radial_path(query, radii=5),
        "batch": lambda c: c.radial_path(query, radii=5, by="batch"),
        "some radii": lambda c: c.radial_path(query, radii=[0.5, 2.0], by="batch"),
    }


def hierarchical(few: Cloud) -> dict[str, Ask]:
    """And whatever else reads or writes them."""
    return {
        **ranked(few),
        "facets": lambda c: c.facets(),
        "upsert": lambda c: c.upsert([1], few.vectors[:1], [{}]),
        "put": lambda c: c.put(list(c.scroll(with_vectors=True))[:1]),
    }


def refused(collection: HierarchicalCollection, few: Cloud, reason: str) -> None:
    for ask in hierarchical(few).values():
        with pytest.raises(CollectionError, match=reason):
            ask(collection)
    for ask in rankings(few).values():
        assert ask(collection) is not None


def test_another_root_than_that_of_the_distances(client: Client, few: Cloud) -> None:
    theirs(client, few)
    their(client, few.root).attach(label=label, model="clip")
    before = everything(client)
    other = their(client, unit(few.root + 0.3))
    refused(other, few, r"another root, that of clip")
    assert everything(client).keys() == before.keys()
    # What does not depend on the root is answered, and the way out is open.
    assert other.count() == len(list(other.scroll())) == len(few.ids)
    other.set_payload(few.ids[1:2], [{"mine": 1}])
    other.repair(recompute=True)
    for ask in hierarchical(few).values():
        ask(other)
    refused(their(client, few.root), few, "another root")
    other.detach()
    their(client, few.root).attach()
    assert their(client, few.root).radial_path(few.vectors[3])


def test_another_vector_than_that_of_the_distances(client: Client, few: Cloud) -> None:
    params = models.VectorParams(size=16, distance=COSINE)
    client.create_collection(NAME, vectors_config={"image": params, "text": params})
    add(client, few, range(40), vector="image")
    their(client, few.root, "image").attach()
    refused(their(client, few.root, "text"), few, "by its vector 'image', not 'text'")
    assert their(client, few.root, "image").radial_path(few.vectors[3])


class CutOffError(Exception):
    """In the place of a kill."""


def test_distances_that_are_being_replaced(client: Client, few: Cloud) -> None:
    theirs(client, few)
    before = everything(client)
    their(client, unit(few.root + 0.3)).attach()
    collection = their(client, few.root)

    def cut_off(task: str, done: int, total: int) -> None:
        if done > 15:
            raise CutOffError

    with pytest.raises(CutOffError):
        collection.repair(recompute=True, page=10, on_progress=cut_off)
    for one in (collection, their(client, few.root), their(client, unit(few.root + 0.3))):
        refused(one, few, "was interrupted.*recompute")
        assert one.count() == len(list(one.scroll())) == 40
    assert collection.repair(recompute=True).corrected > 0
    check_right(client, before, few.root)
    assert collection.radial_path(few.vectors[3])


def test_points_without_any_distance(client: Client, few: Cloud) -> None:
    theirs(client, few)
    collection = their(client, few.root)
    for ask in rankings(few).values():
        assert len(ask(collection)) == 3
    for ask in ranked(few).values():
        with pytest.raises(CollectionError, match=r"no point.*has a root distance.*[Aa]ttach"):
            ask(collection)
    assert len(collection.nearest(few.vectors[3], limit=3)) == 3
    collection.attach()
    nothing = equals(CONCEPTS, "no such")
    for ask in ranked(few).values():
        assert ask(collection)
    assert collection.radial_path(few.root, filter=nothing) == []
    assert collection.descendants_of(few.vectors[3], limit=3, filter=nothing) == []
    assert collection.ancestors_of(few.vectors[3], limit=3, score_threshold=1.5) == []
    collection.detach()
    for ask in ranked(few).values():
        with pytest.raises(CollectionError, match="no point"):
            ask(collection)


def test_no_points_are_no_mistake(client: Client, few: Cloud) -> None:
    params = models.VectorParams(size=16, distance=COSINE)
    client.create_collection(NAME, vectors_config=params)
    collection = their(client, few.root)
    collection.attach()
    assert all(ask(collection) == [] for ask in ranked(few).values())


def test_concepts_where_no_vocabulary_was_given(client: Client, few: Cloud) -> None:
    theirs(client, few)
    collection = their(client, few.root)
    with pytest.raises(CollectionError, match=r"[Aa]ttach"):
        collection.facets()
    collection.attach()
    for one in (collection, their(client, few.root)):
        with pytest.raises(CollectionError, match=r"no concepts.*with a vocabulary"):
            one.facets()
    collection.attach(label=label)
    assert collection.facets() == {"all": sum(bool(one["concepts"]) for one in label(few.vectors))}
    assert collection.facets(filter=equals(CONCEPTS, "no such")) == {}


def test_no_concepts_in_a_collection_of_ours(client: Client, few: Cloud) -> None:
    collection = their(client, few.root)
    collection.create()
    assert collection.facets() == {}
    collection.upsert(few.ids, few.vectors, [{}] * 40)
    assert collection.facets() == {}


@pytest.mark.parametrize("page", [0, -1])
def test_pages_of_no_points(client: Client, few: Cloud, page: int) -> None:
    theirs(client, few)
    collection = their(client, few.root)
    asked: list[Callable[[], Any]] = [
        lambda: collection.attach(page=page),
        lambda: collection.repair(page=page),
        lambda: collection.detach(page=page),
        lambda: next(collection.scroll(page=page)),
        lambda: next(collection.scroll_ids(page=page)),
    ]
    for attached in (False, True):
        if attached:
            collection.attach()
        for ask in asked:
            with pytest.raises(UsageError, match=f"{page} points cannot be read at a time"):
                ask()


@pytest.mark.parametrize("candidates", [0, -5])
def test_rankings_of_no_candidates(client: Client, few: Cloud, candidates: int) -> None:
    theirs(client, few)
    collection = their(client, few.root)
    collection.attach()
    for rank in (collection.descendants_of, collection.ancestors_of):
        with pytest.raises(UsageError, match=f"{candidates} candidates"):
            rank(few.vectors[3], limit=3, candidates=candidates)
        assert len(rank(few.vectors[3], limit=1, candidates=1)) == 1


def test_the_collection_is_asked_once_what_it_is(few: Cloud) -> None:
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, few)
        their(client, few.root).attach(label=label)
        collection = HierarchicalCollection.attached(client, NAME)
        server.requests.clear()
        for ask in hierarchical(few).values():
            ask(collection)
        assert server.requests.count(("GET", f"/collections/{NAME}")) == 1
        # Nor does an empty answer cost more, once a point with a distance was seen.
        nothing = equals(CONCEPTS, "no such")
        assert collection.radial_path(few.root, filter=nothing) == []
        server.requests.clear()
        assert collection.radial_path(few.root, filter=nothing) == []
        assert server.requests == [("POST", f"/collections/{NAME}/points/query")]
