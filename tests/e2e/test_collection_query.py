"""`hiersearch query --collection`, on collections that were never attached."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from hiersearch.qdrant import EdgeClient
from tests.rest_server import serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]

TEXTS = [
    f"a {colour} {thing} {place}"
    for colour in ("red", "small")
    for thing in ("cat", "dog", "car", "tree", "house")
    for place in ("on a hill", "in the snow", "by the sea")
] + ["an animal", "a vehicle", "a plant", "something"]
WORDS = ("--collection", "theirs", "--model", "mini")


def fill(client, vectors, *, field="caption", name=""):
    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
    client.create_collection("theirs", vectors_config={name: params} if name else params)
    client.upsert(
        "theirs",
        [
            models.PointStruct(
                id=row,
                vector={name: vector.tolist()} if name else vector.tolist(),
                payload={field: text, "year": 2000 + row, "w": row / 2, "ok": row % 2 == 0,
                         "code": str(row), "meta": {"lang": "en" if row < 20 else "de"}},
            )
            for row, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True))
        ],
    )  # fmt: skip


@pytest.fixture
def vectors(mini):
    return mini.encode_texts(TEXTS)


@pytest.fixture
def reader(monkeypatch, vectors):
    """A server with the collection, and the environment of someone who may only read."""
    with serving(api_key="secret", read_only_key="reader") as server:
        client = QdrantClient(url=server.url, api_key="secret", check_compatibility=False)
        fill(client, vectors, name="image")
        monkeypatch.setenv("QDRANT_URL", server.url)
        monkeypatch.setenv("QDRANT_API_KEY", "reader")
        server.requests.clear()
        yield server


@pytest.fixture
def folder(home, vectors):
    with EdgeClient(home / "vectors") as client:
        fill(client, vectors)
    return "vectors"


def cosines(rank, query, vectors, root):
    """Slow and obvious: the similarity, or the cosine of the exterior angle."""
    found = []
    for vector in vectors.astype(float):
        parent, child = (vector, query) if rank == "above" else (query, vector)
        out, on = parent - root, child - parent
        angle = out @ on / np.linalg.norm(out) / np.linalg.norm(on)
        found.append(vector @ query if rank == "nearest" else angle)
    return np.array(found)


@pytest.mark.parametrize("rank", ["nearest", "below", "above"])
@pytest.mark.parametrize("where", ["server", "folder"])
def test_hits_are_numpys(run, mini, vectors, rank, where, request):
    server = request.getfixturevalue("reader") if where == "server" else None
    place = () if server else ("--store", request.getfixturevalue("folder"))
    before = server and server.store.scroll("theirs", limit=100)
    done = run("query", "a cat", *WORDS, "--rank", rank, "--json", "--limit", "12", *place)
    answer = json.loads(done.stdout)
    query = mini.encode_texts(["a cat"])[0].astype(float)
    expected = cosines(rank, query, vectors, mini.root.astype(float))
    order = np.argsort(-expected)[:12]
    assert [hit["id"] for hit in answer["hits"]] == order.tolist()
    scores = [hit["score"] for hit in answer["hits"]]
    np.testing.assert_allclose(scores, expected[order], atol=1e-5)
    if rank != "nearest":
        angles = [hit["angle"] for hit in answer["hits"]]
        np.testing.assert_allclose(angles, np.arccos(expected[order]), atol=1e-5)
    assert (answer["verified"], answer["model"], answer["rank"]) == (True, "mini", rank)
    assert answer["vector"] == ("image" if server else "")
    assert answer["hits"][0]["payload"]["caption"] == TEXTS[order[0]]
    if server:
        assert server.store.scroll("theirs", limit=100) == before
        assert {method for method, _ in server.requests} <= {"GET", "POST"}
        assert server.kept["theirs"].indexes == {}


def test_a_table_on_stdout_and_what_attaching_adds_on_stderr(run, folder):
    done = run("query", "an animal", *WORDS, "--store", folder, "--rank", "below", "--limit", "2",
               "--fields", "caption,meta.lang")  # fmt: skip
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["id", "score", "angle", "caption", "meta.lang"]
    assert len(rows) == 2
    assert rows[0].endswith(("en", "de"))
    assert "\x1b" not in done.stdout
    (said,) = done.stderr.splitlines()
    assert "is not attached" in said
    assert "radial paths, radii, rows and counts" in said
    run("attach", *WORDS, "--store", folder)
    done = run("query", "an animal", "--collection", "theirs", "--store", folder)
    assert done.stderr.startswith("no room for the fields") or not done.stderr


def test_the_verdict_is_kept_so_that_points_are_read_once(run, reader):
    run("query", "a cat", *WORDS)
    assert any(path.endswith("/scroll") for _, path in reader.requests)
    reader.requests.clear()
    run("query", "a dog", *WORDS)
    assert not any(path.endswith("/scroll") for _, path in reader.requests)


def test_another_models_vectors_are_refused(run, home, mini):
    with EdgeClient(home / "others") as client:
        fill(client, np.random.default_rng(0).standard_normal((len(TEXTS), mini.dimension)))
    for _ in range(2):
        refused = run("query", "a cat", *WORDS, "--store", "others", check=1)
        assert refused.stdout == ""
        assert "are not those that mini gives to their 'caption'" in refused.stderr
        assert "mean cosine similarity" in refused.stderr
        assert "over 8 points" in refused.stderr
    assert run("query", "a cat", *WORDS, "--store", "others", "--unverified").stdout


def test_a_model_that_cannot_be_checked(run, home, vectors):
    with EdgeClient(home / "unnamed") as client:
        fill(client, vectors, field="words")
    for _ in range(2):
        done = run("query", "a cat", *WORDS, "--store", "unnamed")
        assert "mini was not checked" in done.stderr
        assert done.stdout


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        (["year>=2010", "year<2013"], lambda n: 10 <= n < 13),
        (["year > 2030"], lambda n: n > 30),
        (["w<=1.5"], lambda n: n <= 3),
        (["w=1.5"], lambda n: n == 3),
        (["w=3"], lambda n: n == 6),
        (["year=2007"], lambda n: n == 7),
        (["code=7"], lambda n: n == 7),
        (["year!=2001", "w!=1"], lambda n: n not in (1, 2)),
        (["meta.lang==de"], lambda n: n >= 20),
        (["caption=an animal"], lambda n: n == 30),
        (["nothing!=x"], lambda _: True),
        (["nothing=x"], lambda _: False),
    ],
)
def test_conditions_on_any_field(run, folder, conditions, matches):
    words = [word for one in conditions for word in ("--where", one)]
    done = run("query", "a cat", *WORDS, "--store", folder, "--limit", "99", "--json", *words)
    found = {hit["id"] for hit in json.loads(done.stdout)["hits"]}
    assert found == {number for number in range(len(TEXTS)) if matches(number)}


def test_conditions_on_true_and_false(run, reader, home, vectors):
    words = ("query", "a cat", *WORDS, "--json", "--limit", "99", "--where")
    for condition, rest in (("ok=true", 0), ("ok!=true", 1), ("ok=false", 1)):
        found = json.loads(run(*words, condition).stdout)["hits"]
        assert sorted(hit["id"] for hit in found) == list(range(rest, len(TEXTS), 2))
    with EdgeClient(home / "vectors") as client:
        fill(client, vectors)
    refused = run(*words, "ok=true", "--store", "vectors", check=1)
    assert "cannot match true and false" in refused.stderr


@pytest.mark.parametrize("rank", ["nearest", "below", "above"])
def test_a_vector_and_a_root_need_no_model(run, folder, home, mini, vectors, monkeypatch, rank):
    query = mini.encode_texts(["a cat"])[0]
    monkeypatch.setitem(sys.modules, "torch", None)  # an import would raise
    np.save(home / "root.npy", mini.root)
    np.save(home / "query.npy", 3 * query)
    done = run("query", "--vector-file", "query.npy", "--root", "root.npy", "--store", folder,
               "--collection", "theirs", "--rank", rank, "--json")  # fmt: skip
    answer = json.loads(done.stdout)
    expected = cosines(rank, query.astype(float), vectors, mini.root.astype(float))
    assert [hit["id"] for hit in answer["hits"]] == np.argsort(-expected)[:10].tolist()
    assert (answer["model"], answer["verified"]) == (None, False)


def test_a_photo(run, home, mini, demo_photos):
    files = sorted(demo_photos.iterdir())
    rows = mini.encode_photos(files)
    params = models.VectorParams(size=mini.dimension, distance=models.Distance.COSINE)
    with EdgeClient(home / "photos") as client:
        client.create_collection("theirs", vectors_config=params)
        client.upsert(
            "theirs",
            [
                models.PointStruct(id=row, vector=vector.tolist(), payload={"file": str(file)})
                for row, (file, vector) in enumerate(zip(files, rows, strict=True))
            ],
        )
    done = run("query", "--image", demo_photos / "cat.jpg", *WORDS, "--store", "photos", "--json")
    first = json.loads(done.stdout)["hits"][0]
    assert first["payload"]["file"].endswith("cat.jpg")
    assert first["score"] > 0.99
    gone = run("query", "--image", "gone.png", *WORDS, "--store", "photos", check=1)
    assert "cannot read gone.png" in gone.stderr


def test_a_model_of_fastembed(run, folder, monkeypatch, mini):
    asked = []

    class TextEmbedding:
        def __init__(self, model_name):
            if model_name != "clip-text":
                raise ValueError(f"Model {model_name} is not supported")

        def embed(self, texts):
            asked.extend(texts)
            return iter(5 * mini.encode_texts(texts))

    class ImageEmbedding:
        @staticmethod
        def list_supported_models():
            return [{"model": "other"}]

    stand_in = SimpleNamespace(TextEmbedding=TextEmbedding, ImageEmbedding=ImageEmbedding)
    words = ("query", "an animal", "--collection", "theirs", "--store", folder, "--model")
    monkeypatch.setitem(sys.modules, "fastembed", None)
    absent = run(*words, "fastembed:clip-text", check=1)
    assert 'pip install "hiersearch[fastembed]"' in absent.stderr
    monkeypatch.setitem(sys.modules, "fastembed", stand_in)
    assert "cannot load the model nothing" in run(*words, "fastembed:nothing", check=1).stderr
    ours = json.loads(run(*words, "mini", "--rank", "below", "--json").stdout)
    theirs = json.loads(run(*words, "fastembed:clip-text", "--rank", "below", "--json").stdout)
    assert [hit["id"] for hit in theirs["hits"]] == [hit["id"] for hit in ours["hits"]]
    assert theirs["verified"] is True
    assert "" in asked  # its root is its vector of the empty text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a cat", "--rank", "below"), "--rank is for a collection"),
        (("a cat", "--url", "http://localhost:1"), "--url is for a collection"),
        (("a cat", *WORDS, "--levels", "2"), "--levels is for photos"),
        (("a cat", *WORDS, "--paths"), "--paths is for photos"),
        (("a cat", *WORDS, "--name", "x"), "--name is for photos"),
        (("a cat", *WORDS), "no Qdrant server is named"),
        ((*WORDS, "--store", "vectors"), "is a text, a photo or a vector"),
        ((" ", *WORDS, "--store", "vectors"), "the query is empty"),
        (("a cat", *WORDS, "--store", "vectors", "--rank", "belo"), "Did you mean below?"),
        (("a cat", *WORDS, "--store", "vectors", "--where", "year"), "cannot be read"),
        (("a cat", *WORDS, "--store", "vectors", "--where", "year="), "has no value"),
        (("a cat", *WORDS, "--store", "vectors", "--where", "a<b"), "with a number only"),
        (("a cat", *WORDS, "--store", "vectors", "--fields", ","), "names no fields"),
        (("a cat", "--collection", "theirs", "--store", "vectors"), "is not named"),
    ],
)
def test_wrong_use(run, folder, words, says):
    refused = run("query", *words, check=2)
    assert says in refused.stderr
    assert refused.stdout == ""


def test_what_is_not_there(run, folder, home, mini):
    words = ("query", "a cat", "--model", "mini", "--store", folder)
    assert (
        "no such collection" in run(*words, "--collection", "none", check=1).stderr
        or "none" in run(*words, "--collection", "none", check=1).stderr
    )
    refused = run(*words, "--collection", "theirs", "--vector", "image", check=1)
    assert "no vector 'image'" in refused.stderr
    np.save(home / "query.npy", mini.root)
    lost = run("query", "--vector-file", "query.npy", "--collection", "theirs", "--store", folder,
               "--rank", "below", check=2)  # fmt: skip
    assert "--rank below needs a root" in lost.stderr
