"""A collection is optimised in another process while this one reads it, and no point is lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from hiersearch import EdgeClient, HierarchicalCollection
from hiersearch.errors import StoreError
from hiersearch.qdrant.edge import optimising, shards
from hiersearch.qdrant.edge.optimising import optimize_aside

COUNT, DIM = 3000, 8


def nothing() -> None:
    """Goes on."""


@pytest.fixture
def collection(tmp_path):
    with EdgeClient(tmp_path / "store") as client:
        made = HierarchicalCollection(client, "photos", root=np.eye(DIM)[0])
        made.create(payload_indexes={"name": "keyword"})
        vectors = np.random.default_rng(0).normal(size=(COUNT, DIM))
        made.upsert(range(COUNT), vectors, [{"name": str(number)} for number in range(COUNT)])
        yield made


@pytest.fixture
def thinned(collection):
    """A third of the points is deleted: worth tidying."""
    collection.delete(range(0, COUNT, 3))
    return collection


def contents(collection) -> dict:
    return {
        record.id: (record.payload, record.vector.tolist())
        for record in collection.scroll(with_vectors=True)
    }


def leftovers(collection) -> list[str]:
    return [path.name for path in collection.client.path.iterdir() if path.name != "photos"]


def aside(collection, *, alone=nullcontext, keep_on=nothing) -> bool:
    return optimize_aside(collection.client, collection.name, alone=alone, keep_on=keep_on)


def vectors_on_disk(collection) -> int:
    """How many vectors the files have room for, deleted ones included."""
    collection.client.shards.shard("photos").flush()
    folder = collection.client.path / "photos" / "segments"
    return sum(
        int.from_bytes(status.read_bytes()[:8], "little")
        for status in folder.glob("*/vector_storage-*/vectors/status.dat")
    )


def test_nothing_to_do_costs_no_copy(collection, monkeypatch):
    monkeypatch.setattr(optimising, "_in_child", lambda *_: pytest.fail("it was copied"))
    assert not aside(collection)
    collection.delete(range(100))
    assert not aside(collection)
    assert not collection.optimize()


def test_the_space_of_deleted_points_is_reclaimed_and_the_others_are_the_same(thinned):
    before = contents(thinned)
    assert vectors_on_disk(thinned) == COUNT
    entered = []

    @contextmanager
    def alone():
        entered.append(contents(thinned) == before)
        yield

    assert aside(thinned, alone=alone)
    assert entered == [True]
    assert contents(thinned) == before
    assert vectors_on_disk(thinned) < COUNT
    assert leftovers(thinned) == []
    assert not aside(thinned)
    thinned.upsert([COUNT], [np.ones(DIM)], [{"name": "new"}])
    thinned.client.close()
    assert len(contents(thinned)) == len(before) + 1


def test_others_read_meanwhile(thinned):
    before, done, read = contents(thinned), threading.Event(), []

    def reader() -> None:
        while not done.is_set():
            read.append(thinned.count())

    thread = threading.Thread(target=reader)
    thread.start()
    looked = []
    try:
        turns = threading.Lock()
        # The reader of this test takes no turns: it must have ended before the exchange.

        @contextmanager
        def alone():
            done.set()
            thread.join()
            with turns:
                yield

        assert aside(thinned, alone=alone, keep_on=lambda: looked.append(len(read)))
    finally:
        done.set()
        thread.join()
    assert set(read) == {len(before)}
    assert looked[-1] > looked[0]


def test_it_can_be_stopped(thinned, monkeypatch):
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    monkeypatch.setattr(optimising, "_PROGRAM", "import time; time.sleep(600)")
    before = contents(thinned)
    with pytest.raises(StoppedError):
        aside(thinned, keep_on=stop)
    assert contents(thinned) == before
    assert leftovers(thinned) == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit('no memory')", "no memory"),
        ("import os; os.abort()", "ended with -6"),
        ("print(True, 1)", "ended with 0"),
    ],
)
def test_a_child_that_fails_changes_nothing(thinned, monkeypatch, program, reason):
    monkeypatch.setattr(optimising, "_PROGRAM", program)
    before = contents(thinned)
    with pytest.raises(StoreError, match=f"could not be optimised .*{reason}"):
        aside(thinned)
    assert contents(thinned) == before
    assert leftovers(thinned) == []


def test_a_copy_that_cannot_be_opened_does_not_take_its_place(thinned, tmp_path):
    before = contents(thinned)
    broken = tmp_path / "store" / ".optimising-x" / "photos"
    shutil.copytree(tmp_path / "store" / "photos", broken)
    for status in broken.glob("segments/**/status.dat"):
        status.write_bytes(b"")
    with pytest.raises(StoreError, match="damaged"):
        thinned.client.shards.replace("photos", broken)
    assert contents(thinned) == before
    assert not aside(thinned) or contents(thinned) == before
    assert leftovers(thinned) == []


def test_a_kill_between_the_two_renames_loses_nothing(thinned, tmp_path):
    before = contents(thinned)
    thinned.client.close()
    store = tmp_path / "store"
    (store / "photos").rename(store / ".replaced-photos")
    (store / ".optimising-abc").mkdir()
    with EdgeClient(store) as client:
        again = HierarchicalCollection(client, "photos", root=np.eye(DIM)[0])
        assert again.exists()
        assert contents(again) == before
        assert aside(again)
        assert contents(again) == before
        assert leftovers(again) == []


def test_a_kill_after_the_exchange_leaves_only_rubbish(thinned, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(store / "photos", store / ".replaced-photos")
    before = contents(thinned)
    assert aside(thinned)
    assert contents(thinned) == before
    assert leftovers(thinned) == []


def test_rubbish_that_cannot_be_removed_is_left(thinned, tmp_path):
    (tmp_path / "store" / ".optimising-old").write_text("no folder")
    assert aside(thinned)
    assert leftovers(thinned) == [".optimising-old"]


def test_the_copy_is_on_the_disk_before_the_collection_is_deleted(thinned, monkeypatch):
    steps, sync, rename, rmtree = [], shards._sync, Path.rename, shutil.rmtree

    def synced(path):
        steps.append(("sync", path))
        sync(path)

    def renamed(path, target):
        steps.append(("rename", target))
        return rename(path, target)

    def removed(path, **more):
        steps.append(("remove", path))
        rmtree(path, **more)

    monkeypatch.setattr(shards, "_sync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(shutil, "rmtree", removed)
    assert aside(thinned)
    store = thinned.client.path
    first = steps.index(("rename", store / ".replaced-photos"))
    names = {path.name for kind, path in steps[:first] if kind == "sync"}
    assert {"photos", "segments", "edge_config.json"} <= names
    assert steps[first + 1 : first + 4] == [
        ("rename", store / "photos"),
        ("sync", store),
        ("remove", store / ".replaced-photos"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere SIGIO ends no process")
@pytest.mark.parametrize("soon", [True, False])
def test_a_child_whose_parent_has_gone_ends(soon):
    # Like the engine, this holds the interpreter's lock for as long as it works.
    busy = "import ctypes, sys; print('busy', flush=True); ctypes.PyDLL(None).sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", optimising._ENDS_WITH_PARENT + busy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        if not soon:
            assert child.stdout.readline() == b"busy\n"
        child.stdin.close()
        assert child.wait(60) in ((1, -signal.SIGIO) if soon else (-signal.SIGIO,))


def test_another_process_that_mends_the_exchange_wins(thinned, tmp_path, monkeypatch):
    before = contents(thinned)
    rename = Path.rename

    def slow_rename(path, target):
        rename(path, target)
        if Path(target).name == ".replaced-photos":
            rename(Path(target), path)

    monkeypatch.setattr(Path, "rename", slow_rename)
    assert not aside(thinned)
    assert contents(thinned) == before
    assert leftovers(thinned) == []


def test_files_of_another_layout_are_tried(collection):
    folder = collection.client.path / "photos"
    assert vectors_on_disk(collection) == COUNT
    assert not optimising._worthwhile(folder, COUNT)
    assert optimising._worthwhile(folder, COUNT + 1)
    assert optimising._worthwhile(folder, COUNT * 2 // 3)
    config = folder / "edge_config.json"
    content = json.loads(config.read_text())
    content["optimizers"]["indexing_threshold"] = 10
    config.write_text(json.dumps(content))
    assert optimising._worthwhile(folder, COUNT)
    config.write_text("{}")
    assert optimising._worthwhile(folder, COUNT)


def test_the_child_imports_nothing_from_the_current_folder(thinned, tmp_path, monkeypatch):
    (tmp_path / "qdrant_edge.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert aside(thinned)
