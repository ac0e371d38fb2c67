from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hiersearch import HierarchicalCollection, HierarchicalEncoder, PhotoIndex
from hiersearch.cli.photos.demo import copy_demo_photos
from qdrant_client import QdrantClient

THINGS = """animal
animal > bird
animal > bird > parrot
animal > mammal
animal > mammal > cat
animal > mammal > dog
vehicle
vehicle > motorcycle
food
food > drink
food > drink > coffee
building
building > temple
"""

TEXTS = (
    "something",
    "an animal",
    "a bird",
    "a parrot",
    "a green parrot on a branch",
    "a cat asleep on a sofa",
    "a vehicle",
    "a red motorcycle in the rain",
    "a cup of hot coffee",
    "a temple in the mountains",
)


@pytest.fixture(scope="session", autouse=True)
def _new_user(tmp_path_factory) -> Iterator[None]:
    """The environment of a user who has nothing yet, and who traces nothing."""
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("HIERSEARCH_", "QDRANT_", "LANGCHAIN_", "LANGSMITH_")):
                patch.delenv(name)
        for name in ("HIERSEARCH_CACHE", "HIERSEARCH_HOME", "XDG_CONFIG_HOME", "HF_HOME"):
            patch.setenv(name, str(home / name.lower()))
        yield


@pytest.fixture(scope="session")
def encoder(_new_user) -> HierarchicalEncoder:
    """The real offline model."""
    return HierarchicalEncoder("mini")


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """A folder of a dozen real photographs."""
    folder = tmp_path_factory.mktemp("demo") / "photos"
    copy_demo_photos(folder)
    return folder


@pytest.fixture(scope="session")
def index(encoder, photos, tmp_path_factory) -> Iterator[PhotoIndex]:
    """Those photographs in the embedded engine."""
    folder = tmp_path_factory.mktemp("index")
    concepts = folder / "things.txt"
    concepts.write_text(THINGS)
    with PhotoIndex.create(folder / "index", model=encoder, concepts=concepts) as index:
        index.add(photos)
        yield index


@pytest.fixture(scope="session")
def collection(encoder) -> HierarchicalCollection:
    """Texts in the client's own local mode, with payloads as langchain-qdrant writes them."""
    texts = HierarchicalCollection(QdrantClient(":memory:"), "texts", root=encoder.root)
    texts.create()
    payloads = [
        {"page_content": text, "metadata": {"words": len(text.split()), "level": "theirs"}}
        for text in TEXTS
    ]
    texts.upsert(range(len(TEXTS)), encoder.encode_texts(TEXTS), payloads)
    return texts
