from __future__ import annotations

import pytest
from rich.cells import cell_len

from hiersearch.cli.collections.hit_table import hit_lines, value_of
from hiersearch.qdrant import Hit

PAYLOAD = {"zoom": 3, "hash": "0123456789abcdef" * 4, "name": ["a.jpg"], "path": ["/photos/a.jpg"]}


def hit(payload: dict, score: float = 0.5, angle: float | None = None) -> Hit:
    return Hit(id=7, score=score, angle=angle, root_distance=None, payload=payload)


def fields_of(lines: list[str]) -> list[str]:
    header = lines[0].replace("\x1b[2m", "").replace("\x1b[0m", "")
    return [word for word in header.split() if word not in ("id", "score", "angle")]


def test_fields_that_tell_what_a_point_is_come_first_in_whatever_order_they_are_stored():
    for keys in (sorted(PAYLOAD), sorted(PAYLOAD, reverse=True)):
        lines, left_out = hit_lines([hit({key: PAYLOAD[key] for key in keys})], None, 200)
        assert fields_of(lines) == ["path", "name", "hash", "zoom"]
        assert left_out == []


def test_what_has_no_room_is_named_and_is_what_tells_least():
    lines, left_out = hit_lines([hit(PAYLOAD)], None, 44)
    assert fields_of(lines) == ["path", "name"]
    assert left_out == ["hash", "zoom"]
    assert all(cell_len(line) <= 44 for line in lines[1:])
    assert lines[1].split()[2].startswith('["/photos')


def test_chosen_fields_keep_their_order_and_dots_lead_into_objects():
    one = hit({"meta": {"year": 2020}, "b": 1, "a": None}, angle=1.0)
    lines, _ = hit_lines([one], ["b", "meta.year", "a"], 80)
    assert lines[1].split() == ["7", "0.500", "57.3°", "1", "2020"]
    assert fields_of(lines) == ["b", "meta.year", "a"]


@pytest.mark.parametrize(("field", "value"), [("a.b", 1), ("a", {"b": 2}), ("a.c", None)])
def test_a_field_whose_own_name_has_a_dot_goes_first(field, value):
    assert value_of(hit({"a.b": 1, "a": {"b": 2}}), field) == value
