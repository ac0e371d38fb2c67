"""What the base install does without torch. Not a test for pytest: `.ci/run` runs it.

    python -m venv base && base/bin/pip install -c constraints.txt hiersearch-*.whl
    base/bin/python -P tests/base_install.py

Run it by the Python of an environment that has the wheel alone, so that nothing else is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HEAVY = ("torch", "transformers", "sentence_transformers", "scipy", "sklearn", "matplotlib")
COMMAND = Path(sys.executable).with_name("hiersearch")


def main() -> None:
    assert find_spec("torch") is None, "torch is installed"
    found = [name for name in HEAVY if find_spec(name) is not None]
    assert not found, f"not for the base install: {found}"
    import hiersearch

    assert "site-packages" in hiersearch.__file__, "run with python -P: the wheel is to be checked"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        os.environ |= {
            "HIERSEARCH_HOME": f"{scratch}/home",
            "HIERSEARCH_CACHE": f"{scratch}/cache",
            "XDG_CONFIG_HOME": f"{scratch}/config",
        }
        for name in ("HIERSEARCH_MODEL", "HIERSEARCH_STORE", "HIERSEARCH_CONFIG", "QDRANT_URL"):
            os.environ.pop(name, None)
        check_geometry()
        check_vocabularies()
        check_collections()
        check_attach_command()
        check_index_commands()
        check_missing_packages()
    print("the base install works without torch")


def unit(rows):
    import numpy as np

    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made_vectors(count: int = 20, dimension: int = 8):
    """A root, and vectors at growing distances from it."""
    import numpy as np

    random = np.random.default_rng(0)
    root = unit(random.standard_normal(dimension))
    steps = np.linspace(0.2, 2.0, count)[:, None]
    return root, unit(root + steps * unit(random.standard_normal((count, dimension))))


def check_geometry() -> None:
    import numpy as np

    from hiersearch.geometry import (
        angle_cosine_from_score,
        cone_half_aperture,
        exterior_angle,
        root_distance,
    )

    root, vectors = made_vectors()
    distances = root_distance(vectors, root)
    assert np.allclose(distances, np.linalg.norm(vectors - root, axis=1), atol=1e-6)
    cosines = angle_cosine_from_score(vectors[0] @ vectors[5], distances[0], distances[5])
    assert abs(np.cos(exterior_angle(vectors[0], vectors[5], root)) - cosines) < 1e-4
    assert abs(cone_half_aperture(1.0) - np.arcsin(0.1)) < 1e-9


def check_vocabularies() -> None:
    import hiersearch

    assert len(hiersearch.builtin_vocabulary()) > 1000
    Path("words.txt").write_text("animal > cat\nanimal > dog\n")
    assert hiersearch.read_vocabulary(Path("words.txt")).has_parents


def fill(client, name: str, vectors) -> None:
    from qdrant_client import models

    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config=params)
    points = [
        models.PointStruct(id=number, vector=vector.tolist(), payload={})
        for number, vector in enumerate(vectors)
    ]
    client.upsert(name, points)


def check_collections() -> None:
    from qdrant_client import QdrantClient

    import hiersearch

    root, vectors = made_vectors()
    for client in (QdrantClient(":memory:"), hiersearch.EdgeClient(Path("edge"))):
        fill(client, "theirs", vectors)
        collection = hiersearch.HierarchicalCollection(client, "theirs", root=root, vector_name="")
        assert collection.attach().attached == len(vectors)
        assert collection.radial_path(vectors[-1])
        assert collection.descendants_of(vectors[0], limit=5)
        assert collection.detach().points == len(vectors)
        client.close()


def run(*words: str | Path, code: int = 0) -> str:
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_attach_command() -> None:
    import numpy as np

    import hiersearch

    root, vectors = made_vectors()
    with hiersearch.EdgeClient(Path("store")) as client:
        fill(client, "theirs", vectors)
    np.save("root.npy", root)
    words = ("--store", "store", "--collection", "theirs")
    assert "20 attached" in run("attach", *words, "--root", "root.npy")
    refused = run("attach", *words, "--model", "mini", code=1)
    assert 'pip install "hiersearch[mini]"' in refused, refused
    assert "from 20 points" in run("detach", *words)


def check_index_commands() -> None:
    """An index that a machine with a model made is read and copied here."""
    import hiersearch
    from hiersearch.index.manifest import Manifest
    from hiersearch.index.storage import IndexStore

    root, vectors = made_vectors()
    vocabulary = hiersearch.read_vocabulary(Path("words.txt"))
    manifest = Manifest(
        model="elsewhere",
        model_id="elsewhere-1",
        root=root,
        vocabulary_id=vocabulary.id,
        photo_size=224,
        labelled=True,
    )
    made = IndexStore.create(Path("photos").absolute(), manifest, vocabulary)
    made.photos.create()
    ids = [f"00000000-0000-0000-0000-{number:012}" for number in range(len(vectors))]
    made.photos.upsert(
        ids, vectors, [{"path": [f"/{number}.png"], "chain": []} for number in range(20)]
    )
    made.close()
    assert "20" in run("info", "--store", "photos")
    assert "20 copied" in run("copy", "photos", "copied")
    assert "20" in run("info", "--store", "copied")


def check_missing_packages() -> None:
    import hiersearch

    wanted = {
        "mini": (lambda: hiersearch.HierarchicalEncoder("mini"), "mini"),
        "another model": (lambda: hiersearch.HierarchicalEncoder("clip-b"), "models"),
        "train": (lambda: hiersearch.train, "train"),
        "evaluate": (lambda: hiersearch.evaluate, "eval"),
    }
    for name, (use, extra) in wanted.items():
        try:
            use()
        except ImportError as error:
            told = str(error)
        else:
            raise AssertionError(f"{name} is there without its packages")
        assert f'pip install "hiersearch[{extra}]"' in told, told
    Path("album").mkdir()
    Path("album/photo.png").write_bytes(PNG)
    assert 'pip install "hiersearch[mini]"' in run("index", "album", code=1)
    assert 'pip install "hiersearch[mini]"' in run("demo", "tour", code=1)
    trained = run("train", "--data", "words.txt", "--output", "trained", code=1)
    assert 'pip install "hiersearch[train]"' in trained, trained


# One black pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763606060000000040001275d6b7d0000000049454e44ae426082"
)


if __name__ == "__main__":
    main()
