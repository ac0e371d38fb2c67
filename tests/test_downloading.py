from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from hiersearch.errors import HiersearchError
from hiersearch.files import DownloadError, download

URL = "https://example.org/file"
CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def serving(content: bytes = CONTENT, status: int = 200) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, content=content))


def test_the_file_and_its_checksum(tmp_path):
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "deep" / "file"
    digest = download(
        URL,
        path,
        task="fetching",
        sha256=DIGEST,
        transport=serving(),
        progress=lambda *each: told.append(each),
    )
    assert digest == DIGEST
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
        ({"transport": serving(), "sha256": "0" * 64}, "its SHA-256 is"),
        ({"transport": serving(), "most": 3}, "larger than 0 MB"),
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
