from __future__ import annotations

import shutil

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
