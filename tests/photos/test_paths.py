from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch.photos import path_to_text, text_to_path

NAMES = st.binary(min_size=1).filter(lambda name: b"\0" not in name)


@given(NAMES, st.booleans())
def test_any_path_comes_back(name: bytes, absolute: bool) -> None:
    path = Path(os.fsdecode(b"/" + name if absolute else name))
    text = path_to_text(path)
    text.encode()  # valid Unicode
    assert os.fsencode(text_to_path(text)) == os.fsencode(path)


@given(st.lists(NAMES, unique=True, max_size=10))
def test_different_paths_have_different_texts(names: list[bytes]) -> None:
    paths = {Path(os.fsdecode(b"/" + name)) for name in names}
    assert len({path_to_text(path) for path in paths}) == len(paths)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/photos/cat.jpg", "/photos/cat.jpg"),
        ("/été/日本 100%.jpg".encode(), "/été/日本 100%.jpg"),
        (b"/a\nb/-rf", "/a\nb/-rf"),
        (b"/photos/\xff cat.jpg", "file:///photos/%FF%20cat.jpg"),
        ("/é/\udcff%41".encode("utf-8", "surrogateescape"), "file:///%C3%A9/%FF%2541"),
        (b"file://x", "file:/x"),
    ],
)
def test_texts(path: bytes, text: str) -> None:
    assert path_to_text(Path(os.fsdecode(path))) == text
