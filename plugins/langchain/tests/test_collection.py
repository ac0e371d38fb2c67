from __future__ import annotations

import json

import numpy as np
import pytest
from hiersearch import HierarchicalCollection
from hiersearch.errors import CollectionError, ModelMismatchError, UsageError
from hiersearch.geometry import exterior_angle, root_distance
from qdrant_client import QdrantClient, models

from langchain_hiersearch import CollectionRetriever

QUERY = "a green parrot"


@pytest.fixture(scope="session")
def stored(collection):
    """Text and vector of every point, by id."""
    return {
        record.id: (record.payload["page_content"], record.vector)
        for record in collection.scroll(with_vectors=True)
    }


def radial_path(query, stored, root):
    """The definition: more similar than every point at or below one's own root distance."""
    score = {number: float(vector @ query) for number, (_, vector) in stored.items()}
    depth = {number: float(root_distance(vector, root)) for number, (_, vector) in stored.items()}
    steps = [
        one
        for one in stored
        if all(
            score[one] > score[other]
            for other in stored
            if other != one and depth[other] <= depth[one]
        )
    ]
    return sorted(steps, key=lambda one: depth[one])


def test_the_path_comes_first_from_its_specific_end(collection, encoder, stored):
    query = encoder.encode_texts([QUERY])[0]
    path = radial_path(query, stored, encoder.root)
    assert len(path) >= 3
    retriever = CollectionRetriever(collection=collection, encoder=encoder, k=50, levels=50)
    documents = retriever.invoke(QUERY)
    assert sorted(document.metadata["id"] for document in documents) == sorted(stored)
    steps = documents[: len(path)]
    assert [document.metadata["id"] for document in steps] == path[::-1]
    assert [document.metadata["level"] for document in steps] == list(range(len(path), 0, -1))
    assert [document.metadata["concept"] for document in steps] == [
        document.page_content for document in steps
    ]
    rest = [document.metadata["score"] for document in documents[len(path) :]]
    assert rest == sorted(rest, reverse=True)


def test_every_document_stands_at_the_deepest_level_above_it(collection, encoder, stored):
    query = encoder.encode_texts([QUERY])[0]
    path = radial_path(query, stored, encoder.root)
    for search in ("path", "descendants", "ancestors"):
        retriever = CollectionRetriever(
            collection=collection, encoder=encoder, k=50, levels=50, search=search
        )
        for document in retriever.invoke(QUERY):
            distance = document.metadata["root_distance"] + 1e-5  # five decimals
            above = [
                step for step in path if root_distance(stored[step][1], encoder.root) <= distance
            ]
            assert document.metadata["level"] == len(above)
            assert document.metadata["concept"] == (stored[above[-1]][0] if above else None)


@pytest.mark.parametrize("search", ["path", "descendants", "ancestors"])
def test_the_angle_is_the_exterior_angle(search, collection, encoder, stored):
    query = encoder.encode_texts([QUERY])[0].astype(np.float64)
    retriever = CollectionRetriever(collection=collection, encoder=encoder, k=50, search=search)
    for document in retriever.invoke(QUERY):
        vector = stored[document.metadata["id"]][1].astype(np.float64)
        pair = (query, vector) if search == "descendants" else (vector, query)
        expected = np.cos(exterior_angle(*pair, encoder.root.astype(np.float64)))
        assert np.cos(document.metadata["angle"]) == pytest.approx(expected, abs=1e-5)
        if search != "path":
            assert document.metadata["score"] == pytest.approx(expected, abs=1e-5)


def test_few_levels_keep_both_ends(collection, encoder):
    def levels(number):
        retriever = CollectionRetriever(
            collection=collection, encoder=encoder, k=number, levels=number
        )
        return [document.page_content for document in retriever.invoke(QUERY)]

    whole = levels(50)
    many = CollectionRetriever(collection=collection, encoder=encoder, levels=50).invoke(QUERY)
    path = many[0].metadata["level"]
    assert levels(1) == whole[:1]
    assert levels(2) == [whole[0], whole[path - 1]]


