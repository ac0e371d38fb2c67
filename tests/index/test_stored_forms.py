"""Stored documents are read as pydantic reads them, and mostly without it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hiersearch.errors import StoreError
from hiersearch.index.stored_forms import read_form


@dataclass(frozen=True)
class Inner:
    row: list[float]
    name: str = "none"


@dataclass(frozen=True)
class Form:
    version: int | str
    inner: Inner | None
    pairs: dict[str, tuple[float, float]]
    done: bool
    note: str | None = None


WHOLE = {
    "version": 1,
    "inner": {"row": [0.5, -1e-3], "name": "a"},
    "pairs": {"x": [1.0, 2.0]},
    "done": False,
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab1. "),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy"), inner, max_size=3),
    max_leaves=6,
)


def read(content: object) -> Form:
    encoded = json.dumps(content).encode()
    return read_form(encoded, Form, place="here", hint="Write it again")


@given(st.sampled_from([*WHOLE, "note", "other"]), values)
def test_as_pydantic_reads_it(field, value):
    content = {**WHOLE, field: value}
    try:
        wanted = TypeAdapter(Form).validate_json(json.dumps(content))
    except ValidationError:
        with pytest.raises(StoreError, match=r"here is damaged .*Write it again"):
            read(content)
    else:
        assert read(content) == wanted


@pytest.mark.parametrize("missing", WHOLE)
def test_what_is_missing_is_named(missing):
    with pytest.raises(StoreError, match=rf"damaged \({missing}: Field required"):
        read({field: value for field, value in WHOLE.items() if field != missing})


def test_what_is_as_it_was_written_needs_no_pydantic(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    assert read({**WHOLE, "more": [1]}).inner == Inner([0.5, -1e-3], "a")
    with pytest.raises(ImportError):
        read({**WHOLE, "done": "false"})


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b'{"done": NaN}', b"[" * 100_000])
def test_no_document(content):
    with pytest.raises(StoreError, match="here is damaged"):
        read_form(content, Form, place="here", hint="Write it again")
