"""Commands on a server that is busy, away for a moment, or slow."""

from __future__ import annotations

import json
import re
import shutil
import time

import pytest
from qdrant_client import QdrantClient, models

from hiersearch.qdrant.clients.patience import PATIENCE
from tests.rest_server import RefusedError, serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"),
]

SLOW = 4.0
"""Seconds before each answer of a slow server: more than a command waits that is told 1."""

REFUSALS = {
    "rate": (429, "rate limiting exceeded", None),
    "rate-and-when": (429, "rate limiting exceeded", "7"),
    "restarting": (503, "no server is available", None),
    "proxy": (502, "bad gateway", None),
}


class Moody:
    """Refuses every request once, then carries it out when it is sent again."""

    def __init__(self, status: int, text: str, retry_after: str | None) -> None:
        self._refusal = (status, text, retry_after)
        self._last: tuple[str, str] | None = None
        self.refused: set[tuple[str, str]] = set()

    def __call__(self, method: str, path: str) -> None:
        if self._last == (method, path):
            self._last = None
            return
        self._last = (method, path)
        self.refused.add(self._last)
        raise RefusedError(*self._refusal)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """The seconds that were waited for a busy server, without waiting."""
    found: list[float] = []

    class Clock:
        sleep = staticmethod(found.append)

    monkeypatch.setattr("hiersearch.qdrant.clients.patience.time", Clock)
    return found


@pytest.fixture
def photos(home, demo_photos):
    (home / "photos").mkdir()
    for name in ("cat.jpg", "coffee.jpg", "rocket.jpg"):
        shutil.copy2(demo_photos / name, home / "photos")
    return home / "photos"


@pytest.fixture
def vocabularies(home, vocabulary_file):
    other = home / "other.txt"
    other.write_text("thing\nthing > animal\nthing > food\n")
    return vocabulary_file, other


def _fill(url: str, mini) -> None:
    """Makes a collection of somebody's texts."""
    texts = ["a cat on a sofa", "a dog in the snow", "an animal", "coffee in a white cup"]
    client = QdrantClient(url=url, check_compatibility=False)
    params = models.VectorParams(size=mini.dimension, distance=models.Distance.COSINE)
    client.create_collection("theirs", vectors_config=params)
    points = [
        models.PointStruct(id=row, vector=vector.tolist(), payload={"text": text})
        for row, (text, vector) in enumerate(zip(texts, mini.encode_texts(texts), strict=True))
    ]
    client.upsert("theirs", points)
    client.close()


def _steps(url: str, home, photos, vocabularies) -> list[tuple]:
    """Command lines that use a server in every way, each after those before it."""
    first, second = vocabularies
    store, theirs = f"{url}/holiday", ("--collection", "theirs", "--url", url)
    text = ("--model", "mini", "--text-field", "text")
    return [
        ("index", photos, "--concepts", first, "--model", "mini", "--store", store),
        ("index", photos, "--store", store),
        ("index", "--concepts", second, "--store", store),
        ("query", "--image", photos / "cat.jpg", "--json", "--store", store),
        ("concepts", "--json", "--store", store),
        ("info", "--store", store),
        ("copy", store, f"{url}/second"),
        ("copy", f"{url}/second", home / "copy"),
        ("attach", *theirs, *text, "--json"),
        ("query", "a cat", *theirs, "--model", "mini", "--json"),
        ("detach", *theirs, "--json"),
    ]


def _told(stdout: str, url: str) -> str:
    """What a command printed, without what differs from server to server and run to run."""
    lines = stdout.replace(url, "URL").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("updated"))
    return re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.3f}", text)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_command_gets_through_a_busy_server(
    refusal, run, home, photos, vocabularies, mini, server, pauses, caplog
):
    moody = Moody(*REFUSALS[refusal])
    with serving() as calm:
        for one in (calm, server):
            _fill(one.url, mini)
        for wanted, words in zip(
            _steps(calm.url, home / "calm", photos, vocabularies),
            _steps(server.url, home / "moody", photos, vocabularies),
            strict=True,
        ):
            expected = _told(run(*wanted).stdout, calm.url)
            server.fail = moody
            pauses.clear()
            caplog.clear()
            done = run(*words)
            assert _told(done.stdout, server.url) == expected, words
            assert pauses, words
            why = "limits its rate" if moody._refusal[0] == 429 else "is not available"
            assert f"The server at {server.url} {why}" in caplog.text, words
            # Once whenever the command opens it, however often it has to wait.
            assert caplog.text.count(why) <= 4, words
            if moody._refusal[2]:
                assert min(pauses) == float(moody._refusal[2]), words
            server.fail = None
    assert {method for method, _ in moody.refused} >= {"GET", "PUT", "POST"}


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_stays_busy_is_named_by_every_command(
    status, run, home, photos, vocabularies, mini, server, pauses
):
    steps = _steps(server.url, home, photos, vocabularies)
    run(*steps[0])
    _fill(server.url, mini)

    def away(method: str, path: str) -> None:
        raise RefusedError(status, "not now")

    server.fail = away
    for words in steps:
        pauses.clear()
        done = run(*words, check=1)
        assert server.url in done.stderr, words
        assert "not now" in done.stderr, words
        assert "Traceback" not in done.stderr
        assert PATIENCE / 2 < sum(pauses) <= PATIENCE, words


def test_a_slow_server_is_named_by_every_command(run, home, photos, vocabularies, mini, server):
    steps = _steps(server.url, home, photos, vocabularies)
    run(*steps[0])
    _fill(server.url, mini)
    server.delay = SLOW
    for words in steps:
        done = run(*words, "--timeout", 1, check=3)
        assert f"the server at {server.url} did not answer in time" in done.stderr, words
        assert "--timeout SECONDS" in done.stderr, words
        assert done.stdout == ""


@pytest.mark.parametrize("step", [1, 2, 3, 6, 8, 9, 10])
def test_a_server_that_becomes_slow_midway_is_named(
    step, run, home, photos, vocabularies, mini, server
):
    steps = _steps(server.url, home, photos, vocabularies)
    run(*steps[0])
    _fill(server.url, mini)
    if step > 8:
        run(*steps[8])
    asked: list[str] = []

    def slow(method: str, path: str) -> None:
        asked.append(path)
        if len(asked) > 3:
            time.sleep(SLOW)

    server.fail = slow
    done = run(*steps[step], "--timeout", 1, check=3)
    assert f"the server at {server.url} did not answer in time" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_waits_longer_gets_the_answer(run, home, photos, vocabularies, mini, server):
    steps = _steps(server.url, home, photos, vocabularies)
    run(*steps[0])
    _fill(server.url, mini)
    expected = json.loads(run("info", "--store", f"{server.url}/holiday", "--json").stdout)
    server.delay = 1.5
    info = ("info", "--store", f"{server.url}/holiday", "--json")
    run(*info, "--timeout", 1, check=3)
    assert json.loads(run(*info, "--timeout", 600).stdout) == expected


@pytest.mark.parametrize("store", ["http://127.0.0.1:9/x", "folder"])
@pytest.mark.parametrize("seconds", ["0", "-1", "86401", "1.5", "soon", ""])
def test_what_is_no_number_of_seconds(seconds, store, run):
    done = run("info", "--store", store, f"--timeout={seconds}", check=2)
    wanted = "'--timeout'" if seconds != "86401" else "86401 is no number of seconds to wait"
    assert wanted in done.stderr
