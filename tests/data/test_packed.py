from __future__ import annotations

import gzip

import pytest

from hiersearch.errors import UsageError
from hiersearch.files import opened


@pytest.mark.parametrize("content", [b"", b"a", b"plain\n" * 5, b"\x1fx"])
def test_bytes_packed_or_not(tmp_path, content):
    for name, written in (("a.csv", content), ("b.gz", content), ("c.csv", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        with opened(tmp_path / name) as stream:
            assert stream.read() == content


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"), opened(tmp_path / "no"):
        pass
    with pytest.raises(UsageError, match="cannot be read: Is a directory"), opened(tmp_path):
        pass
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"content" * 100)[:-9])
    with pytest.raises(UsageError, match="is damaged") as caught, opened(cut) as stream:
        stream.read()
    assert caught.value.hint == "Get it again"


def test_errors_of_others_pass(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(KeyError), opened(tmp_path / "a"):
        raise KeyError
