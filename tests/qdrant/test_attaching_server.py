"""Attaching over HTTP: what a server refuses, and when it does so."""

from __future__ import annotations

import warnings

import pytest
from qdrant_client import QdrantClient, models

from hiersearch.errors import StoreError
from tests import rest_server
from tests.qdrant.conftest import Cloud
from tests.qdrant.foreign import NAME, check_right, everything, label, number_of, their, theirs
from tests.rest_server import RefusedError, serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]


def test_a_point_that_is_deleted_between_reading_and_writing_is_passed_over():
    cloud = Cloud.make(60)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        gone = []

        def refuse(method: str, path: str) -> None:
            # As a server does, which does not know one of the points.
            if path.endswith("/points/batch") and not gone:
                gone.append(number_of(cloud, 33))
                server.store.delete(NAME, gone)
                raise RefusedError(404, "Not found: No point with id found")

        server.fail = refuse
        done = their(client, cloud.root).attach()
        assert (done.attached, done.gone, done.missing) == (59, 1, 0)
        assert their(client, cloud.root).count_without_distance() == 0


def test_a_server_that_fails_half_way_is_gone_on_with():
    cloud = Cloud.make(100)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        before = everything(client)
        writes = []

        def fail(method: str, path: str) -> None:
            if path.endswith("/points/batch"):
                writes.append(path)
                if len(writes) > 3:
                    raise RefusedError(500, "out of breath")

        server.fail = fail
        with pytest.raises(StoreError):
            their(client, cloud.root).attach(page=10)
        server.fail = None
        done = their(client, cloud.root).attach(page=10)
        assert (done.attached, done.already) == (70, 30)
        check_right(client, before, cloud.root)


@pytest.mark.parametrize(("version", "warned"), [("1.18.3", 1), ("1.19.0", 0)])
def test_a_server_that_loses_payload_is_advised_against_once(version, warned, monkeypatch):
    monkeypatch.setitem(rest_server._ROOT, "version", version)
    cloud = Cloud.make(30)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        for expected in (warned, 0):  # the second time, nothing is written
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                their(client, cloud.root).attach(page=7)
            assert sum("loses other payload" in str(one.message) for one in told) == expected


@pytest.mark.parametrize("exact", [False, True])
def test_strict_mode_and_keys_are_respected(exact):
    cloud = Cloud.make(100)
    with serving(api_key="secret", read_only_key="reader") as server:
        client = QdrantClient(url=server.url, api_key="secret", check_compatibility=False)
        theirs(client, cloud)
        before = everything(client)
        client.update_collection(
            NAME,
            strict_mode_config=models.StrictModeConfig(
                enabled=True,
                max_query_limit=9,
                upsert_max_batchsize=5,
                search_allow_exact=exact,
                condition_max_size=4,
                unindexed_filtering_retrieve=False,
                unindexed_filtering_update=False,
            ),
        )
        reader = QdrantClient(url=server.url, api_key="reader", check_compatibility=False)
        looked = their(reader, cloud.root).attach(dry_run=True)
        assert looked.attached == 100
        with pytest.raises(StoreError, match="lacks a right"):
            their(reader, cloud.root).attach()
        their(client, cloud.root).attach(label=label)
        their(client, cloud.root).detach()
        their(client, cloud.root).attach()
        client.update_collection(
            NAME, strict_mode_config=models.StrictModeConfig(enabled=False, max_query_limit=9)
        )
        check_right(client, before, cloud.root)


def test_the_indexes_come_before_the_first_point_and_the_metadata_before_the_indexes():
    cloud = Cloud.make(10)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        start = len(server.requests)
        their(client, cloud.root).attach(label=label)
        order = [
            path.rsplit("/", 1)[1]
            for method, path in server.requests[start:]
            if method in ("PATCH", "PUT") or path.endswith("batch")
        ]
        assert order == [NAME, "index", "index", "batch"]
        schema = client.get_collection(NAME).payload_schema
        assert schema["root_distance"].params.is_principal
        assert schema["concepts"].data_type == models.PayloadSchemaType.KEYWORD


def test_a_server_that_keeps_no_metadata_is_refused_before_points_are_written(monkeypatch):
    cloud = Cloud.make(5)
    client = QdrantClient(":memory:")
    theirs(client, cloud)
    monkeypatch.setattr(client, "update_collection", lambda *_, **__: True)
    with pytest.raises(StoreError, match="does not remember"):
        their(client, cloud.root).attach()
    assert their(client, cloud.root).count_without_distance() == 5


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_detach_that_was_cut_off_is_finished_under_strict_mode(method):
    """Its index gone, the field is none that a strict server lets points be chosen by."""
    cloud = Cloud.make(30)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        before = everything(client)
        client.update_collection(NAME, strict_mode_config=STRICT)
        collection = their(client, cloud.root)
        collection.attach(label=label)

        def fail(sent: str, path: str) -> None:
            if sent == method:
                raise RefusedError(500, "out of breath")

        server.fail = fail
        with pytest.raises(StoreError):
            collection.detach(page=8)
        server.fail = None
        done = collection.detach(page=8)
        assert done.points == 0
        assert done.indexes == ("root_distance", "concepts")
        check_detached(client, before)


def test_an_attach_that_was_cut_off_before_its_index_is_undone_under_strict_mode():
    cloud = Cloud.make(30)
    with serving() as server:
        client = QdrantClient(url=server.url, check_compatibility=False)
        theirs(client, cloud)
        before = everything(client)
        client.update_collection(NAME, strict_mode_config=STRICT)
        collection = their(client, cloud.root)
        collection.attach()
        # As a run leaves it that wrote some points, and whose index others have dropped.
        client.delete_payload_index(NAME, "root_distance")
        server.store.delete_payload(NAME, ["root_distance"], [number_of(cloud, 3)])
        assert collection.detach(page=8).points == 29
        check_detached(client, before)


STRICT = models.StrictModeConfig(
    enabled=True, max_query_limit=9, unindexed_filtering_retrieve=False
)


def check_detached(client, before) -> None:
    client.update_collection(NAME, strict_mode_config=models.StrictModeConfig(enabled=False))
    info = client.get_collection(NAME)
    assert info.payload_schema == {}
    assert not info.config.metadata
    assert {key: payload for key, (payload, _) in everything(client).items()} == {
        key: payload for key, (payload, _) in before.items()
    }
