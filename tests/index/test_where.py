from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import models

from hiersearch.errors import FilterError
from hiersearch.index.fields import KEYS, PHOTO_INDEXES, field_filter, parse_where
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
    "undated": {"path": ["/BOX/y.jpg"], "size": 0, "width": 999, "concepts": ["cat"]},
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
    "folder=BOX": "undated",
    "folder=BO": "",
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


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("size=many", "the value of 'size' is not a whole number, as 1000 or 2MB: 'many'"),
        ("width=2MB", "the value of 'width' is not a whole number, as 1000: '2MB'"),
        ("size=99999999TB", "the value of 'size' is too great: '99999999TB'"),
        ("taken=soon", "the value of 'taken' is not a date: 'soon'"),
        ("mtime=2021-02-29", "the value of 'mtime' is not a date that exists: '2021-02-29'"),
        ("name=\udfff", "the value of 'name' is not valid Unicode: '\\udfff'"),
        ("folder<x", "'folder' can be compared with = and != only"),
    ],
)
def test_what_is_said(expression: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_where([expression])
    assert caught.value.message == said


def test_a_date_that_is_none_is_shown_how_to_be_written() -> None:
    with pytest.raises(FilterError) as caught:
        parse_where(["taken=soon"])
    assert caught.value.hint == "Write it as 2020, 2020-05, 2020-05-17 or 2020-05-17T14:30"


def test_the_concepts_of_trees_are_those_that_are_likely_too() -> None:
    condition = "concept=cat"
    assert parse_where([condition], trees=True) == models.Filter(
        should=[
            models.Filter(must=[has_value("concepts", "cat")]),
            models.Filter(must=[has_value("likely", "cat")]),
        ]
    )
    assert parse_where([condition]) == models.Filter(must=[has_value("concepts", "cat")])
    assert parse_where([condition], str.upper) == models.Filter(must=[has_value("concepts", "CAT")])


def has_value(field: str, value: str | int | bool) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


ROWS: dict[str, dict[str, Any]] = {
    "text": {"x": "4"},
    "whole": {"x": 4},
    "fraction": {"x": 4.5},
    "yes": {"x": True},
    "no": {"x": False},
    "word": {"x": "true"},
    "list": {"x": ["cat", "dog"]},
    "other": {"y": 4},
}

FOUND = {
    "x=4": "text whole",
    "x==4": "text whole",
    "x = 4.5": "fraction",
    "x!=4": "fraction yes no word list other",
    "x=4.0": "whole",
    "x=+4": "whole",
    "x=cat": "list",
    "x>4": "fraction",
    "x>=4": "whole fraction",
    "x<4.5": "whole",
    "x<=4.5": "whole fraction",
    "x>-1e1": "whole fraction",
    "x=99999999999999999999": "",
    "y=4": "other",
    "y!=4": "text whole fraction yes no word list",
}


def test_what_points_each_condition_on_any_field_finds(cloud: Cloud, make: Made) -> None:
    collection = make(cloud.root)
    ids = dict(zip(ROWS, cloud.ids, strict=False))
    collection.upsert(list(ids.values()), cloud.vectors[: len(ROWS)], list(ROWS.values()))
    for condition, names in FOUND.items():
        found = {record.id for record in collection.scroll(field_filter(condition))}
        assert found == {ids[name] for name in names.split()}, condition


def test_true_and_false_are_words_too() -> None:
    assert field_filter("x=true") == models.Filter(
        should=[
            models.Filter(must=[has_value("x", "true")]),
            models.Filter(must=[has_value("x", True)]),
        ]
    )
    assert field_filter("x=false", {"x": "bool"}) == models.Filter(must=[has_value("x", False)])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("keyword", has_value("x", "12")),
        ("integer", has_value("x", 12)),
        ("float", models.FieldCondition(key="x", range=models.Range(gte=12, lte=12))),
    ],
)
def test_an_indexed_field_is_compared_as_what_it_is_indexed_as(kind: str, expected: Any) -> None:
    assert field_filter("x=12", {"x": kind, "y": "keyword"}) == models.Filter(must=[expected])


def test_whole_numbers_are_compared_as_such_as_far_as_stores_have_them() -> None:
    kinds = {"x": "integer"}
    for number in (200, 2**53 + 1, 2**63 - 1, -(2**63) + 1):
        expected = models.Filter(must=[has_value("x", number)])
        assert field_filter(f"x={number}", kinds) == expected
    beyond = field_filter(f"x={2**63}", kinds)
    assert "9223372036854775808" in beyond.model_dump_json()  # as text, and as a float
    assert has_value("x", 2**63) not in [one for part in beyond.should for one in part.must]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("x", "the condition 'x' cannot be read"),
        ("=4", "the condition '=4' cannot be read"),
        ("x=", "the condition 'x=' has no value"),
        ("x=\ud800", "the condition 'x=\\ud800' cannot be read"),
        ("x=\udfff", "the condition 'x=\\udfff' cannot be read"),
        ("x>cat", "'x' can be compared by > with a number only, not with 'cat'"),
        ("x<=1e999", "'x' can be compared by <= with a number only, not with '1e999'"),
        ("x>nan", "'x' can be compared by > with a number only, not with 'nan'"),
    ],
)
def test_what_is_said_of_any_field(expression: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        field_filter(expression)
    assert caught.value.message == said
    assert caught.value.hint == (
        "Write FIELD=VALUE, with one of = != > >= < <=, such as year>=2020"
    )
