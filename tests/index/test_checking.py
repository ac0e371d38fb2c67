"""An index that was damaged in every way is told so, and mended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from qdrant_client import models

from hiersearch import PhotoIndex
from hiersearch.errors import UsageError
from tests.index.made import VOCABULARY


def kinds(report):
    return {finding.kind for finding in report.findings}


def test_a_fresh_index_is_whole(index, folder):
    index.add(folder)
    report = index.check()
    assert report.findings == ()
    assert (report.photos, report.files, report.concepts) == (3, 3, len(VOCABULARY))


def test_each_damage_is_found_and_mended(index, folder):
    index.add(folder)
    photos = index._store.photos
    before = {record.id: record.payload for record in photos.scroll()}
    one = next(iter(before))
    for damage in (
        {"root_distance": 0.1},
        {"root_distance": "far"},
        {"name": []},
        {"folder": ["elsewhere"]},
        {"chain": ["unheard of"]},
        {"concepts": []} if before[one]["chain"] else {"chain": ["cat"]},
        {"chain": 5},
        {"masses": "heavy"},
    ):
        index._store.connection.client.set_payload(photos.name, damage, points=[one])
        found = index.check()
        assert len(found.findings) == 1, damage
        assert not found.is_whole
        assert index.check(repair=True).is_whole
        assert index.check().findings == ()
        after = {record.id: record.payload for record in photos.scroll()}
        assert after.keys() == before.keys()
        for field in ("path", "name", "folder", "chain", "concepts"):
            assert after[one][field] == before[one][field], (damage, field)


def test_lost_concepts_and_a_cut_labelling_are_mended(index, folder):
    index.add(folder)
    concepts = index._store.concepts
    concepts.delete([next(iter(concepts.scroll())).id])
    index._store.remember(labelled=False)
    assert len(index.check().findings) == 2
    assert index.check(repair=True).is_whole
    assert index.check().findings == ()


def test_a_moved_folder_is_said_with_the_command(index, folder):
    index.add(folder)
    there = folder.with_name("moved")
    shutil.move(folder, there)
    report = index.check()
    assert report.is_whole
    assert f"hiersearch index {there} {folder} --prune" in report.findings[0].advice
    index.add(there, folder, prune=True)
    assert index.check().findings == ()


def damaged(index, folder, damage):
    """The index after its first photo was damaged, and that photo's file."""
    index.add(folder)
    client, photos = index._store.connection.client, index._store.photos
    one = next(iter(photos.scroll(with_vectors=True)))
    damage(client, photos, one)
    return Path(one.payload["path"][0])


def without_size(client, photos, one):
    client.delete_payload(photos.name, ["size"], points=[one.id])


def of_another_type(client, photos, one):
    client.set_payload(photos.name, {"mtime": "yesterday", "width": -1}, points=[one.id])


def without_direction(client, photos, one):
    name = photos._schema.vector_name
    vector = {name: [0.0] * len(one.vector)} if name else [0.0] * len(one.vector)
    point = models.PointStruct(id=one.id, vector=vector, payload=one.payload)
    client.upsert(photos.name, [point])


BEYOND_REPAIR = pytest.mark.parametrize(
    "damage", [without_size, of_another_type, without_direction]
)


@BEYOND_REPAIR
def test_what_cannot_be_mended_is_dropped_to_be_read_again(index, folder, damage):
    damaged(index, folder, damage)
    assert not index.check().is_whole
    report = index.check(repair=True)
    assert report.is_whole
    assert "reads them again" in report.findings[0].advice
    assert (report.photos, index.photo_count) == (2, 2)
    assert index.add(folder).added == 1
    assert index.check().findings == ()


@BEYOND_REPAIR
def test_but_never_where_its_file_is_gone(index, folder, damage):
    path = damaged(index, folder, damage)
    path.rename(path.with_suffix(".away"))
    report = index.check(repair=True)
    assert not report.is_whole
    assert index.photo_count == 3
    path.with_suffix(".away").rename(path)
    assert index.check(repair=True).is_whole


def test_a_path_of_two_photos_is_settled_by_the_next_run(index, folder):
    def twice(client, photos, one):
        other = next(record for record in photos.scroll() if record.id != one.id)
        both = {key: one.payload[key] + other.payload[key] for key in ("path", "name", "mtime")}
        both["folder"] = sorted({*one.payload["folder"], *other.payload["folder"]})
        client.set_payload(photos.name, both, points=[one.id])

    damaged(index, folder, twice)
    report = index.check(repair=True)
    assert kinds(report) == {"paths of two photos"}
    assert "hiersearch index" in report.findings[0].advice
    index.add(folder)
    assert index.check().is_whole


def test_photos_with_trees(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "trees", model=mini) as index:
        index.add(folder)
        assert index.trees is not None
        assert index.check().findings == ()
        one = next(iter(index._store.photos.scroll()))
        index._store.photos.set_payload([one.id], [{"likely": ["unheard-of"]}])
        assert not index.check().is_whole
        assert index.check(repair=True).is_whole
        assert index.check().findings == ()


def test_on_a_server_as_in_a_folder(place, folder, mini):
    with PhotoIndex.create(place, model=mini, concepts=VOCABULARY) as index:
        damaged(
            index,
            folder,
            lambda client, photos, one: client.set_payload(
                photos.name, {"root_distance": 1.5}, points=[one.id]
            ),
        )
        assert not index.check().is_whole
        assert index.check(repair=True).is_whole
        assert index.check().findings == ()


def test_what_was_opened_for_reading_is_not_repaired(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    with PhotoIndex.open(tmp_path / "index", read_only=True) as index:
        assert index.check().findings == ()
        with pytest.raises(UsageError, match="for reading only"):
            index.check(repair=True)


def test_what_was_dropped_is_told_beside_what_is_left(index, folder):
    index.add(folder)
    client, photos = index._store.connection.client, index._store.photos
    records = list(photos.scroll())
    for record in records[:2]:
        client.delete_payload(photos.name, ["size"], points=[record.id])
    Path(records[0].payload["path"][0]).unlink()
    dropped, left = (
        one for one in index.check(repair=True).findings if one.kind.startswith("photos that lack")
    )
    assert (dropped.mended, dropped.count, left.mended, left.count) == (True, 1, False, 1)
    assert "reads them again" in dropped.advice
    assert "not there to be read again" in left.advice
