from __future__ import annotations

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from hiersearch.errors import HiersearchError, MissingDataError, UsageError
from hiersearch.evaluation import fetching
from hiersearch.evaluation.fetching import SUMS, find_or_fetch
from hiersearch.evaluation.hierarcaps_files import find_test_file, read_items
from hiersearch.evaluation.hyperlex_pairs import read_hyperlex
from tests.evaluation.made_hyperlex import PAIRS, make_hyperlex

CSV = (
    b"id,captions,image_url\n"
    b"1,animal => cat,http://images.example.org/val2014/COCO_1.jpg\n"
    b"2,animal => dog,http://images.example.org/val2014/COCO_2.jpg\n"
)


def zipped(name: str = "hyperlex-data/hyperlex-all.txt") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hyperlex-data/README.txt", "read me")
        archive.writestr(name, PAIRS)
    return packed.getvalue()


def serving(content: dict[str, bytes], asked: list[str] | None = None) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if asked is not None:
            asked.append(url)
        return httpx.Response(200, content=content[url]) if url in content else httpx.Response(404)

    return httpx.MockTransport(answer)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Name or service not known")


OFFLINE = httpx.MockTransport(unreachable)
HYPERLEX = {fetching.HYPERLEX: zipped()}
HIERARCAPS = {
    fetching.HIERARCAPS_TEST: CSV,
    f"{fetching.HIERARCAPS_PHOTOS}/COCO_1.jpg": b"one",
    f"{fetching.HIERARCAPS_PHOTOS}/COCO_2.jpg": b"two",
}


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    return {"HIERSEARCH_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache" / "data"


def test_data_that_is_there_is_taken_as_it_is(environ, tmp_path):
    data = make_hyperlex(tmp_path / "data")
    assert find_or_fetch("hyperlex", data, environ=environ, transport=OFFLINE) == data


def test_what_cannot_be_fetched_is_left_to_the_benchmark(environ, tmp_path):
    assert find_or_fetch("breeds", None, environ=environ, transport=OFFLINE) is None
    assert find_or_fetch("species", tmp_path, environ=environ, transport=OFFLINE) == tmp_path


def test_hyperlex_is_fetched_once_and_checked_ever_after(environ, cache, tmp_path):
    transport = serving(HYPERLEX)
    folder = find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert folder == cache / "hyperlex"
    assert len(read_hyperlex(folder / "hyperlex-all.txt")) == 6
    assert {path.name for path in folder.iterdir()} == {"hyperlex-all.txt", SUMS}
    tmp_path.joinpath("empty").mkdir()
    again = find_or_fetch("hyperlex", tmp_path / "empty", environ=environ, transport=OFFLINE)
    assert again == folder
    (folder / "hyperlex-all.txt").write_text("other")
    with pytest.raises(HiersearchError, match="is not what was downloaded") as caught:
        find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert str(folder) in caught.value.hint


def test_hierarcaps_with_its_photos_goes_on_where_it_was_cut_off(environ, cache):
    told: list[tuple[str, int, int]] = []
    some = {url: content for url, content in HIERARCAPS.items() if not url.endswith("2.jpg")}
    with pytest.raises(MissingDataError, match="the server answered 404"):
        find_or_fetch("hierarcaps", None, environ=environ, transport=serving(some))
    asked: list[str] = []
    folder = find_or_fetch(
        "hierarcaps",
        None,
        environ=environ,
        transport=serving(HIERARCAPS, asked),
        progress=lambda *each: told.append(each),
    )
    assert asked == [f"{fetching.HIERARCAPS_PHOTOS}/COCO_2.jpg"]
    assert told[-1] == ("downloading photos", 2, 2)
    items = read_items(find_test_file(folder))
    assert [item.photo for item in items] == [
        cache / "hierarcaps" / "images" / name for name in ("COCO_1.jpg", "COCO_2.jpg")
    ]
    (folder / "images" / "COCO_1.jpg").unlink()
    with pytest.raises(HiersearchError, match="is not what was downloaded"):
        find_or_fetch("hierarcaps", None, environ=environ, transport=OFFLINE)


@pytest.mark.parametrize("name", ["hierarcaps", "hyperlex"])
def test_offline_says_what_is_missing_where_it_is_and_where_to_put_it(
    environ, tmp_path, name, cache
):
    tmp_path.joinpath("data").mkdir()
    with pytest.raises(MissingDataError) as caught:
        find_or_fetch(name, tmp_path / "data", environ=environ, transport=OFFLINE)
    assert name in caught.value.message
    assert str(tmp_path / "data") in caught.value.message
    assert "Name or service not known" in caught.value.message
    assert "https://" in caught.value.hint
    assert not list(cache.rglob("*.*"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>Sign in</html>", "no whole zip file"),
        (zipped()[:-30], "no whole zip file"),
        (zipped("other.txt"), "there is no hyperlex-all.txt"),
    ],
)
def test_a_wrong_archive(environ, cache, content, says):
    transport = serving({fetching.HYPERLEX: content})
    with pytest.raises(MissingDataError, match=says):
        find_or_fetch("hyperlex", None, environ=environ, transport=transport)
    assert list((cache / "hyperlex").iterdir()) == []


def test_a_folder_that_is_not_there_is_wrong_use(environ, tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        find_or_fetch("hyperlex", tmp_path / "nowhere", environ=environ, transport=OFFLINE)
