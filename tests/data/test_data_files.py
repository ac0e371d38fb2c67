from __future__ import annotations

import gzip
import hashlib

import pytest

from hiersearch.data.data_files import checksum, data_folder, find_file, own_folder
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


class TestOwnFolder:
    def test_is_the_given_one_or_the_environments(self, tmp_path):
        environ = {"HIERSEARCH_DATA": str(tmp_path)}
        assert own_folder(environ=environ) == tmp_path
        (tmp_path / "a").mkdir()
        assert own_folder(tmp_path / "a", environ=environ) == tmp_path / "a"
        assert own_folder(environ={}) is None

    def test_must_exist(self, tmp_path):
        missing = tmp_path / "nowhere"
        with pytest.raises(UsageError, match=r"there is no folder .*nowhere"):
            own_folder(missing, environ={})
        with pytest.raises(UsageError, match=r"HIERSEARCH_DATA names .*nowhere"):
            own_folder(environ={"HIERSEARCH_DATA": str(missing)})


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


def test_the_checksum_is_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    assert checksum(path) == hashlib.sha256(b"content").hexdigest()[:16]
    with pytest.raises(UsageError, match="cannot be read"):
        checksum(tmp_path / "b")
