from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.config import ServerPlace
from hiersearch.errors import (
    IndexNotFoundError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    UsageError,
)
from hiersearch.index import CopySummary, PhotoIndex, copy_index
from hiersearch.index.storage import IndexStore
from hiersearch.qdrant import HierarchicalCollection, connect
from tests.index.made import make_index, same_contents
from tests.rest_server import RefusedError, RestServer

OTHER = Vocabulary([Concept("thing", "thing")], "other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An index of 600 made photos; read only."""
    folder = tmp_path_factory.mktemp("made") / "source"
    make_index(folder, range(600))
    return folder


@pytest.fixture
def remote(server) -> ServerPlace:
    return ServerPlace(server.url, "holiday")


def writes(server: RestServer) -> list[str]:
    """The paths of the requests that change points."""
    return [
        path
        for method, path in server.requests
        if (method == "PUT" and "/points" in path) or "delete" in path or method == "DELETE"
    ]


def test_to_a_server_and_back_and_on_nothing_is_lost(folder, remote, tmp_path, server):
    assert copy_index(folder, remote) == CopySummary(copied=600, removed=0, unchanged=0)
    assert same_contents(folder, remote)
    assert copy_index(str(remote), str(tmp_path / "back")).copied == 600
    assert same_contents(folder, tmp_path / "back")
    assert copy_index(remote, ServerPlace(server.url, "second")).copied == 600
    assert copy_index(tmp_path / "back", tmp_path / "third").copied == 600
    assert same_contents(ServerPlace(server.url, "second"), tmp_path / "third")


def test_the_copy_is_indexed_as_the_original(folder, remote, server):
    copy_index(folder, remote)
    assert {"root_distance", "concepts", "path", "taken"} <= server.kept["holiday"].indexes.keys()
    assert server.kept["holiday-concepts"].indexes.keys() >= {"root_distance"}


def test_run_again_nothing_is_written(folder, remote, server, tmp_path):
    copy_index(folder, remote)
    copy_index(remote, tmp_path / "back")
    server.requests.clear()
    nothing = CopySummary(copied=0, removed=0, unchanged=600)
    assert copy_index(folder, remote) == nothing
    assert copy_index(remote, tmp_path / "back") == nothing
    assert writes(server) == []


@pytest.mark.parametrize("back", [False, True])
def test_another_index_is_only_replaced_when_told_and_then_by_its_differences(
    folder, remote, tmp_path, back
):
    older = remote if not back else tmp_path / "older"
    make_index(older, range(300, 900), version=1)
    source = folder
    if back:
        copy_index(folder, remote)
        source = remote
    with pytest.raises(StoreError, match=r"another index at .*--overwrite"):
        copy_index(source, older)
    make_index(tmp_path / "as it was", range(300, 900), version=1)
    assert same_contents(older, tmp_path / "as it was")
    done = copy_index(source, older, overwrite=True)
    assert done == CopySummary(copied=300 + 100, removed=300, unchanged=200)
    assert same_contents(folder, older)


@pytest.mark.parametrize("to_server", [False, True])
def test_an_index_of_another_model_is_replaced_whole(folder, remote, tmp_path, to_server):
    target = remote if to_server else tmp_path / "target"
    make_index(target, range(10), dim=5, vocabulary=OTHER)
    with pytest.raises(StoreError, match="another index"):
        copy_index(folder, target)
    assert copy_index(folder, target, overwrite=True).copied == 600
    assert same_contents(folder, target)


def test_an_index_without_photos_is_in_nobodys_way_and_can_be_copied(folder, remote, tmp_path):
    make_index(remote, range(0), dim=5)
    assert copy_index(folder, remote).copied == 600
    make_index(tmp_path / "empty", range(0))
    assert copy_index(tmp_path / "empty", tmp_path / "copy") == CopySummary(0, 0, 0)
    assert same_contents(tmp_path / "empty", tmp_path / "copy")


class PowerCut(BaseException):
    """What no code catches."""


def cut_copy(source, target, after: int, **options) -> None:
    """A copy that ends when so many photos are there."""

    def tell(task, done, total):
        if task == "copying photos" and done > after:
            raise PowerCut

    with pytest.raises(PowerCut):
        copy_index(source, target, on_progress=tell, **options)


@pytest.mark.parametrize("back", [False, True])
def test_half_a_copy_is_no_index_and_can_only_be_finished(
    folder, remote, tmp_path, server, mini, back
):
    target = tmp_path / "target" if back else remote
    source = folder
    if back:
        copy_index(folder, remote)
        source = remote
    cut_copy(source, target, 300)
    hint = f"hiersearch copy {source} {target}"
    with pytest.raises(StoreError, match=r"a copy to .* was cut off") as caught:
        PhotoIndex.open(target)
    assert not isinstance(caught.value, IndexNotFoundError)
    assert hint in caught.value.hint
    with pytest.raises(StoreError, match="was cut off"):
        PhotoIndex.create(target, model=mini, exist_ok=True)
    make_index(tmp_path / "other", range(3))
    with pytest.raises(StoreError, match=r"was cut off.*--overwrite"):
        copy_index(tmp_path / "other", target)
    with pytest.raises(StoreError, match="was cut off"):
        copy_index(target, tmp_path / "elsewhere")
    assert copy_index(source, target) == CopySummary(copied=88, removed=0, unchanged=512)
    assert same_contents(folder, target)


def test_half_a_copy_of_another_index_is_replaced_when_told(folder, remote, tmp_path):
    make_index(tmp_path / "other", range(400), dim=5)
    cut_copy(tmp_path / "other", remote, 100)
    assert copy_index(folder, remote, overwrite=True).copied == 600
    assert same_contents(folder, remote)


@pytest.mark.parametrize(
    ("dim", "cuts"),
    [(8, range(6)), (5, (*range(6), 8, 12))],
    ids=["older state", "other model"],
)
def test_a_cut_after_some_writes_is_mended_by_the_next_run(tmp_path, server, dim, cuts):
    """Over what lay there before, cut at requests that write: the note, drops, points, manifest."""
    source = tmp_path / "source"
    make_index(source, range(40))
    for number in cuts:
        target = ServerPlace(server.url, f"after-{number}")
        make_index(target, range(20, 50), dim=dim, version=1)
        left = [number]

        def cut(method, path, left=left):
            if method in ("PUT", "DELETE") or path.endswith("/delete"):
                if not left[0]:
                    raise RefusedError(500, "cut")
                left[0] -= 1

        server.fail = cut
        with pytest.raises(StoreError, match="cut"):
            copy_index(source, target, overwrite=True)
        server.fail = None
        if number:
            with pytest.raises(StoreError, match="was cut off"):
                IndexStore.open(target)
        copy_index(source, target, overwrite=number == 0)
        assert same_contents(source, target)


def test_a_place_cannot_be_copied_to_itself(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    for target in (folder, tmp_path / "link"):
        with pytest.raises(UsageError, match="itself"):
            copy_index(folder, target, overwrite=True)


def test_nothing_to_copy_is_an_error_that_makes_nothing(remote, tmp_path, server):
    for source in (tmp_path / "nowhere", remote):
        with pytest.raises(IndexNotFoundError, match="no index at"):
            copy_index(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert writes(server) == []


def test_a_server_that_is_away_is_named(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"http://ann:secret@127.0.0.1:{taken.getsockname()[1]}/holiday?key=secret"
        with pytest.raises(StoreUnreachableError, match=r"http://127\.0\.0\.1") as caught:
            copy_index(folder, place)
    assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_goes_away_meanwhile_is_out_of_reach(folder, remote, server):
    def away(method, path):
        if path.endswith("holiday/points"):
            raise SystemExit  # ends the connection without an answer

    server.fail = away
    with pytest.raises(StoreUnreachableError, match=r"http://127\.0\.0\.1"):
        copy_index(folder, remote)
    server.fail = None
    copy_index(folder, remote)
    assert same_contents(folder, remote)


def test_collections_of_others_are_left_alone(folder, remote, server, mini):
    client = connect(server.url)
    for name in ("holiday", "holiday-concepts"):
        other = HierarchicalCollection(client, name, root=[1.0, 0.0])
        other.create()
        other.upsert([1], [[0.0, 1.0]], [{}])
        with pytest.raises(StoreError, match=f"'{name}' belongs to no index"):
            copy_index(folder, remote, overwrite=True)
        with pytest.raises(StoreError, match=f"'{name}' belongs to no index"):
            PhotoIndex.create(remote, model=mini)
        assert other.count() == 1
        other.drop()
    assert client.get_collections().collections == []
    client.close()


def test_an_index_that_is_open_elsewhere_is_not_touched(folder, remote, tmp_path):
    make_index(tmp_path / "target", range(3))
    held = IndexStore.open(tmp_path / "target")
    with pytest.raises(StoreLockedError):
        copy_index(folder, tmp_path / "target", overwrite=True)
    assert held.count() == 3
    held.close()
    held = IndexStore.open(folder)
    with pytest.raises(StoreLockedError):
        copy_index(folder, remote)
    held.close()


def test_a_source_that_changes_meanwhile_is_noticed(folder, remote, tmp_path):
    copy_index(folder, remote)
    source = IndexStore.open(remote)

    def tell(task, done, total):
        source.take_vocabulary(OTHER, trees=None)

    with pytest.raises(StoreError, match="was changed while it was copied"):
        copy_index(remote, tmp_path / "target", on_progress=tell)
    source.close()
    copy_index(remote, tmp_path / "target", overwrite=True)
    assert same_contents(remote, tmp_path / "target")


def test_progress_is_told(folder, remote):
    told: dict[str, list] = {}
    copy_index(
        folder, remote, on_progress=lambda task, *rest: told.setdefault(task, []).append(rest)
    )
    assert told["copying photos"] == [(256, 600), (512, 600), (600, 600)]
    assert list(told) == ["copying the vocabulary", "copying photos"]
