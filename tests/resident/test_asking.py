"""Who is asked: whoever has the index open and listens, and nobody else."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from hiersearch import __version__
from hiersearch.errors import (
    StoreLockedError,
    StoreUnreachableError,
)
from hiersearch.resident import asking, listening
from hiersearch.resident.asking import GoneError, ask, find_resident
from hiersearch.resident.listening import Listener
from hiersearch.resident.serving import Serving
from hiersearch.resident.socket_path import socket_path


def test_one_of_another_version_is_not_asked(served, place, monkeypatch):
    monkeypatch.setattr(asking, "__version__", "0.0.9")
    with pytest.raises(StoreLockedError, match="another version of hiersearch") as refused:
        find_resident(place)
    assert __version__ in refused.value.message
    assert "start it again" in refused.value.hint


def test_one_that_has_another_folder_open_is_not_asked(served, place, tmp_path):
    place.rename(tmp_path / "moved")
    place.mkdir()
    assert find_resident(place) is None
    place.rmdir()
    assert find_resident(place) is None
    (tmp_path / "moved").rename(place)
    with find_resident(place) as resident:
        assert resident.info().photos == 3


def test_nobody_is_asked_in_a_folder_that_others_can_enter(served, place, caplog):
    socket_path(place).parent.chmod(0o777)
    assert find_resident(place) is None
    assert "open to other users" in caplog.text


def test_one_that_says_nothing_is_an_error_in_words(place, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(asking, "_GREETING", 0.1)
    with (
        Listener(socket_path(place)),
        pytest.raises(StoreUnreachableError, match="does not answer"),
    ):
        find_resident(place)


def test_a_full_queue_is_waited_for(index, place, monkeypatch):
    monkeypatch.setattr(listening, "_BACKLOG", 0)
    with ExitStack() as open_:
        listener = open_.enter_context(Listener(socket_path(place)))
        full = False
        while not full:
            waiting = open_.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            full = waiting.connect_ex(str(listener.path)) == errno.EAGAIN
        with monkeypatch.context() as patch:
            patch.setattr(asking, "_GREETING", 0.1)
            with pytest.raises(StoreUnreachableError, match="does not answer"):
                find_resident(place)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(find_resident, place)
            with pytest.raises(TimeoutError):
                asked.result(0.2)
            open_.enter_context(Serving(index, place, listener, writes=True))
            with asked.result(60) as resident:
                assert resident.info().photos == 0


def test_where_nobody_listens_the_index_is_opened(place):
    def question(_):
        pytest.fail("nobody is there")

    assert ask(place, question, lambda: "direct") == "direct"

    def locked():
        raise StoreLockedError("it is locked")

    with pytest.raises(StoreLockedError, match="it is locked"):
        ask(place, question, locked)


def test_who_begins_to_listen_meanwhile_is_asked(index, place, serve, monkeypatch):
    found = []

    def find(*wanted, **more):
        found.append(find_resident(*wanted, **more))
        return found[-1]

    def locked():
        serve(index)
        raise StoreLockedError("it is locked")

    monkeypatch.setattr(asking, "find_resident", find)
    monkeypatch.setattr(asking, "_TRIES", 1)
    assert ask(place, lambda resident: resident.info(), locked).photos == 0
    assert found[0] is None
    assert [one._line.connection.fileno() for one in found[1:]] == [-1]


def test_who_ends_meanwhile_is_not_waited_for(index, place, folder):
    index.add(folder)
    tries = []

    def question(resident):
        tries.append(resident)
        raise GoneError

    listener = Listener(socket_path(place))
    with Serving(index, place, listener, writes=True):

        def ended(resident):
            listener.close()
            question(resident)

        assert ask(place, ended, lambda: "direct") == "direct"
    with (
        Listener(socket_path(place)) as listener,
        Serving(index, place, listener, writes=True),
        pytest.raises(StoreUnreachableError, match="ends without an answer"),
    ):
        ask(place, question, lambda: "direct")
    assert len(tries) == 4


def test_a_client_imports_neither_engine_nor_numbers(served):
    code = (
        "import sys, hiersearch.resident.asking\n"
        "heavy = {'numpy', 'qdrant_client', 'qdrant_edge', 'pydantic', 'PIL', 'torch', "
        "'hiersearch.concepts', 'hiersearch.index.photo_index'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
