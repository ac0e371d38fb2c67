from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from hiersearch.data import fetching
from hiersearch.data.fetching import DOWNLOADS, TrainFile, find_train_file
from hiersearch.data.hierarcaps_files import TRAIN_FILE, TRAIN_PART
from hiersearch.errors import HiersearchError, MissingDataError, UsageError
from hiersearch.files import download

(FILE,) = DOWNLOADS[TRAIN_PART].files
CONTENT = gzip.compress(b"positive,negative\na => b,c => d\n", mtime=0)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def serving(content: bytes = CONTENT, status: int = 200) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == FILE.url
        return httpx.Response(status, content=content)

    return httpx.MockTransport(answer)


def failing(error: Callable[[], Exception]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error()

    return httpx.MockTransport(answer)


UNREACHABLE = failing(lambda: httpx.ConnectError("Name or service not known"))


@pytest.fixture
def home(tmp_path) -> dict[str, str]:
    return {"HIERSEARCH_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def kept(tmp_path) -> Path:
    return tmp_path / "cache" / "data" / TRAIN_FILE


def test_downloaded_once_and_checked_ever_after(home, kept):
    told: list[tuple[str, int, int]] = []
    found = find_train_file(
        environ=home, transport=serving(), on_progress=lambda *t: told.append(t)
    )
    assert found == TrainFile(kept, DIGEST)
    assert kept.read_bytes() == CONTENT
    assert told[-1] == ("downloading HierarCaps", len(CONTENT), len(CONTENT))
    assert find_train_file(environ=home, transport=UNREACHABLE) == found
    assert {file.name for file in kept.parent.iterdir()} == {TRAIN_FILE, f"{TRAIN_FILE}.sha256"}
    kept.write_bytes(gzip.compress(b"other"))
    with pytest.raises(HiersearchError, match="is not what was downloaded"):
        find_train_file(environ=home, transport=serving())


def test_a_file_that_was_removed_is_downloaded_again(home, kept):
    find_train_file(environ=home, transport=serving())
    kept.unlink()
    assert find_train_file(environ=home, transport=serving()) == TrainFile(kept, DIGEST)


@pytest.mark.parametrize(
    ("transport", "says"),
    [
        (UNREACHABLE, "Name or service not known"),
        (failing(lambda: httpx.ReadTimeout("")), "ReadTimeout"),
        (serving(status=404), "the server answered 404"),
        (serving(CONTENT[:-10]), "not a whole gzip file"),
        (serving(b"version https://git-lfs.github.com/spec/v1\n"), "not a whole gzip file"),
        (serving(b"<html>Sign in to the network</html>"), "not a whole gzip file"),
    ],
)
def test_a_failed_download_says_where_the_file_goes(home, kept, transport, says):
    with pytest.raises(MissingDataError, match=says) as caught:
        find_train_file(environ=home, transport=transport)
    assert str(kept) in caught.value.hint
    assert "HIERSEARCH_DATA" in caught.value.hint
    assert list(kept.parent.iterdir()) == []
    # What the hint says works.
    kept.write_bytes(CONTENT)
    assert find_train_file(environ=home, transport=transport) == TrainFile(kept)


def test_too_large(home, kept, monkeypatch):
    small = functools.partial(download, max_bytes=10)
    monkeypatch.setattr(fetching, "download", small)
    with pytest.raises(HiersearchError, match="larger than 0 MB"):
        find_train_file(environ=home, transport=serving())
    assert list(kept.parent.iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(HiersearchError, match="cannot write") as caught:
        find_train_file(environ={"HIERSEARCH_CACHE": str(tmp_path / "cache")}, transport=serving())
    assert "HIERSEARCH_CACHE" in caught.value.hint


@pytest.mark.parametrize(
    "name", [TRAIN_FILE, TRAIN_FILE.removesuffix(".gz"), f"hierarcaps/{TRAIN_FILE}"]
)
def test_the_users_own_file_comes_first(home, tmp_path, name):
    file = tmp_path / "mine" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    environ = home | {"HIERSEARCH_DATA": str(tmp_path / "mine")}
    assert find_train_file(environ=environ, transport=UNREACHABLE) == TrainFile(file)
    file.unlink()
    assert find_train_file(environ=environ, transport=serving()).sha256 == DIGEST
    with pytest.raises(UsageError, match=r"HIERSEARCH_DATA names .*nowhere"):
        find_train_file(environ=home | {"HIERSEARCH_DATA": str(tmp_path / "nowhere")})


class Cutting(BaseHTTPRequestHandler):
    """Redirects once, and then cuts the connection before the end."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: self.server.served])  # type: ignore[attr-defined]
        else:
            self.send_response(302)
            self.send_header("Location", "/moved")
            self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_a_real_server(home, kept, monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Cutting) as server:
        server.served = len(CONTENT) // 2  # type: ignore[attr-defined]
        served = dataclasses.replace(
            FILE, url=f"http://127.0.0.1:{server.server_port}/{TRAIN_FILE}"
        )
        known = {TRAIN_PART: dataclasses.replace(DOWNLOADS[TRAIN_PART], files=(served,))}
        monkeypatch.setattr(fetching, "DOWNLOADS", DOWNLOADS | known)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(HiersearchError, match="cannot download HierarCaps"):
                find_train_file(environ=home)
            assert list(kept.parent.iterdir()) == []
            server.served = len(CONTENT)  # type: ignore[attr-defined]
            assert find_train_file(environ=home).sha256 == DIGEST
        finally:
            server.shutdown()
            thread.join()
