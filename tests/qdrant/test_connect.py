from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from qdrant_client import QdrantClient

from hiersearch.errors import CollectionError, StoreError, StoreUnreachableError, UsageError
from hiersearch.qdrant import EdgeClient, HierarchicalCollection, connect
from tests.qdrant.conftest import Cloud

KEY = "a-secret-key"


def test_a_folder_is_the_embedded_engine_and_nothing_is_made_yet(tmp_path: Path) -> None:
    client = connect(tmp_path / "store")
    assert isinstance(client, EdgeClient)
    assert not client.path.exists()


def test_memory() -> None:
    assert isinstance(connect(":memory:"), QdrantClient)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("start", ["http://", "http://ann:pass@", "HTTP://"])
def test_nobody_there(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", KEY)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StoreUnreachableError) as caught:
            connect(f"{start}127.0.0.1:{port}/?api_key={KEY}", timeout=2)
    assert caught.value.exit_code == 3
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    for secret in (KEY, "pass", "ann"):
        assert secret not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("url", ["http://", "https://:80", "http://host:port", "http://[::1"])
def test_a_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(UsageError):
        connect(url)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, StoreUnreachableError),
        (403, StoreUnreachableError),
        (404, CollectionError),
        (500, StoreError),
        (200, StoreError),
    ],
)
def test_what_a_server_answers(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[StoreError]
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", KEY)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>not what\nwas asked for</html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(kind) as caught:
            connect(f"http://127.0.0.1:{server.server_port}", timeout=5)
    finally:
        server.shutdown()
        server.server_close()
    assert str(server.server_port) in str(caught.value)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_the_local_mode_are_ours() -> None:
    collection = HierarchicalCollection(connect(":memory:"), "nothing", root=[1.0, 0.0])
    with pytest.raises(CollectionError, match="nothing"):
        collection.count()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("grpc", [False, True], ids=["rest", "grpc"])
@pytest.mark.parametrize("listens", [False, True], ids=["closed", "silent"])
def test_a_server_that_does_not_answer(cloud: Cloud, listens: bool, grpc: bool) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        port = server.getsockname()[1]
        client = QdrantClient(
            url=f"http://127.0.0.1:{port}",
            grpc_port=port,
            prefer_grpc=grpc,
            api_key=KEY,
            timeout=1,
            check_compatibility=False,
        )
        collection = HierarchicalCollection(client, "cloud", root=cloud.root)
        for ask in (
            collection.exists,
            collection.create,
            lambda: collection.nearest(cloud.root, limit=1),
            lambda: collection.upsert(cloud.ids[:1], cloud.vectors[:1], [{}]),
        ):
            with pytest.raises(StoreUnreachableError) as caught:
                ask()
            assert caught.value.exit_code == 3
            assert f"http://127.0.0.1:{port}" in str(caught.value)
            assert KEY not in str(caught.value)
            assert caught.value.__suppress_context__
        client.close()
