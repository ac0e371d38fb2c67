from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hiersearch.index import PhotoIndex
from hiersearch.resident.asking import find_resident
from hiersearch.resident.listening import Listener
from hiersearch.resident.serving import Serving
from hiersearch.resident.socket_path import socket_path
from tests.index.conftest import folder  # noqa: F401 - a fixture
from tests.index.made import VOCABULARY


@pytest.fixture(autouse=True)
def runtime(monkeypatch) -> Iterator[Path]:
    """The runtime folder of this user; short, for a socket's path is."""
    made = Path(tempfile.mkdtemp(prefix="hs-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def index(place, mini) -> Iterator[PhotoIndex]:
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as made:
        yield made


Serve = Callable[..., Serving]


@pytest.fixture
def serve(place) -> Iterator[Serve]:
    """Serves an index in threads of this process."""
    with ExitStack() as open_:

        def begin(index: PhotoIndex, *, writes: bool = True) -> Serving:
            listener = open_.enter_context(Listener(socket_path(place)))
            return open_.enter_context(Serving(index, place, listener, writes=writes))

        yield begin


@pytest.fixture
def served(index, folder, serve, place):  # noqa: F811
    """An index of three photos that is served."""
    index.add(folder)
    serve(index)
    with find_resident(place) as resident:
        yield resident
