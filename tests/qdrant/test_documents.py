from __future__ import annotations

import pytest
from qdrant_client import models

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant import Documents


@pytest.fixture
def documents(client) -> Documents:
    return Documents(client, "hiersearch-test")


def test_nothing_is_there_before_something_is_made(documents):
    assert not documents.exists()
    assert documents.read("a") is None
    assert list(documents.names()) == []
    documents.delete(["a"])
    assert not documents.exists()


def test_text_and_bytes_come_back_as_they_were(documents):
    documents.create()
    written = {"text": "naïve\n\x00 🦜".encode(), "empty": b"", "bytes": bytes(range(256)) * 300}
    for name, content in written.items():
        documents.write(name, b"old")
        documents.write(name, content)
    assert {name: documents.read(name) for name in documents.names()} == written
    documents.delete(["text", "nothing"])
    assert sorted(documents.names()) == ["bytes", "empty"]


def test_many_names_are_listed_to_the_end(documents):
    documents.create()
    for number in range(103):
        documents.write(f"{number}", b"")
    assert sorted(map(int, documents.names())) == list(range(103))


@pytest.mark.parametrize("payload", [{}, {"base64": "not base64!"}, {"base64": 3}])
def test_a_damaged_document_is_an_error(documents, client, payload):
    documents.create()
    documents.write("a", b"content")
    ((point,), _) = client.scroll("hiersearch-test")
    damaged = models.PointStruct(id=point.id, vector=[1.0], payload=payload)
    client.upsert("hiersearch-test", [damaged])
    with pytest.raises(StoreError, match=r"'a' .* is damaged"):
        documents.read("a")


def test_a_collection_of_vectors_is_left_alone(documents, client):
    params = models.VectorParams(size=3, distance=models.Distance.DOT)
    client.create_collection("hiersearch-test", vectors_config=params)
    with pytest.raises(CollectionError, match="another name"):
        documents.create()
