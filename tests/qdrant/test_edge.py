"""What only the embedded engine can get wrong: files, locks, kills."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from hiersearch.errors import (
    CollectionError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    VectorError,
)
from hiersearch.qdrant import EdgeClient, HierarchicalCollection
from hiersearch.qdrant.edge import failures
from tests.qdrant.conftest import Cloud, photos

CHILD_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=CHILD_ENVIRONMENT,
        text=True,
    )


class TestOpening:
    def test_nothing_is_made_before_it_is_needed(self, tmp_path: Path, cloud: Cloud) -> None:
        collection = photos(tmp_path / "a" / "b", cloud)
        assert not collection.exists()
        collection.drop()
        assert collection.client.get_collections().collections == []
        assert list(tmp_path.iterdir()) == []

    def test_close_lets_go_and_the_client_goes_on(self, store: Path, cloud: Cloud) -> None:
        first, second = photos(store, cloud), photos(store, cloud)
        assert first.count() == 50
        with pytest.raises(StoreLockedError, match="photos"):
            second.count()
        first.client.close()
        assert second.count() == 50
        second.client.close()
        second.client.close()
        assert first.count() == 50

    def test_leaving_the_context_lets_go(self, store: Path) -> None:
        with EdgeClient(store) as client:
            assert client.count("photos").count == 50
        with EdgeClient(store) as client:
            assert client.count("photos").count == 50

    def test_another_process_has_it_open(self, store: Path, cloud: Cloud) -> None:
        holder = child(
            """
            import sys
            from hiersearch.qdrant import EdgeClient
            client = EdgeClient(sys.argv[1])
            print(client.count("photos").count, flush=True)
            sys.stdin.read()
            """,
            store,
        )
        collection = photos(store, cloud)
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "50\n"
            for attempt in (collection.count, collection.drop):
                with pytest.raises(StoreLockedError) as caught:
                    attempt()
                assert caught.value.exit_code == 3
                assert caught.value.hint
            holder.communicate()
        assert collection.count() == 50
        collection.client.close()

    def test_odd_folder_names(self, tmp_path: Path, cloud: Cloud) -> None:
        for name in ("with space", "ünï ☃", os.fsdecode(b"not utf8 \xff"), "percent%20"):
            collection = photos(tmp_path / name, cloud)
            collection.create()
            collection.upsert([1], cloud.vectors[:1], [{}])
            collection.client.close()
            assert collection.count() == 1
            collection.client.close()

    def test_names(self, store: Path) -> None:
        client = EdgeClient(store)
        for name in ("", ".hidden", "../photos", "a/b", "a\0b", "x" * 256, "a\nb"):
            with pytest.raises(CollectionError, match="name"):
                client.collection_exists(name)
        (store / "elsewhere").mkdir()
        (store / "a<b").mkdir()
        listed = client.get_collections().collections
        assert [collection.name for collection in listed] == ["photos"]

    def test_a_folder_with_other_things_in_it(self, tmp_path: Path, cloud: Cloud) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "cat.jpg").write_text("cat")
        collection = photos(tmp_path, cloud)
        with pytest.raises(CollectionError, match="no collection"):
            collection.count()
        with pytest.raises(CollectionError, match="something else"):
            collection.create()
        assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]

    def test_a_file_in_the_way(self, tmp_path: Path, cloud: Cloud) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreUnreachableError):
            photos(tmp_path / "file", cloud).create()
        with pytest.raises(StoreUnreachableError):
            photos(tmp_path / "file" / "deeper", cloud).create()

    def test_a_folder_that_may_not_be_written_to(self, store: Path) -> None:
        # What a user who is not root may do, tried by a child that gives its rights up.
        program = """
            import os, sys
            from qdrant_client import models  # while it may still be read
            from hiersearch.errors import StoreUnreachableError
            from hiersearch.qdrant import EdgeClient, HierarchicalCollection
            if os.getuid() == 0:
                os.setuid(65534)
            for name, attempt in (("photos", "count"), ("more", "create")):
                client = EdgeClient(sys.argv[1])
                collection = HierarchicalCollection(client, name, root=[1.0, 0.0])
                try:
                    getattr(collection, attempt)()
                except StoreUnreachableError as error:
                    print(error.exit_code, error.hint, sep=";")
            """
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "store"
            shutil.copytree(store, copy)
            inside = [copy, *copy.rglob("*")]
            for path in inside:
                path.chmod(0o555 if path.is_dir() else 0o444)
            refused = 2 * "3;Check that it is a folder you may write to\n"
            try:
                Path(folder).chmod(0o755)
                assert child(program, copy).communicate()[0] == refused
                Path(folder).chmod(0)
                if os.getuid() == 0:
                    assert child(program, copy).communicate()[0] == refused
            finally:
                for path in [Path(folder), *inside]:
                    path.chmod(0o755)


class TestDamage:
    @pytest.mark.parametrize(
        "pattern",
        [
            "edge_config.json",
            "wal/open-1",
            "wal/first-index",
            "segments/*/segment.json",
            "segments/*/version.info",
            "segments/*/vector_storage*/vectors/status.dat",
            "segments/*/vector_storage*/vectors/chunk_0.mmap",
            "segments/*/payload_storage/config.json",
        ],
    )
    def test_a_file_that_was_cut_short(
        self, store: Path, cloud: Cloud, pattern: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        [file] = (store / "photos").glob(pattern)
        file.write_bytes(b"")
        collection = photos(store, cloud)
        with pytest.raises(StoreError, match="damaged") as caught:
            collection.nearest(cloud.root, limit=50)
        assert str(store / "photos") in caught.value.message
        assert caught.value.hint
        assert capfd.readouterr().err == ""
        collection.drop()
        assert not collection.exists()
        assert list(store.iterdir()) == []

    def test_a_panic_of_the_engine_is_an_error_like_others(self, tmp_path: Path) -> None:
        panic = type("PanicException", (BaseException,), {})
        with pytest.raises(StoreError, match="damaged"), failures.edge_errors(tmp_path):
            raise panic("index out of bounds")
        with pytest.raises(KeyboardInterrupt), failures.edge_errors(tmp_path):
            raise KeyboardInterrupt

    def test_half_made_collections_are_no_collections(self, store: Path) -> None:
        shutil.copytree(store / "photos", store / ".draft-abc")
        assert len(EdgeClient(store).get_collections().collections) == 1


class TestFullDisk:
    def test_writing_is_refused_before_the_system_would_end_the_process(
        self, store: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        collection = photos(store, cloud)
        assert collection.count() == 50
        monkeypatch.setattr(failures, "ROOM", 2**80)
        for attempt in (
            lambda: collection.upsert(cloud.ids[:1], cloud.vectors[:1], [{}]),
            lambda: collection.delete(cloud.ids[:1]),
            collection.optimize,
            photos(store.parent, cloud).create,
        ):
            with pytest.raises(StoreError, match="full") as caught:
                attempt()
            assert "free" in caught.value.hint
        assert collection.count() == 50
        assert len(collection.nearest(cloud.root, limit=50)) == 50
        collection.client.close()
        with pytest.raises(StoreError, match="full"):
            collection.count()


class TestKill:
    def test_whatever_was_acknowledged_is_there(self, tmp_path: Path) -> None:
        program = """
            import sys, uuid
            import numpy as np
            from hiersearch.qdrant import EdgeClient, HierarchicalCollection
            collection = HierarchicalCollection(
                EdgeClient(sys.argv[1]), "photos", root=np.eye(64)[0]
            )
            collection.create()
            rng = np.random.default_rng(0)
            for batch in range(10**6):
                ids = [str(uuid.UUID(int=batch * 20 + row)) for row in range(20)]
                vectors = rng.standard_normal((20, 64))
                collection.upsert(ids, vectors, [{"batch": batch, "concepts": ["a"]}] * 20)
                print(batch, flush=True)
            """
        for acknowledged in (0, 7, 40):
            store = tmp_path / str(acknowledged)
            with child(program, store) as writer:
                assert writer.stdout is not None
                for _ in range(acknowledged + 1):
                    last = int(writer.stdout.readline())
                writer.kill()
                seen = [last, *(int(line) for line in writer.stdout.read().split())]
            whole = 20 * (max(seen) + 1)
            collection = HierarchicalCollection(EdgeClient(store), "photos", root=np.eye(64)[0])
            ids = {str(uuid.UUID(int=number)) for number in range(whole)}
            stored = {record.id for record in collection.scroll(with_vectors=True)}
            assert ids <= stored
            assert collection.count_without_distance() == 0
            assert collection.facets()["a"] == len(stored) == collection.count()
            collection.client.close()


class TestRefusals:
    def test_arguments_that_mean_nothing_here(self, store: Path, cloud: Cloud) -> None:
        client = EdgeClient(store)
        query = cloud.root.tolist()
        attempts: list[Callable[[], Any]] = [
            lambda: client.count("photos", timeout=3),
            lambda: client.scroll("photos", consistency=models.ReadConsistencyType.ALL),
            lambda: client.query_points("photos", query, lookup_from="other"),
            lambda: client.query_points("photos", "an-id", using="hiersearch"),
            lambda: client.query_points("photos", models.FusionQuery(fusion=models.Fusion.RRF)),
            lambda: client.query_points("photos", models.SampleQuery(sample=models.Sample.RANDOM)),
            lambda: client.upsert("photos", [], shard_key_selector="a"),
            lambda: client.create_collection("new"),
            lambda: client.create_collection(
                "new",
                models.VectorParams(
                    size=4,
                    distance=models.Distance.DOT,
                    multivector_config=models.MultiVectorConfig(
                        comparator=models.MultiVectorComparator.MAX_SIM
                    ),
                ),
            ),
            lambda: client.create_collection("new", {}, replication_factor=2),
            lambda: client.create_payload_index("photos", "place", "geo"),
            lambda: client.create_payload_index("photos", "place", None),
            lambda: client.delete("photos", "everything"),
            lambda: client.batch_update_points(
                "photos",
                [
                    models.ClearPayloadOperation(
                        clear_payload=models.PointIdsList(points=[cloud.ids[0]])
                    )
                ],
            ),
            lambda: client.count(
                "photos",
                models.Filter(
                    must=[
                        models.FieldCondition(
                            key="a",
                            geo_radius=models.GeoRadius(
                                center=models.GeoPoint(lon=0.0, lat=0.0), radius=1.0
                            ),
                        )
                    ]
                ),
            ),
            lambda: client.query_points(
                "photos",
                models.FormulaQuery(formula=models.LnExpression(ln="$score")),
                prefetch=models.Prefetch(query=query, using="hiersearch"),
            ),
            lambda: client.facet("photos", "not_indexed"),
            lambda: client.retrieve("photos", [-1]),
            lambda: client.retrieve("photos", [True]),
            lambda: client.set_payload("photos", {"a": 1}, [str(uuid.uuid4())]),
        ]
        for attempt in attempts:
            with pytest.raises(StoreError) as caught:
                attempt()
            assert "\n" not in caught.value.message
        assert client.count("photos").count == 50
        client.close()

    @pytest.mark.parametrize(
        "value",
        ["\ud800", float("nan"), float("inf"), {"a": ["\udcff"]}, {"\udcff": 1}, {1}, b"bytes"],
        ids=str,
    )
    def test_payloads_that_cannot_be_kept(self, store: Path, cloud: Cloud, value: object) -> None:
        collection = photos(store, cloud)
        with pytest.raises(StoreError, match="field"):
            collection.client.upsert(
                "photos",
                [
                    models.PointStruct.model_construct(
                        id=1, vector={"hiersearch": cloud.root.tolist()}, payload={"field": value}
                    )
                ],
            )
        collection.client.close()
        assert collection.count() == 50

    def test_vectors_that_do_not_fit(self, store: Path) -> None:
        with EdgeClient(store) as client:
            with pytest.raises(VectorError):
                client.query_points("photos", [1.0, 2.0], using="hiersearch")
            with pytest.raises(CollectionError):
                client.query_points("photos", [1.0] * 16, using="other")
            bad = models.PointStruct(id=1, vector={"hiersearch": [1.0]})
            with pytest.raises(VectorError):
                client.upsert("photos", [bad])
        with EdgeClient(store) as client:
            assert client.count("photos").count == 50
