from __future__ import annotations

import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from hiersearch.errors import StoreUnreachableError
from tests.rest_server import serving

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(script, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["", *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((EXAMPLES / "cluster" / "compose.yaml").read_text(encoding="utf-8"))


def test_index_photos(demo_photos, capsys):
    run("index_photos.py", demo_photos, demo_photos / "cat.jpg")
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "12 photos"
    assert second.startswith("  animal: ")


@pytest.mark.filterwarnings("ignore::UserWarning")  # local mode's, on what it leaves out
def test_attach(capsys):
    run("attach.py")
    first, *path = capsys.readouterr().out.splitlines()
    assert first == "6 of 6 points attached, model verified"
    assert path[-1].endswith("a green parrot on a branch")
    assert path == sorted(path)
    assert len(path) > 1


def test_loss_with_stock_trainer(tmp_path, capsys):
    for package in ("accelerate", "datasets"):
        pytest.importorskip(package, reason="needs pip install hiersearch[train]")
    run("loss_with_stock_trainer.py", tmp_path / "out")
    losses, *texts = [line for line in capsys.readouterr().out.splitlines() if " -> " in line]
    first, last = map(float, losses.removeprefix("loss ").split(" -> "))
    assert last < first - 0.1
    assert [line.partition("  ")[2] for line in texts] == [
        "animal", "goat", "a red goat near a house",
    ]  # fmt: skip
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "RadialEmbeddingLoss" in card
    assert "Emergent Visual-Semantic Hierarchies in Image-Text Representations" in card


def test_the_collection_of_the_cluster(monkeypatch, capsys):
    with serving(api_key="secret") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "wrong")
        with pytest.raises(StoreUnreachableError):
            run("cluster/texts.py", server.url)
        monkeypatch.setenv("QDRANT_API_KEY", "secret")
        run("cluster/texts.py", server.url)
        printed = capsys.readouterr().out.splitlines()
        run("cluster/texts.py", server.url)
        assert capsys.readouterr().out.splitlines() == printed
        settings = server.kept["texts"].settings
    assert (settings.shard_number, settings.replication_factor) == (3, 2)
    assert printed[0] == "3 shards, 2 copies of each"
    titles = [place for place, line in enumerate(printed) if not line.startswith("  ")]
    path, above, below = (
        [line.split(maxsplit=1)[1] for line in printed[start + 1 : end]]
        for start, end in zip(titles[1:], [*titles[2:], len(printed)], strict=True)
    )
    assert path[-1] == "a green parrot on a branch"
    assert len(above) == len(below) == 3
    assert "a bird" in above or "a parrot" in above
    assert "an animal" in below  # itself, at angle 0


def test_the_nodes_find_each_other_by_their_names(compose):
    nodes = compose["services"]
    uris = {}
    for name, node in nodes.items():
        arguments = dict(zip(node["command"][1::2], node["command"][2::2], strict=True))
        assert node["command"][0] == "./qdrant"
        uris[name] = urlsplit(arguments["--uri"])
        assert uris[name].hostname == name
        if "--bootstrap" in arguments:
            first = urlsplit(arguments["--bootstrap"]).hostname
            assert first != name
            assert first in node["depends_on"]
    assert len(uris) == 3
    assert sum("--bootstrap" in node["command"] for node in nodes.values()) == 2
    for name, node in nodes.items():
        assert node["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        assert str(uris[name].port) == node["environment"]["QDRANT__CLUSTER__P2P__PORT"]


def test_what_the_nodes_publish_is_this_machines_and_needs_a_key(compose):
    published, mounted = [], []
    for node in compose["services"].values():
        environment = node["environment"]
        assert environment["QDRANT__SERVICE__API_KEY"].startswith("${QDRANT_API_KEY:?")
        served = {environment["QDRANT__SERVICE__HTTP_PORT"]}
        served.add(environment["QDRANT__SERVICE__GRPC_PORT"])
        ports = [port.split(":") for port in node["ports"]]
        assert {address for address, _, _ in ports} == {"127.0.0.1"}
        assert {inside for _, _, inside in ports} == served
        assert environment["QDRANT__CLUSTER__P2P__PORT"] not in served
        published += [outside for _, outside, _ in ports]
        mounted += [volume.split(":") for volume in node["volumes"]]
        assert node["image"].split(":")[1].startswith("v1.")
    assert len(set(published)) == len(published)
    assert [folder for _, folder in mounted] == ["/qdrant/storage"] * 3
    assert sorted(volume for volume, _ in mounted) == sorted(compose["volumes"])


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a server that answers /readyz so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_health_check_knows_ready_from_not_ready_and_away(compose):
    for node in compose["services"].values():
        kind, *command = node["healthcheck"]["test"]
        assert kind == "CMD"
        assert "/6333 " in command[-1]

        def check(port, command=command):
            script = command[-1].replace("$$", "$").replace("/6333 ", f"/{port} ")
            return subprocess.run([*command[:-1], script], capture_output=True).returncode == 0

        with answering(200) as port:
            assert check(port)
        assert not check(port)
        with answering(503) as port:
            assert not check(port)
