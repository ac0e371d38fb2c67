"""An index on a server: made, queried, brought up to date and copied by the installed command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.rest_server import serving

KEY, READER = "a-secret-key", "a-reader's-key"
NAMES = ("cat.jpg", "coffee.jpg", "motorcycle.jpg", "rocket.jpg")


@pytest.fixture
def server():
    with serving(api_key=KEY, read_only_key=READER, prefix="/qdrant") as opened:
        yield opened


@pytest.fixture
def photos(home, demo_photos) -> Path:
    (home / "photos").mkdir()
    for name in NAMES:
        shutil.copy2(demo_photos / name, home / "photos")
    return home / "photos"


def test_an_index_on_a_server_answers_as_one_in_a_folder(
    run, run_installed, home, photos, vocabulary_file, server, monkeypatch
):
    monkeypatch.setenv("QDRANT_API_KEY", KEY)
    url = f"{server.url}/holiday"
    with_password = url.replace("http://", "http://ann:hidden@")
    making = ("index", photos, "--concepts", vocabulary_file, "--model", "mini")
    made = run_installed(*making, "--store", with_password)
    assert made.stdout == "4 added\n"
    assert "Warning" not in made.stderr
    assert run(*making, "--store", home / "folder").stdout == "4 added\n"
    names = {collection.name for collection in server.store.get_collections().collections}
    assert names == {"holiday", "holiday-concepts", "holiday-index"}

    def answers(store, *asked) -> list:
        return [
            _rounded(json.loads(run(*words, "--json", "--store", store).stdout)) for words in asked
        ]

    concepts = ("concepts",)
    query = ("query", "--image", photos / "cat.jpg", "--where", "width>10")
    expected = answers(home / "folder", query, concepts)
    assert answers(url, query, concepts) == expected
    shown = run("info", "--store", with_password)
    assert f"store       {url}\n" in shown.stdout
    assert json.loads(run("info", "--store", url, "--json").stdout)["store"] == url

    monkeypatch.setenv("HIERSEARCH_STORE", url)
    server.requests.clear()
    assert run("index", photos).stdout == "4 unchanged\n"
    assert not [path for method, path in server.requests if method in ("PUT", "DELETE")]
    (photos / "rocket.jpg").unlink()
    assert run("index", photos).stdout == "1 removed, 3 unchanged\n"
    shutil.copy2(photos / "cat.jpg", photos / "copy.png")
    assert run("index", photos).stdout == "1 copies of others, 3 unchanged\n"

    there = run("copy", with_password, home / "copy")
    assert there.stdout == "3 copied\n"
    assert "copying photos: 3 of 3" in there.stderr
    assert run("copy", home / "copy", f"{server.url}/back").stdout == "3 copied\n"
    assert run("copy", url, home / "copy").stdout == "3 unchanged\n"
    now = answers(url, query, concepts)
    assert answers(home / "copy", query, concepts) == now
    assert answers(f"{server.url}/back", concepts) == now[-1:]
    assert now[1] != expected[-1]
    refused = run("copy", home / "folder", f"{server.url}/back", check=1)
    assert f"there is another index at {server.url}/back" in refused.stderr
    assert "--overwrite" in refused.stderr
    replaced = run("copy", "--overwrite", home / "folder", f"{server.url}/back")
    assert replaced.stdout == "2 copied, 2 unchanged\n"
    assert answers(f"{server.url}/back", concepts) == expected[-1:]

    monkeypatch.setenv("QDRANT_API_KEY", READER)
    assert answers(f"{server.url}/back", concepts) == expected[-1:]
    assert run("copy", f"{server.url}/back", home / "folder").stdout == "4 unchanged\n"
    forbidden = run("copy", home / "folder", url, "--overwrite", check=3)
    assert "lacks a right" in forbidden.stderr
    assert "3 in 4 files\n" in run("info").stdout

    monkeypatch.setenv("QDRANT_API_KEY", "wrong-key")
    for words in (("info",), ("copy", home / "copy", url), ("index", photos)):
        done = run(*words, check=3)
        assert f"the server at {server.url} refuses the key" in done.stderr
        assert "Traceback" not in done.stderr
        assert "wrong-key" not in done.stderr
    for output in (made, shown, there, refused, forbidden):
        for secret in (KEY, READER, "hidden"):
            assert secret not in output.stdout + output.stderr


def test_no_index_there_is_said_with_the_url(run):
    with serving() as server:
        done = run("info", "--store", server.url, check=1)
    assert f"no index at {server.url}/photos" in done.stderr


def _rounded(answer):
    """Numbers to four digits: two stores differ in the last ones."""
    if isinstance(answer, dict):
        return {key: _rounded(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_rounded(value) for value in answer]
    return round(answer, 4) if isinstance(answer, float) else answer
