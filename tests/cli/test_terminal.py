"""Foreign names in what commands print."""

from __future__ import annotations

import json
import os
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hiersearch.cli.terminal import escaped, json_text, printable

TEXT = st.text(st.characters(codec="utf-8"))


def is_harmless(text: str) -> bool:
    return all(
        unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for char in text
        if char not in "\u200c\u200d"
    )


@given(text=TEXT)
@example("\x1b[31m\r\n\x7f\x80\x9b31m\u202e\u2028\u2029\U000e0001")
def test_names_are_harmless_on_a_terminal(text: str) -> None:
    assert is_harmless(printable(text))
    shown = escaped(text)
    assert is_harmless(shown)
    if is_harmless(text):
        assert shown == text
    if "\\" not in text:
        assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_escapes_tell_names_apart() -> None:
    assert escaped("a\x1b[31m\n.jpg") == r"a\x1b[31m\n.jpg"
    assert escaped(os.fsdecode(b"\xff.jpg")) == r"\xff.jpg"
    assert escaped("caf\u00e9 \u9e1f\u200d.jpg") == "caf\u00e9 \u9e1f\u200d.jpg"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(value=JSON)
@example({"\x80\x9b31m\x7f": "\u202e\u2028\udcff\U000e0001", "\u9e1f": ["\u00e9"]})
def test_json_is_harmless_and_kept(value: object) -> None:
    text = json_text(value)
    assert is_harmless(text.replace("\n", ""))
    assert json.loads(text) == value


def test_json_stays_readable() -> None:
    assert json_text({"\u9e1f": "caf\u00e9"}) == '{\n "\u9e1f": "caf\u00e9"\n}'
    assert json_text(["\x85"]) == '[\n "\\u0085"\n]'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"), allow_nan=False)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
class TestPaths:
    @pytest.fixture
    def wild(self, tmp_path):
        return [tmp_path / "a\x1b[31m\nb.jpg", tmp_path / os.fsdecode(b"\xff.jpg")]

    def printed(self, paths, end: str, terminal: bool) -> bytes:
        """What reaches a terminal or a pipe."""
        import pty
        import subprocess

        program = (
            "import os, sys\nfrom pathlib import Path\n"
            "from hiersearch.cli.photos.query import _print_paths\n"
            f"_print_paths({[str(path) for path in paths]!r}, {end!r})\nsys.stdout.flush()"
        )
        if not terminal:
            return subprocess.run(
                [sys.executable, "-c", program], capture_output=True, check=True
            ).stdout
        ours, theirs = pty.openpty()
        subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True)
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as stream:
            return stream.read(65536)

    def test_raw_in_a_pipe(self, wild):
        expected = b"".join(os.fsencode(path) + b"\n" for path in wild)
        assert self.printed(wild, "\n", terminal=False) == expected
        expected = b"".join(os.fsencode(path) + b"\0" for path in wild)
        assert self.printed(wild, "\0", terminal=False) == expected

    def test_escaped_on_a_terminal(self, wild):
        shown = self.printed(wild, "\n", terminal=True).decode()
        first, second = shown.split("\r\n")[:2]
        assert first.endswith(r"a\x1b[31m\nb.jpg")
        assert second.endswith(r"\xff.jpg")
