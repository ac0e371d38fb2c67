from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import httpx
import pytest

from hiersearch.errors import HiersearchError
from hiersearch.files import DownloadError, download, whole_file

URL = "https://example.org/file"
CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def serving(content: bytes = CONTENT, status: int = 200) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, content=content))


def test_the_file_and_its_checksum(tmp_path):
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "deep" / "file"
    download(
        URL,
        path,
        task="fetching",
        checksum=f"sha256:{DIGEST}",
        transport=serving(),
        on_progress=lambda *each: told.append(each),
    )
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("fetching", len(CONTENT), len(CONTENT))
    assert list(path.parent.iterdir()) == [path]


def refused(path: Path) -> None:
    assert path.read_bytes() == CONTENT
    raise DownloadError("it is not what it should be")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"transport": serving(status=500)}, "the server answered 500"),
        ({"transport": serving(), "checksum": "0" * 64}, "does not have the checksum 0000"),
        ({"transport": serving(), "max_bytes": 3}, "larger than 0 MB"),
        ({"transport": serving(), "check": refused}, "not what it should be"),
    ],
)
def test_what_is_not_as_it_should_be_leaves_nothing(tmp_path, options, says):
    with pytest.raises(DownloadError, match=says):
        download(URL, tmp_path / "file", task="fetching", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HiersearchError, match="cannot write"):
        download(URL, tmp_path / "file" / "a", task="fetching", transport=serving())


def test_a_file_that_is_there_is_not_downloaded_again(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    download(URL, tmp_path / "file", task="fetching", transport=serving(status=500))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_without_pooch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(HiersearchError, match="needs pooch") as caught:
        download(URL, tmp_path / "file", task="fetching", transport=serving())
    assert "pip install" in caught.value.hint


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def cut_short() -> None:
        with whole_file(path) as stream:
            stream.write(CONTENT)
            raise KeyError

    with pytest.raises(KeyError):
        cut_short()
    assert path.read_bytes() == b"before"
    with whole_file(path) as stream:
        stream.write(CONTENT)
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]
