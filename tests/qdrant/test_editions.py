"""An edition answers as the engine does, whatever happened to the collection before."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.errors import CollectionError, StoreError
from hiersearch.qdrant import (
    EdgeClient,
    HasValue,
    HierarchicalCollection,
    all_of,
    any_of,
    between,
    between_times,
    either,
    equals,
    none_of,
)
from hiersearch.qdrant.edge.shards import changed_path, edition_path
from hiersearch.qdrant.edition.edition_client import EditionClient
from hiersearch.qdrant.edition.edition_file import EditionFile
from hiersearch.qdrant.edition.publishing import Editions, open_edition
from hiersearch.qdrant.filters import has_field, lacks_any

DIM = 6
ROOT = np.eye(DIM, dtype=np.float32)[0]
INDEXES = {"kind": "keyword", "maybe": "keyword", "size": "integer", "taken": "datetime"}
FIELDS = ("kind", "maybe")
DOCUMENTS = {"a.json": b"{}", "empty": b"", "b.gz": bytes(range(256))}


def point(number: int) -> str:
    # Some end with zeros, which NumPy drops.
    return str(UUID(int=(number * 7919) << (64 if number % 3 == 0 else 0)))


def payload(number: int, version: int = 0) -> dict:
    made = {
        "kind": [f"k{number % 3}", *(["odd"] if number % 2 else [])],
        "size": number * 10,
        "name": f"caf\u00e9 {number} \U0001f600 {version}",
        "taken": f"20{10 + number % 10}-05-17T14:30:0{number % 10}",
        "deep": {"x": [1, 2.5, None, True]},
    }
    if number % 4:
        made["maybe"] = [] if number % 4 == 1 else [f"m{version}"]
    if number % 5 == 0:
        del made["taken"]
    return made


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(number % 40).normal(size=DIM)  # some are equal


def fill(collection: HierarchicalCollection, numbers, version: int = 0) -> None:
    numbers = list(numbers)
    collection.upsert(
        [point(number) for number in numbers],
        np.stack([vector(number) for number in numbers]),
        [payload(number, version) for number in numbers],
    )


def made(client: EdgeClient) -> HierarchicalCollection:
    collection = HierarchicalCollection(client, "photos", root=ROOT, vector_name="v")
    collection.create(payload_indexes=INDEXES)
    return collection


def publish(client: EdgeClient, documents=DOCUMENTS) -> None:
    Editions(client).publish("photos", fields=FIELDS, documents=documents)


def reader(folder) -> HierarchicalCollection:
    edition = open_edition(folder, "photos")
    assert edition is not None
    return HierarchicalCollection(
        EditionClient(edition, "photos"), "photos", root=ROOT, vector_name="v"
    )


def conditions() -> list:
    moment = datetime(2015, 1, 1)
    return [
        None,
        equals("kind", "k1"),
        equals("kind", "nothing"),
        equals("name", payload(4)["name"]),
        any_of("kind", ["k0", "odd"]),
        none_of(equals("kind", "odd")),
        either(equals("kind", "k0"), between("size", gte=300)),
        between("size", gt=50, lte=200),
        between_times("taken", gte=moment),
        between_times("taken", lt=moment.replace(tzinfo=UTC)),
        has_field("maybe"),
        lacks_any(["taken", "maybe"]),
        all_of(equals("kind", "k2"), none_of(between("size", lt=100), has_field("taken"))),
        HasValue("kind", "odd"),
        HasValue("maybe", "m0", between("size", gte=30)),
        HasValue("name", payload(4)["name"]),
    ]


def assert_same(ours: HierarchicalCollection, engine: HierarchicalCollection) -> None:
    assert ours.count() == engine.count()
    one, other = (list(each.scroll(with_vectors=True, page=7)) for each in (ours, engine))
    assert [record.id for record in one] == [record.id for record in other]
    assert [record.payload for record in one] == [record.payload for record in other]
    for mine, theirs in zip(one, other, strict=True):
        assert np.array_equal(mine.vector, theirs.vector)
    assert list(ours.scroll_ids(page=5)) == list(engine.scroll_ids(page=5))
    query = vector(1) + 0.1
    for condition in conditions():
        assert ours.count(condition) == engine.count(condition), condition
        if not isinstance(condition, HasValue):
            for key in FIELDS:
                counts = engine.facets(key, limit=50, filter=condition)
                # The engine may still name values that no point has any more.
                counts = {value: count for value, count in counts.items() if count}
                assert ours.facets(key, limit=50, filter=condition) == counts
            assert [record.id for record in ours.scroll(condition, payload=["size"])] == [
                record.id for record in engine.scroll(condition, payload=["size"])
            ]
        for limit in (1, 3, 100):
            mine, theirs = (
                each.nearest(query, limit=limit, filter=condition, payload=["kind", "nothing"])
                for each in (ours, engine)
            )
            assert [hit.id for hit in mine] == [hit.id for hit in theirs]
            assert [hit.payload for hit in mine] == [hit.payload for hit in theirs]
            assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in theirs])
    ids = [point(number) for number in (3, 999_999, 0, 5)]
    assert [record.id for record in ours.retrieve(ids)] == [
        record.id for record in engine.retrieve(ids)
    ]


@pytest.mark.parametrize("count", [1, 60])
def test_it_answers_as_the_engine_does(tmp_path, count):
    with EdgeClient(tmp_path) as client:
        engine = made(client)
        fill(engine, range(count))
        publish(client)
        assert_same(reader(tmp_path), engine)


def test_of_no_points(tmp_path):
    with EdgeClient(tmp_path) as client:
        engine = made(client)
        publish(client)
        ours = reader(tmp_path)
        assert ours.count() == 0
        assert ours.nearest(ROOT, limit=3) == []
        assert list(ours.scroll()) == []
        assert ours.retrieve([point(1)]) == []
        fill(engine, [1])
        publish(client)
        assert_same(reader(tmp_path), engine)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "payload", "delete", "clear", "publish", "again"]),
        st.sets(st.integers(0, 30), min_size=1, max_size=8),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(changes=CHANGES)
def test_what_is_taken_from_the_edition_before_is_as_if_all_was_read(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("store")
    client = EdgeClient(folder)
    engine = made(client)
    fill(engine, range(20))
    publish(client)
    for version, (kind, numbers) in enumerate(changes, start=1):
        ids = [point(number) for number in sorted(numbers)]
        there = [record.id for record in engine.retrieve(ids, payload=[])]
        if kind == "upsert":
            fill(engine, sorted(numbers), version)
        elif kind == "payload" and there:
            engine.set_payload(there, [{"maybe": [f"m{version}"], "size": version}] * len(there))
        elif kind == "delete":
            engine.delete(ids)
        elif kind == "clear":
            engine.drop()
            engine = made(client)
        elif kind == "publish":
            publish(client)
        elif kind == "again":  # who was killed knows nothing of what was changed
            client.close()
            client = EdgeClient(folder)
            engine = HierarchicalCollection(client, "photos", root=ROOT, vector_name="v")
        if kind != "publish" and kind not in ("again", "payload"):
            assert changed_path(folder, "photos").exists()
    publish(client)
    assert not changed_path(folder, "photos").exists()
    assert_same(reader(folder), engine)
    client.close()


def test_documents_are_kept_as_they_were(tmp_path):
    with EdgeClient(tmp_path) as client:
        fill(made(client), range(3))
        publish(client)
        editions = Editions(client)
        assert not editions.are_due("photos", DOCUMENTS)
        assert editions.are_due("photos", {**DOCUMENTS, "empty": b"no longer"})
    edition = open_edition(tmp_path, "photos")
    assert edition.documents() == DOCUMENTS
    assert edition.document("other") is None


def test_a_reader_keeps_what_it_has_opened(tmp_path):
    with EdgeClient(tmp_path) as client:
        engine = made(client)
        fill(engine, range(30))
        publish(client)
        before = reader(tmp_path)
        engine.delete([point(number) for number in range(29)])
        publish(client)
        assert before.count() == 30
        assert len(before.nearest(vector(2), limit=30)) == 30
        assert reader(tmp_path).count() == 1


def test_nothing_can_be_changed(tmp_path):
    with EdgeClient(tmp_path) as client:
        fill(made(client), range(3))
        publish(client)
    ours = reader(tmp_path)
    for change in (
        lambda: fill(ours, [1]),
        lambda: ours.delete([point(1)]),
        lambda: ours.set_payload([point(1)], [{"a": 1}]),
        ours.drop,
        ours.optimize,
        lambda: ours.descendants_of(vector(1), limit=2),
    ):
        with pytest.raises(StoreError, match=r"for reading only"):
            change()
    other = HierarchicalCollection(ours._schema.client, "concepts", root=ROOT)
    assert not other.exists()
    with pytest.raises(CollectionError, match="no collection 'concepts'"):
        other.count()


def test_points_with_numbers_for_ids_are_not_published(tmp_path):
    with EdgeClient(tmp_path) as client:
        engine = made(client)
        engine.upsert([1, 2], np.eye(DIM)[:2], [{}, {}])
        with pytest.raises(StoreError, match="numbers for ids"):
            publish(client)
    assert open_edition(tmp_path, "photos") is None


@pytest.mark.parametrize("keep", [0, 10, 63, 64, 200, 0.5, 0.999])
def test_a_file_that_was_cut_is_told(tmp_path, keep):
    with EdgeClient(tmp_path) as client:
        fill(made(client), range(30))
        publish(client)
        path = edition_path(tmp_path, "photos")
        whole = path.read_bytes()
        path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
        with pytest.raises(StoreError, match=r"photos\.edition is damaged"):
            EditionFile(path)
        publish(client)  # makes it whole again
    assert reader(tmp_path).count() == 30


def test_and_one_of_something_else(tmp_path):
    path = edition_path(tmp_path, "photos")
    path.write_bytes(b"x" * 1000)
    with pytest.raises(StoreError, match="another version"):
        EditionFile(path)
