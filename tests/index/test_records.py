from __future__ import annotations

import pytest
from qdrant_client import models

from hiersearch.config import ServerPlace
from hiersearch.errors import CollectionError, StoreError
from hiersearch.index.connection import Connection
from hiersearch.index.records import FolderRecords
from hiersearch.qdrant import connect


def test_documents_are_stored_replaced_listed_and_deleted(place):
    connection = Connection(place)
    records = connection.records
    assert records.read("a") is None
    assert records.names() == []
    records.delete(["a"])
    records.begin()
    records.begin()
    text, content = "caf\u00e9\n".encode(), bytes(range(256))
    records.write("a", text)
    records.write("b", b"old")
    records.write("b", content)
    assert (records.read("a"), records.read("b")) == (text, content)
    assert sorted(records.names()) == ["a", "b"]
    records.delete(["a", "nothing"])
    assert records.names() == ["b"]
    assert str(place).rpartition("/")[2] in records.place
    assert "b" in records.where("b")
    connection.close()


def test_a_write_that_fails_leaves_the_old_document_and_no_debris(tmp_path, monkeypatch):
    records = FolderRecords(tmp_path)
    records.write("a", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hiersearch.files.os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        records.write("a", b"new")
    assert records.read("a") == b"old"
    assert records.names() == ["a"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        FolderRecords(tmp_path / "file" / "index").write("a", b"")


def test_a_document_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(StoreError, match="cannot read"):
        FolderRecords(tmp_path).read("a")


def test_a_collection_of_something_else_is_not_written_to(server):
    client = connect(server.url)
    params = models.VectorParams(size=4, distance=models.Distance.COSINE)
    client.create_collection("photos-index", vectors_config=params)
    connection = Connection(ServerPlace(server.url, "photos"))
    with pytest.raises(CollectionError, match="photos-index"):
        connection.records.begin()
    assert connection.records.read("a") is None
    connection.close()
    client.close()
