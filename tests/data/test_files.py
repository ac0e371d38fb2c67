from __future__ import annotations

import gzip
import hashlib

import pytest

from hiersearch.data.benchmark_files import checksum, data_folder, find_file, read_rows
from hiersearch.errors import HiersearchError, MissingDataError, UsageError

WANTED = {"benchmark": "birdlex", "source": "https://example.org/birdlex"}


def test_missing_data_is_no_wrong_use():
    assert issubclass(MissingDataError, HiersearchError)
    assert MissingDataError.exit_code == 1


class TestDataFolder:
    def test_is_the_benchmarks_own_where_it_is_there(self, tmp_path):
        assert data_folder(tmp_path, "birdlex") == tmp_path
        (tmp_path / "birdlex").mkdir()
        assert data_folder(tmp_path, "birdlex") == tmp_path / "birdlex"
        assert data_folder(tmp_path, "other") == tmp_path

    def test_may_be_one_file(self, tmp_path):
        (tmp_path / "a.csv").touch()
        assert data_folder(tmp_path / "a.csv", "birdlex") == tmp_path / "a.csv"

    def test_none_is_missing_data(self):
        with pytest.raises(MissingDataError, match="birdlex") as caught:
            data_folder(None, "birdlex")
        assert "--data" in caught.value.hint

    def test_a_folder_that_is_not_there_is_wrong_use(self, tmp_path):
        with pytest.raises(UsageError, match="nowhere"):
            data_folder(tmp_path / "nowhere", "birdlex")


class TestFindFile:
    def test_the_best_name_wins(self, tmp_path):
        for name in ("second.txt", "first.txt"):
            (tmp_path / name).touch()
        assert find_file(tmp_path, ["first.txt", "second.txt"], **WANTED).name == "first.txt"
        (tmp_path / "first.txt").unlink()
        assert find_file(tmp_path, ["first.txt", "second.txt"], **WANTED).name == "second.txt"

    def test_a_csv_file_may_be_packed(self, tmp_path):
        (tmp_path / "data.csv.gz").touch()
        assert find_file(tmp_path, ["data.csv"], **WANTED).name == "data.csv.gz"

    def test_the_one_csv_file_with_the_columns_will_do(self, tmp_path):
        (tmp_path / "other.csv").write_text("name,colour\nx,y\n")
        (tmp_path / "broken.csv").write_bytes(b"\xff\xfe\xff")
        with gzip.open(tmp_path / "mine.csv.gz", "wt") as file:
            file.write("Name,size,colour,WEIGHT\nx,1,y,2\n")
        found = find_file(tmp_path, ["data.csv"], **WANTED, columns=["weight", "name"])
        assert found.name == "mine.csv.gz"

    def test_several_are_ambiguous(self, tmp_path):
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_text("name\nx\n")
        with pytest.raises(UsageError, match=r"a\.csv, b\.csv") as caught:
            find_file(tmp_path, ["data.csv"], **WANTED, columns=["name"])
        assert "data.csv" in caught.value.hint

    def test_none_says_what_is_missing_where_it_comes_from_and_where_to_put_it(self, tmp_path):
        (tmp_path / "other.csv").write_text("colour\ny\n")
        with pytest.raises(MissingDataError) as caught:
            find_file(tmp_path, ["a.csv", "b.csv"], **WANTED, columns=["name"])
        text = str(caught.value)
        for part in ("birdlex", "a.csv or b.csv", str(tmp_path), WANTED["source"], "columns name"):
            assert part in text

    def test_without_columns_no_other_file_is_taken(self, tmp_path):
        (tmp_path / "other.csv").write_text("name\nx\n")
        with pytest.raises(MissingDataError):
            find_file(tmp_path, ["data.json"], **WANTED)

    def test_a_file_is_taken_by_itself_if_it_fits(self, tmp_path):
        path = tmp_path / "any.csv"
        path.write_text("name\nx\n")
        assert find_file(path, ["data.csv"], **WANTED, columns=["name"]) == path
        assert find_file(path, ["data.csv"], **WANTED) == path
        with pytest.raises(UsageError, match="no column size"):
            find_file(path, ["data.csv"], **WANTED, columns=["name", "size"])


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
            (b"", "no column size"),
            (b"size\n", "no rows"),
            (b"size,b\n1,2\n3\n", "line 3"),
            (b"size,b\n1,2,3\n", "line 2"),
            (b"size\n\xff\n", "UTF-8"),
            (b'size\n"open\n', "damaged"),
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


def test_the_checksum_is_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    assert checksum(path) == hashlib.sha256(b"content").hexdigest()[:16]
    with pytest.raises(UsageError, match="cannot be read"):
        checksum(tmp_path / "b")
