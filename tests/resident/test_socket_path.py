"""Where is listened: in a folder of this user alone, whoever made it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from hiersearch.config import ServerPlace
from hiersearch.errors import StoreError, StoreLockedError
from hiersearch.resident.listening import Listener, listening
from hiersearch.resident.socket_path import own_folder, socket_path


def test_the_socket_is_named_by_the_real_path(runtime, tmp_path):
    path = socket_path(tmp_path / "index")
    assert path.parent == runtime / "hiersearch"
    (tmp_path / "link").symlink_to(tmp_path)
    assert socket_path(tmp_path / "link" / "index") == path
    assert socket_path(tmp_path / "other") != path
    assert "index" not in path.name


def test_an_index_on_a_server_has_none():
    assert socket_path(ServerPlace("http://localhost:6333", "photos")) is None


@pytest.mark.parametrize("named", ["", "relative", "/not/there", "/" + "long/" * 30])
def test_without_a_runtime_folder_it_lies_in_one_of_this_user(tmp_path, named):
    path = socket_path(tmp_path, {"XDG_RUNTIME_DIR": named})
    assert path.parent == Path(tempfile.gettempdir()) / f"hiersearch-{os.getuid()}"


def test_a_runtime_folder_with_too_long_a_path_is_left_alone(tmp_path):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    path = socket_path(tmp_path, {"XDG_RUNTIME_DIR": str(long)})
    assert path.parent.name == f"hiersearch-{os.getuid()}"


def test_a_runtime_folder_of_another_user_is_left_alone(runtime, tmp_path, monkeypatch):
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert socket_path(tmp_path).parent.name == f"hiersearch-{me + 1}"


def test_a_runtime_folder_that_cannot_be_looked_at_is_left_alone(runtime, tmp_path, monkeypatch):
    def refused(_):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refused)
        path = socket_path(tmp_path)
    assert path.parent.name == f"hiersearch-{os.getuid()}"


def test_a_missing_folder_is_made_for_this_user_alone(tmp_path):
    path = socket_path(tmp_path)
    assert not own_folder(path)
    before = os.umask(0)
    try:
        with Listener(path):
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_others_can_enter_is_refused(tmp_path):
    path = socket_path(tmp_path)
    path.parent.mkdir()
    path.parent.chmod(0o755)
    with pytest.raises(StoreError, match="open to other users") as refused:
        own_folder(path)
    assert refused.value.hint == f"Close it: chmod 700 {path.parent}"
    with pytest.raises(StoreError, match="open to other users"):
        Listener(path)
    problems = []
    with listening(tmp_path, problems.append) as listener:
        assert listener is None
    assert len(problems) == 1


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    path = socket_path(tmp_path)
    path.parent.mkdir(mode=0o700)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(StoreError, match="not a folder of yours"):
        own_folder(path)


def test_a_link_to_a_folder_is_refused(tmp_path):
    path = socket_path(tmp_path)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    path.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a folder of yours"):
        own_folder(path, make=True)


def test_one_listens_at_a_time(tmp_path):
    path = socket_path(tmp_path)
    with Listener(path):
        with pytest.raises(StoreLockedError, match="answers for this index already"):
            Listener(path)
        assert path.exists()
    with Listener(path):
        pass


def test_what_a_kill_has_left_is_replaced(tmp_path):
    path = socket_path(tmp_path)
    child = os.fork()
    if not child:
        Listener(path)
        os._exit(0)
    os.waitpid(child, 0)
    assert path.is_socket()
    with Listener(path) as listener:
        assert listener.socket.getsockname() == str(path)
