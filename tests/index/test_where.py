from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import models

from hiersearch.errors import FilterError
from hiersearch.index.fields import KEYS, PHOTO_INDEXES, parse_where
from hiersearch.photos import photo_folders
from tests.qdrant.conftest import Cloud, Made

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")

PHOTOS: dict[str, dict[str, Any]] = {
    "spring": {
        "path": ["/home/ann/Holidays/2020/a b.jpg"],
        "taken": "2020-05-31T23:59:59",
        "size": 1_999_999,
        "width": 1000,
        "concepts": ["animal", "bird"],
    },
    "summer": {
        "path": ["/home/ann/Holidays/cat=1.jpg", "/copy/cat.jpg"],
        "taken": "2020-06-01T00:00:00",
        "size": 2_000_000,
        "width": 1001,
        "concepts": ["animal", "cat"],
    },
    "later": {
        "path": ["/srv/Straße/x.jpg"],
        "taken": "2021-01-01T00:00:00.5",
        "size": 5,
        "width": 10,
        "concepts": [],
    },
    "undated": {"path": ["/y.jpg"], "size": 0, "width": 999, "concepts": ["cat"]},
}

CASES = {
    "taken=2020": "spring summer",
    "taken=2020-05": "spring",
    "taken = 2020-05-31": "spring",
    "taken=2020-05-31T23:59": "spring",
    "taken=2020-05-31 23:59:59": "spring",
    "taken=2021-01-01T00:00:00": "later",
    "taken=2021-01-01T00:00:00.5": "later",
    "taken=2021-01-01T00:00:00.4": "",
    "taken=2020-12": "",
    "taken>2020-05": "summer later",
    "taken>=2020-06": "summer later",
    "taken<2020-06": "spring",
    "taken<=2020": "spring summer",
    "taken>2020": "later",
    "taken!=2020": "later undated",
    "taken<=9999": "spring summer later",
    "folder=Holidays": "spring summer",
    "folder=/home/ann/Holidays": "spring summer",
    "folder=/home/ann/Holidays/": "spring summer",
    "folder=2020": "spring",
    "folder=/copy": "summer",
    "folder=Straße": "later",
    "folder=/": "spring summer later undated",
    "folder!=Holidays": "later undated",
    "folder=Holi": "",
    "name=a b.jpg": "spring",
    "name=cat=1.jpg": "summer",
    "name==x.jpg": "later",
    "NAME!=y.jpg": "spring summer later",
    "path=/copy/cat.jpg": "summer",
    "concept=cat": "summer undated",
    "concept!=animal": "later undated",
    "width>1000": "summer",
    "width>=1000": "spring summer",
    "width<999": "later",
    "width<=999": "later undated",
    "width=1000": "spring",
    "size=2MB": "summer",
    "size>=2 mb": "summer",
    "size<1kB": "later undated",
    "mtime=2020-05-31": "spring",
    "mtime>=2020-06-01T00:00": "summer later",
}


def stored(name: str) -> dict[str, Any]:
    photo = dict(PHOTOS[name])
    photo["name"] = [path.rpartition("/")[2] for path in photo["path"]]
    photo["folder"] = [folder for path in photo["path"] for folder in photo_folders(path)]
    if "taken" in photo:
        photo["mtime"] = [datetime.fromisoformat(photo["taken"]).timestamp()]
    return photo


def test_what_photos_each_condition_finds(make: Made, cloud: Cloud) -> None:
    collection = make(cloud.root, dict(PHOTO_INDEXES))
    ids = dict(zip(PHOTOS, cloud.ids, strict=False))
    collection.upsert(list(ids.values()), cloud.vectors[:4], [stored(name) for name in PHOTOS])
    found = {
        condition: {record.id for record in collection.scroll(parse_where([condition]))}
        for condition in CASES
    }
    assert found == {
        condition: {ids[name] for name in names.split()} for condition, names in CASES.items()
    }
    both = parse_where(["taken>=2020-06", "folder=Holidays"])
    assert [record.id for record in collection.scroll(both)] == [ids["summer"]]


def test_none() -> None:
    assert parse_where([]) is None


