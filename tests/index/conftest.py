from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.index import PhotoIndex
from tests.index.made import VOCABULARY, CountingEncoder
from tests.qdrant.conftest import client, cloud, make  # noqa: F401 - fixtures of stores
from tests.rest_server import RestServer, serving


@pytest.fixture
def folder(tmp_path, demo_photos) -> Path:
    """A folder of three real photographs that tests may change."""
    copy = tmp_path / "photos"
    copy.mkdir()
    for name in ("cat.jpg", "coffee.jpg", "motorcycle.jpg"):
        shutil.copy2(demo_photos / name, copy / name)
    return copy


@pytest.fixture
def index(tmp_path, mini):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as made:
        yield made


@pytest.fixture
def counting(index, mini) -> CountingEncoder:
    counter = CountingEncoder(mini)
    index.__dict__["_encoder"] = counter
    return counter


@pytest.fixture
def server() -> Iterator[RestServer]:
    """A server of this test alone."""
    with serving() as opened:
        yield opened


@pytest.fixture(params=["folder", "server"])
def place(request, tmp_path) -> IndexPlace:
    """Where an index may lie."""
    if request.param == "folder":
        return tmp_path / "index"
    return ServerPlace(request.getfixturevalue("server").url, "photos")
