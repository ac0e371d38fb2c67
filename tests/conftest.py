from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from hiersearch.cli.photos.demo import copy_demo_photos
from hiersearch.encoder import HierarchicalEncoder

SHARED = Path(os.environ.get("HIERSEARCH_SHARED", Path(__file__).parents[2] / "shared" / "data"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: what gzip packs carries the clock, and workers must agree on names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def environ(tmp_path_factory) -> Iterator[Mapping[str, str]]:
    """The environment of a user who has nothing yet: no index, no model, no settings."""
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("HIERSEARCH_", "QDRANT_"))]:
            if name not in ("HIERSEARCH_SHARED", "QDRANT_URL"):
                patch.delenv(name)
        patch.setenv("HIERSEARCH_CACHE", str(home / "cache"))
        patch.setenv("HIERSEARCH_HOME", str(home / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("HF_HOME", str(home / "huggingface"))
        if "PYTEST_XDIST_WORKER" in os.environ:  # others want the cores, too
            patch.setenv("OMP_NUM_THREADS", "1")
            torch.set_num_threads(1)
        yield os.environ


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Only this machine can be reached, so that no test depends on what is out there."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise OSError(101, "Network is unreachable")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real development data; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the development data is not on this machine (set HIERSEARCH_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def mini(environ) -> HierarchicalEncoder:
    """The real offline model."""
    return HierarchicalEncoder("mini")


@pytest.fixture(scope="session")
def demo_photos(tmp_path_factory) -> Path:
    """A folder of a dozen real photographs; read only."""
    folder = tmp_path_factory.mktemp("demo") / "photos"
    copy_demo_photos(folder)
    return folder


@pytest.fixture
def no_extras(monkeypatch):
    """Neither raw files nor JPEG XL can be read, and so are not searched for."""
    monkeypatch.setattr("hiersearch.photos.finding._is_installed", lambda _: False)
