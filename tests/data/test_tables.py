from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch import files
from hiersearch.data.hierarchies import checked_text
from hiersearch.errors import UsageError
from hiersearch.files import Problem, read_columns, read_rows, read_table, refuse_many


def table(tmp_path: Path, content: bytes, name: str = "a.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_table(path)


def test_rows_know_their_lines(tmp_path):
    read = table(tmp_path, b'a,B\n1,2\n\n"x\n\ny",4\n5,"6"\n')
    assert read.columns == ("a", "b")
    assert read.rows == ((2, ("1", "2")), (4, ("x\n\ny", "4")), (7, ("5", "6")))
    assert read.problems == ()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_line_ends_byte_order_marks_and_gzip(tmp_path, newline, mark, pack):
    read = table(tmp_path, pack(mark + 'a,b\n1,"ü,""2"""\n'.encode().replace(b"\n", newline)))
    assert read.rows == ((2, ("1", 'ü,"2"')),)


def test_a_broken_row_costs_one_row(tmp_path):
    read = table(tmp_path, b'a,b\n1,2\n"never closed,3\n4,5\n6\n7,8,9\n10,11\n' + b"x,y\n" * 40)
    assert [line for line, _ in read.rows][:4] == [2, 4, 7, 8]
    assert len(read.rows) == 43
    assert read.problems == (
        Problem(3, "a quote is never closed"),
        Problem(5, "1 cells instead of 2"),
        Problem(6, "3 cells instead of 2"),
    )


def test_a_cell_too_large_for_csv(tmp_path):
    read = table(tmp_path, b"a,b\n1,2\n3," + b"x" * 200_000 + b"\n")
    assert read.problems == (Problem(3, "not readable as CSV"),)


@pytest.mark.parametrize("content", [b"", b"\n\n", b'"open\n'])
def test_no_table(tmp_path, content):
    with pytest.raises(UsageError, match="no table"):
        table(tmp_path, content)


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_table(tmp_path)
    packed = gzip.compress(b"a,b\n" * 1000)
    for damaged in (packed[:-9], packed[:15] + b"\0\xff" + packed[17:], packed[:-8] + b"\0" * 8):
        with pytest.raises(UsageError, match="is damaged"):
            table(tmp_path, damaged)
    with pytest.raises(UsageError, match="UTF-16"):
        table(tmp_path, "a,b".encode("utf-16"))
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="more than 0 MB"):
        table(tmp_path, packed)


CELLS = st.text(st.sampled_from('ab ",\nü=>'), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS).filter(any), max_size=8))
def test_what_csv_writes_is_read(tmp_path_factory, rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("one", "two"), *rows])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(stream.getvalue(), encoding="utf-8")
    assert tuple(cells for _, cells in read_table(path).rows) == tuple(rows)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text('"," \n\r\0a', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(b"a,b\n" + content)
    read = read_table(path)
    lines = [line for line, _ in read.rows] + [problem.line for problem in read.problems]
    assert len(set(lines)) == len(lines)
    assert all(len(cells) == 2 for _, cells in read.rows)


@given(st.text(), st.booleans())
def test_a_checked_text_passes_again(text, broken):
    try:
        checked = checked_text(text)
    except ValueError:
        return
    assert checked == checked_text(checked) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n", "an empty text"),
        ("x" * 2001, "2001 characters"),
        ("a\0b", "a control character"),
        (b"a\xffb".decode(errors="surrogateescape"), "not UTF-8"),
    ],
)
def test_texts_that_are_refused(text, says):
    with pytest.raises(ValueError, match=says):
        checked_text(text)


def test_many_malformed_rows_are_refused_by_line():
    path = Path("data.csv")
    problems = [Problem(line, "2 tiers") for line in range(3, 10)]
    refuse_many(path, problems[:1], 99, 0.01)
    refuse_many(path, problems, 7, 0.5)
    with pytest.raises(
        UsageError, match=r"1 of 99 rows of data\.csv are malformed: line 3: 2 tiers"
    ):
        refuse_many(path, problems[:1], 98, 0.01)
    with pytest.raises(UsageError, match="line 7: 2 tiers; and 2 more"):
        refuse_many(path, problems, 0, 1)
    with pytest.raises(UsageError, match="holds no rows"):
        refuse_many(path, [], 0, 1)


class TestReadRows:
    @pytest.mark.parametrize("packed", [False, True])
    def test_reads_what_stands_there(self, tmp_path, packed):
        path = tmp_path / ("a.csv.gz" if packed else "a.csv")
        text = '\ufeffWord, Size,id\r\n" a, ""b""",1,7\r\n\r\n"two\r\nlines",2,\r\n'
        data = text.encode()
        path.write_bytes(gzip.compress(data) if packed else data)
        assert read_rows(path, ["WORD", "size"]) == [
            {"WORD": 'a, "b"', "size": "1", "id": "7"},
            {"WORD": "two\r\nlines", "size": "2", "id": ""},
        ]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"a,b\n1,2\n", "no column size"),
            (b"", "no table"),
            (b"size\n", "no rows"),
            (b"size,b\n1,2\n3\n", "line 3"),
            (b"size,b\n1,2,3\n", "line 2"),
            (b"size\n\xff\n", "UTF-8"),
            (b'size\n"open\n', "line 2 of .*: a quote is never closed"),
            (b"\x1f\x8bnothing", "damaged"),
            (gzip.compress(b"size\n1\n", mtime=0)[:-9], "damaged"),
        ],
    )
    def test_says_what_is_wrong(self, tmp_path, content, says):
        path = tmp_path / "a.csv"
        path.write_bytes(content)
        with pytest.raises(UsageError, match=says) as caught:
            read_rows(path, ["size"])
        assert "a.csv" in str(caught.value)
        assert caught.value.hint

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_rows(tmp_path / "a.csv", ["size"])


def test_columns_are_read_without_the_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('One,"t,wo"\n"' + "x" * 2**20, encoding="utf-8")
    assert read_columns(path) == ("one", "t,wo")