def test_one_expression_may_stand_alone() -> None:
    assert parse_where("width>3") == parse_where(["width>3"])


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "folder",
        "folder=",
        "=x",
        "colour=red",
        "folder>x",
        "width=wide",
        "width=-1",
        "width=1.5",
        "width=2MB",
        "size=2 parsecs",
        "size=9999999999999999",
        "size=999999999TB",
        "width=٣",
        "taken=yesterday",
        "taken=2020-13",
        "taken=2020-02-30",
        "taken=0000",
        "taken=20200517",
        "taken=2020-05-17T25:00",
        "taken=2020-05-17T10:00Z",
        "taken=2020-00",
        "mtime<0001",
        "name=\ud800.jpg",
        "width>>3",
        3,
        None,
        b"width>3",
        ["width>3"],
    ],
)
def test_what_cannot_be_read(expression: Any) -> None:
    with pytest.raises(FilterError) as caught:
        parse_where([expression])
    assert caught.value.message
    assert not caught.value.message.endswith(".")


@pytest.mark.parametrize("expression", ["colour=red", "what", "folder<x", "name="])
def test_the_hint_says_what_is_allowed(expression: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_where([expression])
    assert all(key in caught.value.hint for key in KEYS)


def reads_or_refuses(expression: str) -> bool:
    try:
        return isinstance(parse_where([expression]), models.Filter)
    except FilterError as error:
        return bool(error.message)


@given(st.one_of(st.text(), st.from_regex(r"[a-z]{1,7}(=|!=|<|>|<=|>=)[^\n]*", fullmatch=True)))
def test_nothing_but_a_filter_or_a_filter_error(expression: str) -> None:
    assert reads_or_refuses(expression)


@given(
    st.sampled_from(KEYS),
    st.sampled_from(["=", "!=", ">", ">=", "<", "<="]),
    st.from_regex(r"[0-9]{1,5}(-[0-9]{1,3}){0,2}([T ][0-9:.]*)?[kKmM]?[bB]?", fullmatch=True),
)
def test_likely_values(key: str, operator: str, value: str) -> None:
    assert reads_or_refuses(key + operator + value)


moments = st.datetimes(datetime(1, 1, 2), datetime(9998, 12, 31))


def bounds(expression: str) -> tuple[datetime, datetime]:
    condition = parse_where([expression])
    assert condition is not None
    assert isinstance(condition.must, list)
    field = condition.must[0]
    assert isinstance(field, models.FieldCondition)
    assert isinstance(field.range, models.DatetimeRange)
    start, end = field.range.gte, field.range.lt
    assert isinstance(start, datetime)
    assert isinstance(end, datetime)
    return start, end


@given(moments, st.sampled_from([4, 7, 10, 16, 19]))
def test_a_moment_lies_in_its_year_month_day_minute_and_second(
    moment: datetime, precision: int
) -> None:
    text = moment.isoformat(timespec="seconds")[:precision]
    start, end = bounds(f"taken={text}")
    assert start <= moment < end
    last = (end - timedelta(microseconds=1)).isoformat(timespec="microseconds")
    assert start.isoformat()[:precision] == last[:precision] == text


class TestPhotoFolders:
    def test_full_paths_and_names(self) -> None:
        assert photo_folders("/home/ann/2020/cat.jpg") == [
            "/home/ann/2020",
            "/home/ann",
            "/home",
            "/",
            "2020",
            "ann",
            "home",
        ]

    def test_at_the_top(self) -> None:
        assert photo_folders("/cat.jpg") == ["/"]

    def test_one_name_twice(self) -> None:
        assert photo_folders("/a/a/cat.jpg") == ["/a/a", "/a", "/", "a"]

    def test_a_path_that_is_not_utf8(self) -> None:
        assert photo_folders("file:///My%20photos/caf%E9/cat.jpg") == [
            "file:///My%20photos/caf%E9",
            "/My photos",
            "/",
            "caf%E9",
            "My photos",
        ]

    def test_a_percent_sign_is_no_encoding_elsewhere(self) -> None:
        assert photo_folders("/100%25/cat.jpg") == ["/100%25", "/", "100%25"]
