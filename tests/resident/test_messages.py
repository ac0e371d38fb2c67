"""What is sent arrives as it was."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiersearch import errors
from hiersearch.errors import HiersearchError, MissingPackageError, VocabularyError
from hiersearch.index.results import Answer, IndexInfo, IngestSummary, Level, PhotoHit, Skip
from hiersearch.resident.json_forms import (
    answer_from_plain,
    answer_to_plain,
    info_from_plain,
    info_to_plain,
    summary_from_plain,
    summary_to_plain,
)
from hiersearch.resident.messages import (
    About,
    Add,
    CountConcepts,
    Info,
    Line,
    MessageError,
    Query,
    ServingError,
    error_from_plain,
    error_to_plain,
    request_from_plain,
    request_to_plain,
)

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(b"\0/") & set(name))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda names: Path(os.fsdecode(b"/" + b"/".join(names)))
)
NUMBERS = st.floats(-2, 2)
COUNTS = st.integers(0, 10**6)
HITS = st.builds(PhotoHit, PATHS, st.lists(PATHS, max_size=2).map(tuple), NUMBERS)
ROWS = st.lists(HITS, max_size=2).map(tuple)
LEVELS = st.builds(
    Level,
    level=COUNTS,
    concept=st.text(max_size=9),
    concept_id=st.text(max_size=9),
    mass=st.none() | NUMBERS,
    angle=NUMBERS,
    count=COUNTS,
    sure=COUNTS,
    photos=ROWS,
)
BRANCHES = st.lists(st.tuples(st.text(max_size=5), NUMBERS), max_size=2).map(tuple)
ANSWERS = st.builds(
    Answer,
    query=st.text(max_size=9) | PATHS.map(str),
    levels=st.lists(LEVELS, max_size=3).map(tuple),
    photos=ROWS,
    branches=st.lists(BRANCHES, max_size=2).map(tuple),
    notes=st.lists(st.text(max_size=9), max_size=2).map(tuple),
)
SUMMARIES = st.builds(
    IngestSummary,
    *[COUNTS] * 7,
    skipped=st.lists(st.builds(Skip, PATHS, st.text(max_size=9)), max_size=2),
    lost=st.dictionaries(PATHS, COUNTS, max_size=2),
)
INFOS = st.builds(
    IndexInfo,
    store=PATHS | st.just("http://localhost:6333/photos"),
    **dict.fromkeys(("photos", "files", "chained", "dimension", "concepts"), COUNTS),
    **dict.fromkeys(("model", "model_id", "vocabulary"), st.text(max_size=9)),
    trees=st.none() | st.text(max_size=9),
)


def sent(message: dict) -> dict:
    """What arrives of a message."""
    one, other = socket.socketpair()
    with one, other:
        Line(one).send(message)
        one.shutdown(socket.SHUT_WR)
        line = Line(other)
        got = line.receive()
        with pytest.raises(EOFError):
            line.receive()
    return got


@given(ANSWERS)
def test_answers(answer):
    assert answer_from_plain(sent(answer_to_plain(answer))) == answer


@given(SUMMARIES)
def test_summaries(summary):
    assert summary_from_plain(sent(summary_to_plain(summary))) == summary


@given(INFOS)
def test_infos(info):
    assert info_from_plain(sent(info_to_plain(info))) == info


QUERY = Query("a cat", None, 4, 3, ["width>1"], None, 0.9, None)
REQUESTS = [
    QUERY,
    Query(None, "/photos/\udcff.jpg", 1, 0, [], 0.1, None, "mini"),
    Add(["/photos"], None, True, False, None),
    CountConcepts([]),
    Info(),
    About(),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_requests(request_):
    assert request_from_plain(sent(request_to_plain(request_))) == request_


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"do": "drop"}, "not a request"),
        ({"do": ["query"]}, "not a request"),
        ({"more": 1}, "has the fields text, image"),
        ({"levels": "4"}, "levels is not of the type int"),
        ({"levels": True}, "levels is not of the type int"),
        ({"levels": None}, "levels is not of the type int"),
        ({"limit": 1.5}, "limit is not of the type int"),
        ({"where": "width>1"}, "where is not of the type list"),
        ({"where": [1]}, "where is not of the type list"),
        ({"text": 1}, "text is not of the type str"),
        ({"risk": "0.1"}, "risk is not of the type float"),
    ],
)
def test_other_requests_are_refused_by_the_field(change, problem):
    with pytest.raises(MessageError, match=problem):
        request_from_plain({**request_to_plain(QUERY), **change})


@pytest.mark.parametrize("plain", [None, [], 1, "query", {}])
def test_what_is_no_request(plain):
    with pytest.raises(MessageError, match="not a request"):
        request_from_plain(plain)


class Special(errors.FilterError):
    """Of no class that both sides know."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *(
            (getattr(errors, name)("it broke", hint="Mend it"), getattr(errors, name))
            for name in errors.__all__
            if name not in ("require", "MissingPackageError", "VocabularyError")
        ),
        (VocabularyError("a cycle", line=3, hint="Cut it"), VocabularyError),
        (MissingPackageError("torch", extra="models"), MissingPackageError),
        (Special("it broke"), errors.FilterError),
    ],
)
def test_errors_keep_class_text_and_exit_code(error: HiersearchError, kind):
    back = error_from_plain(sent(error_to_plain(error)))
    assert type(back) is kind
    assert (str(back), vars(back)) == (str(error), vars(error))
    assert back.exit_code == error.exit_code


def test_unexpected_errors_are_told_apart():
    back = error_from_plain(sent(error_to_plain(KeyError("cat"))))
    assert isinstance(back, ServingError)
    assert str(back) == "KeyError: 'cat'"


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json(line):
    one, other = socket.socketpair()
    with one, other:
        one.sendall(line + b"\n" + json.dumps({"do": "info"}).encode() + b"\n")
        receiver = Line(other)
        with pytest.raises(MessageError):
            receiver.receive()
        assert receiver.receive() == {"do": "info"}


def test_no_more_is_read_than_is_allowed():
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b" " * 100_000)
        with pytest.raises(MessageError, match="longer than 1000 bytes"):
            Line(other).receive(longest=1000)
