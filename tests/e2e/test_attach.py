"""`hiersearch attach` and `detach`, on collections that another program made of real vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from hiersearch.qdrant import EdgeClient, HierarchicalCollection
from tests.rest_server import serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]

CAPTIONS = [
    "an animal",
    "a cat on a sofa",
    "a dog in the snow",
    "a vehicle",
    "a red motorcycle",
    "a rocket taking off",
    "coffee in a white cup",
    "a temple by the water",
    "a flower in a garden",
    "green grass",
]


@pytest.fixture
def server():
    with serving(api_key="secret") as running:
        yield running


@pytest.fixture
def keyed(server, monkeypatch):
    """The environment of someone with a server and its key."""
    monkeypatch.setenv("QDRANT_URL", server.url)
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    return server


def opened(server) -> QdrantClient:
    return QdrantClient(url=server.url, api_key="secret", check_compatibility=False)


def fill(client, vectors, payloads, name="theirs", **settings) -> None:
    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
    client.create_collection(name, vectors_config=params, **settings)
    client.upsert(
        name,
        [
            models.PointStruct(id=row, vector=vector.tolist(), payload=payload)
            for row, (vector, payload) in enumerate(zip(vectors, payloads, strict=True))
        ],
    )


def payloads(client, name="theirs"):
    return [point.payload for point in client.scroll(name, limit=1000)[0]]


def test_texts_on_a_server(run, keyed, mini):
    vectors = mini.encode_texts(CAPTIONS)
    fill(opened(keyed), vectors, [{"caption": caption} for caption in CAPTIONS])
    words = ("--collection", "theirs", "--model", "mini")
    looked = run("attach", *words, "--dry-run")
    assert looked.stdout == "would be: 10 attached; model verified\n"
    assert "root_distance" not in payloads(keyed.store)[0]

    done = run("attach", *words, "--json")
    answer = json.loads(done.stdout)
    assert (answer["attached"], answer["verified"]) == (10, True)
    assert answer["compared"]["field"] == "caption"
    assert answer["compared"]["similarity"] > 0.999
    assert "secret" not in done.stdout + done.stderr
    for payload, vector in zip(payloads(keyed.store), vectors, strict=True):
        assert payload["root_distance"] == pytest.approx(
            np.linalg.norm(vector.astype(float) - mini.root), abs=6e-6
        )
    assert run("attach", *words).stdout == "10 already right; model verified\n"
    found = HierarchicalCollection.attached(keyed.store, "theirs").radial_path(vectors[1])
    assert [hit.payload["caption"] for hit in found][-1] == "a cat on a sofa"

    undone = run("detach", "--collection", "theirs")
    assert undone.stdout == "removed root_distance from 10 points\n"
    assert payloads(keyed.store) == [{"caption": caption} for caption in CAPTIONS]


def test_photos_in_a_folder_with_concepts(run, home, mini, demo_photos, vocabulary_file):
    files = sorted(demo_photos.iterdir())
    vectors = mini.encode_photos(files)
    with EdgeClient(home / "vectors") as client:
        fill(client, vectors, [{"file": str(file), "title": file.stem} for file in files])
    words = ("--store", "vectors", "--collection", "theirs")
    done = run("attach", *words, "--model", "mini", "--concepts", vocabulary_file)
    assert done.stdout == "12 attached, 12 labelled; model verified\n"
    assert "attaching: 12 of 12" in done.stderr
    with EdgeClient(home / "vectors") as client:
        collection = HierarchicalCollection.attached(client, "theirs")
        assert collection.facets()["animal"] >= 1
        cat = next(one for one in payloads(client) if one["title"] == "cat")
        assert "animal" in cat["concepts"]
    undone = json.loads(run("detach", *words, "--json").stdout)
    assert undone["fields"] == ["root_distance", "chain", "masses", "concepts"]
    with EdgeClient(home / "vectors") as client:
        assert {key for one in payloads(client) for key in one} == {"file", "title"}
        assert client.get_collection("theirs").payload_schema == {}


def test_a_flat_vocabulary_labels_by_the_radial_path(run, home, mini):
    words = home / "words.txt"
    words.write_text("animal\ncat\ndog\nvehicle\nrocket\n")
    with EdgeClient(home / "vectors") as client:
        fill(client, mini.encode_texts(CAPTIONS), [{"text": caption} for caption in CAPTIONS])
    run("attach", "--store", "vectors", "--collection", "theirs", "--model", "mini",
        "--concepts", words)  # fmt: skip
    with EdgeClient(home / "vectors") as client:
        assert "cat" in payloads(client)[1]["concepts"]
        assert all("masses" in one for one in payloads(client))


def test_another_models_vectors_are_refused_and_nothing_is_written(run, home, mini):
    vectors = np.random.default_rng(0).standard_normal((10, mini.dimension))
    with EdgeClient(home / "vectors") as client:
        fill(client, vectors, [{"text": caption} for caption in CAPTIONS])
    words = ("attach", "--store", "vectors", "--collection", "theirs", "--model", "mini")
    refused = run(*words, check=2)
    assert "not those that mini gives" in refused.stderr
    assert "(cosine similarity" in refused.stderr
    with EdgeClient(home / "vectors") as client:
        assert payloads(client)[0] == {"text": CAPTIONS[0]}
        assert not client.get_collection("theirs").config.metadata
    done = run(*words, "--unverified")
    assert done.stdout == "10 attached; model not verified\n"
    done = run(*words, "--text-field", "nothing", "--recompute")
    why = "no text or photo could be read from 'nothing'"
    assert done.stdout == f"10 already right; model not verified: {why}\n"


def test_a_root_from_a_file_needs_no_model(run, home, mini):
    with EdgeClient(home / "vectors") as client:
        fill(client, mini.encode_texts(CAPTIONS), [{"text": caption} for caption in CAPTIONS])
    np.save(home / "root.npy", mini.root)
    words = ("attach", "--store", "vectors", "--collection", "theirs", "--root", "root.npy")
    looked = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert looked["compared"] == {"field": None, "similarity": None}
    assert run(*words).stdout == "10 attached; model not verified\n"
    with EdgeClient(home / "vectors") as client:
        distances = [payload["root_distance"] for payload in payloads(client)]
    expected = np.linalg.norm(mini.encode_texts(CAPTIONS) - mini.root, axis=1)
    np.testing.assert_allclose(distances, expected, atol=6e-6)
    # It is the model's root, so the model can verify it now.
    done = run("attach", "--store", "vectors", "--collection", "theirs", "--model", "mini")
    assert done.stdout == "10 already right; model verified\n"


def test_a_root_from_a_file_with_concepts_of_a_model(run, home, mini, vocabulary_file):
    with EdgeClient(home / "vectors") as client:
        fill(client, mini.encode_texts(CAPTIONS), [{"text": caption} for caption in CAPTIONS])
    np.save(home / "root.npy", mini.root)
    words = ("attach", "--store", "vectors", "--collection", "theirs", "--root", "root.npy")
    refused = run(*words, "--concepts", vocabulary_file, check=2)
    assert "--concepts needs the model" in refused.stderr
    done = run(*words, "--concepts", vocabulary_file, "--model", "mini")
    assert done.stdout == "10 attached, 10 labelled; model not verified\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is not a .npy file"),
        (b"0.6 0.8", "is not a .npy file"),
        (np.array([{}]), "is not a .npy file"),
        (np.eye(3), "of shape (3, 3), not one vector"),
        (np.array([1, 0]), "holds int64 of shape (2,)"),
        (np.array([0.6, 0.6]), "has the length 0.848528, not 1"),
        (np.array([np.nan, 1.0]), "has the length nan"),
        (np.array([]), "has the length 0"),
    ],
)
def test_a_file_that_is_no_root(run, home, content, reason):
    file = home / "root.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content, allow_pickle=True)
    words = ("attach", "--store", "vectors", "--collection", "theirs")
    assert reason in run(*words, "--root", file, check=2).stderr


def test_what_a_root_leaves_nothing_to_do_for_is_refused(run, home):
    words = ("attach", "--store", "vectors", "--collection", "theirs")
    assert "neither a model nor a root" in run(*words, check=2).stderr
    refused = run(*words, "--root", "root.npy", "--text-field", "text", check=2)
    assert "--root compares nothing" in refused.stderr


def test_why_a_model_is_not_verified_is_said(run, home, mini):
    with EdgeClient(home / "vectors") as client:
        fill(client, mini.encode_texts(CAPTIONS), [{"words": caption} for caption in CAPTIONS])
    words = ("attach", "--store", "vectors", "--collection", "theirs", "--model", "mini")
    done = run(*words, "--dry-run")
    assert "not verified: no text or photo could be read; name its field with" in done.stdout
    done = run(*words, "--text-field", "words")
    assert done.stdout == "10 attached; model verified\n"


def test_what_cannot_be_done_is_said_before_a_model_is_loaded(run, home, keyed, monkeypatch):
    def said(*words, check):
        return run(*words, "--collection", "theirs", check=check).stderr

    attach = ("attach", "--model", "no such model")
    assert "no such collection" in said(*attach, check=1)
    assert "several vectors" in said_of_several(said, attach, keyed)
    assert "is not attached" in said("detach", check=1)
    assert "Leave out --url" in said(*attach, "--url", keyed.url, "--store", "x", check=2)
    for words in (attach, ("detach",)):
        refused = said(*words, "--url", "ann:hidden@localhost:6333", check=2)
        assert "localhost:6333 is not the URL" in refused
        for url in ("http://ann:hidden@127.0.0.1:9", "HTTP://ann:hidden@127.0.0.1:9/q?api-key=k"):
            for option in ("--url", "--store"):
                away = said(*words, option, url, check=3)
                assert "no Qdrant server answers at http://127.0.0.1:9" in away
                assert "api-key" not in away
                refused += away
        refused += said(*words, "--store", "ftp://ann:hidden@host/x", check=2)
        assert "hidden" not in refused
    assert not any(home.iterdir())
    away = said(*attach, "--url", "http://127.0.0.1:9", check=3)
    assert "no Qdrant server answers at http://127.0.0.1:9" in away
    assert "secret" not in away
    monkeypatch.setenv("QDRANT_API_KEY", "wrong")
    assert "refuses the key" in said(*attach, check=3)
    monkeypatch.delenv("QDRANT_URL")
    assert "no Qdrant server is named" in said(*attach, check=2)


def said_of_several(said, attach, server) -> str:
    params = models.VectorParams(size=4, distance=models.Distance.COSINE)
    opened(server).create_collection("theirs", vectors_config={"image": params, "text": params})
    return said(*attach, check=1)