def test_metadata_is_the_payload_and_ours_wins(collection, encoder):
    (first,) = CollectionRetriever(collection=collection, encoder=encoder, k=1).invoke("a parrot")
    assert first.page_content == "a parrot"
    assert first.id == "3"
    assert first.metadata["words"] == 2
    assert isinstance(first.metadata["level"], int)
    assert json.loads(json.dumps(first.metadata)) == first.metadata
    (other,) = CollectionRetriever(
        collection=collection, encoder=encoder, k=1, metadata_key=None
    ).invoke("a parrot")
    assert other.metadata["metadata"] == {"words": 2, "level": "theirs"}
    assert "page_content" not in other.metadata


def test_conditions_hold_for_levels_and_documents(collection, encoder):
    few = models.FieldCondition(key="metadata.words", range=models.Range(lte=2))
    retriever = CollectionRetriever(
        collection=collection, encoder=encoder, k=50, where=models.Filter(must=[few])
    )
    documents = retriever.invoke(QUERY)
    assert documents
    for document in documents:
        assert document.metadata["words"] <= 2
        assert len(document.metadata["concept"].split()) <= 2


def test_points_without_a_root_distance_stand_at_level_0(encoder):
    client = QdrantClient(":memory:")
    texts = HierarchicalCollection(client, "texts", root=encoder.root)
    assert not texts.exists()
    with pytest.raises(CollectionError):
        CollectionRetriever(collection=texts, encoder=encoder).invoke("a cat")
    texts.create()
    retriever = CollectionRetriever(collection=texts, encoder=encoder, content_key="said")
    assert retriever.invoke("a cat") == []
    vectors = encoder.encode_texts(["an animal", "a cat"])
    texts.upsert([1], vectors[:1], [{"said": "an animal"}])
    added = models.PointStruct(
        id=2, vector={texts.vector_name: vectors[1].tolist()}, payload={"said": "a cat"}
    )
    client.upsert("texts", [added])
    animal, cat = retriever.invoke("a cat")
    assert (animal.page_content, animal.metadata["level"]) == ("an animal", 1)
    assert cat.page_content == "a cat"
    assert [cat.metadata[key] for key in ("level", "concept", "angle")] == [0, None, None]


def test_a_collection_that_others_wrote_is_attached_and_read(encoder):
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=encoder.dimension, distance=models.Distance.COSINE)
    client.create_collection("theirs", vectors_config=params)
    texts = ["an animal", "a bird", "a parrot"]
    payload = [{"page_content": text, "metadata": {"source": "a book"}} for text in texts]
    vectors = encoder.encode_texts(texts).tolist()
    client.upload_collection("theirs", vectors, payload=payload, ids=[1, 2, 3], wait=True)
    theirs = HierarchicalCollection(client, "theirs", root=encoder.root, vector_name="")
    assert theirs.attach().attached == 3
    theirs = HierarchicalCollection.attached(client, "theirs")
    first, *_ = CollectionRetriever(collection=theirs, encoder=encoder).invoke("a parrot")
    assert first.page_content == "a parrot"
    assert first.metadata["source"] == "a book"
    assert first.metadata["level"] >= 1


def test_a_field_without_text_is_named(collection, encoder):
    retriever = CollectionRetriever(collection=collection, encoder=encoder, content_key="txt")
    with pytest.raises(UsageError, match="txt") as caught:
        retriever.invoke(QUERY)
    assert "page_content" in caught.value.hint


def test_another_model_is_refused(encoder):
    other = HierarchicalCollection(QdrantClient(":memory:"), "texts", root=np.roll(encoder.root, 1))
    with pytest.raises(ModelMismatchError):
        CollectionRetriever(collection=other, encoder=encoder)


async def test_batches_and_async_calls_give_what_single_calls_give(collection, encoder):
    retriever = CollectionRetriever(collection=collection, encoder=encoder, k=3)
    queries = ["a cat", "coffee", "a motorcycle", "a temple"]
    expected = [retriever.invoke(query) for query in queries]
    assert retriever.batch(queries) == expected
    assert await retriever.abatch(queries) == expected
    assert await retriever.ainvoke("a cat", k=1) == expected[0][:1]
