"""Expected counts of an index, and the sums of memberships that they are made from."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.config import IndexPlace, ServerPlace
from hiersearch.encoder import HierarchicalEncoder
from hiersearch.index import PhotoIndex, copy_index
from hiersearch.index.connection import Connection
from hiersearch.index.manifest import Manifest, StoredTally, load_tally, save_tally
from hiersearch.index.records import Records
from hiersearch.trees import CONCEPTS, LIKELY, PERHAPS, SURE, Tally
from tests.index.made import VOCABULARY, add

DOCUMENT = "hiersearch-tally.json.gz"
FLAT = Vocabulary([Concept("cat", "cat"), Concept("dog", "dog")], "flat")
OTHER = Vocabulary(
    [
        Concept("pet", "pet"),
        Concept("cat", "cat", ("pet",)),
        Concept("machine", "machine"),
        Concept("bike", "motorbike", ("machine",)),
    ],
    "other",
)


def memberships(index: PhotoIndex) -> np.ndarray:
    """Of all stored photos, from their stored vectors."""
    records = index._store.photos.scroll(with_vectors=True)
    return index._labeller.get().memberships(np.stack([record.vector for record in records]))


def assert_tally(index: PhotoIndex) -> None:
    """The kept tally is that of the photos' memberships, of all concepts that any shows."""
    members = memberships(index)
    kept, wanted = index._store.tally, Tally.of(members)
    shown = (members >= PERHAPS).any(axis=0)
    assert kept.photos == len(members)
    # Each run of adding photos rounds once.
    np.testing.assert_allclose(kept.table, np.where(shown[:, None], wanted.table, 0), atol=0.03)


def expected_of(index: PhotoIndex) -> dict[str, float]:
    """What should be counted: memberships summed up, one concept at a time."""
    members = memberships(index)
    own = {}
    for at, concept in enumerate(index.vocabulary):
        row = members[:, at]
        sure, likely = row[row >= SURE], row[(row >= PERHAPS) & (row < SURE)]
        if len(sure) or len(likely):
            own[concept.id] = max(len(sure), float(row.sum()))
    found = dict(own)
    for one, number in own.items():
        for above in index.vocabulary.ancestors(one):
            found[above] = max(found.get(above, 0), number)
    return found


# The document.


def manifest(**changes: object) -> Manifest:
    values = {
        "model": "mini",
        "model_id": "mini-1",
        "root": np.array([0.6, 0.8], dtype=np.float32),
        "vocabulary_id": "words",
        "photo_size": 224,
        "labelled": True,
        "trees": "made",
    }
    return Manifest(**{**values, **changes})


@pytest.fixture
def records(place: IndexPlace) -> Iterator[Records]:
    connection = Connection(place)
    connection.records.begin()
    yield connection.records
    connection.close()


DOGS = StoredTally(4, {"dog": [1, 0.8, 0, 0, 0.2]})


def test_what_is_kept_is_read(records):
    assert load_tally(records, manifest()) is None
    rows = {"dog": [3.0, 2.71, 1.0, 0.55, 0.2], "caf\u00e9 \u732b": [1.0, 0.9, 0.0, 0.0, 0.1]}
    for tally in (StoredTally(7, rows), DOGS, StoredTally(2, {})):
        save_tally(records, manifest(), tally)
        assert load_tally(records, manifest()) == tally


@pytest.mark.parametrize("changes", [{"vocabulary_id": "others"}, {"trees": "newer"}])
def test_what_is_kept_of_other_labels_is_not_used(records, changes, caplog):
    save_tally(records, manifest(), DOGS)
    assert load_tally(records, manifest(**changes)) is None
    assert load_tally(records, manifest(photo_size=96)) == DOGS
    assert not caplog.records


def test_none_forgets_what_was_kept(records):
    save_tally(records, manifest(), DOGS)
    save_tally(records, manifest(), None)
    assert load_tally(records, manifest()) is None
    assert DOCUMENT not in records.names()
    save_tally(records, manifest(), None)


WHOLE = {"vocabulary_id": "words", "trees": "made", "photos": 4, "concepts": {}}


def packed(**changes: object) -> bytes:
    """A tally of which something is changed."""
    return gzip.compress(json.dumps(WHOLE | changes).encode())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no gzip", id="no gzip"),
        pytest.param(gzip.compress(b"{}")[:-3], id="cut off"),
        pytest.param(gzip.compress(b""), id="nothing packed"),
        pytest.param(gzip.compress(b"[]"), id="a list"),
        pytest.param(gzip.compress(b"{}"), id="no fields"),
        pytest.param(gzip.compress(b"\xff"), id="no text"),
        pytest.param(packed(photos="many"), id="a word for photos"),
        pytest.param(packed(photos=None), id="no photos"),
        pytest.param(packed(concepts={"dog": "many"}), id="a word for a row"),
        pytest.param(packed(concepts={"dog": [1, "x", 3, 4, 5]}), id="a word in a row"),
        pytest.param(packed(trees=3), id="a number for an id"),
        *(
            pytest.param(packed(concepts={"dog": [1.0] * count}), id=f"{count} numbers")
            for count in (0, 1, 4, 6)
        ),
    ],
)
def test_a_damaged_tally_is_none_with_a_warning(records, content, caplog):
    records.write(DOCUMENT, content)
    assert load_tally(records, manifest()) is None
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert DOCUMENT in warning.message
    assert "'hiersearch index --concepts FILE'" in warning.message


def test_a_tally_of_before_it_told_of_all_photos_is_none(records):
    old = {"vocabulary_id": "words", "trees": "made", "concepts": {"dog": [1, 0.8, 0, 0.2]}}
    records.write(DOCUMENT, gzip.compress(json.dumps(old).encode()))
    assert load_tally(records, manifest()) is None


# In an index.


def test_adding_photos_adds_to_the_tally(index, folder, demo_photos):
    assert index._store.tally is None
    assert add(index, folder) == {"added": 3}
    assert_tally(index)
    before = index._store.tally
    assert add(index, folder) == {"unchanged": 3}
    assert index._store.tally is before
    for name in ("galaxies.jpg", "rocket.jpg", "astronaut.jpg"):
        shutil.copy2(demo_photos / name, folder / name)
    assert add(index, folder) == {"added": 3, "unchanged": 3}
    assert_tally(index)


def test_counts_are_what_memberships_add_up_to(index, demo_photos):
    index.add(demo_photos)
    assert_tally(index)
    counts = index.concept_counts()
    wanted = expected_of(index)
    assert set(counts) == set(wanted)
    for one, number in counts.items():
        assert abs(number - wanted[one]) <= 0.53  # a half by rounding it, a little by rounding sums
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    for one, number in counts.items():
        assert all(counts[above] >= number for above in index.vocabulary.ancestors(one))
    one = index.concept_counts(["name=cat.jpg"])
    assert set(one.values()) == {1}
    assert {"cat", "animal"} <= set(one)


def test_levels_have_the_counts_of_their_concepts(index, demo_photos):
    index.add(demo_photos)
    for name in ("cat.jpg", "motorcycle.jpg", "coffee.jpg"):
        answer = index.query(image=demo_photos / name, levels=9)
        assert answer.levels
        counts = [level.count for level in answer.levels]
        assert counts == sorted(counts, reverse=True)
        for level in answer.levels:
            place = index.vocabulary.position(level.concept)
            stored = [record.payload for record in index._store.photos.scroll()]
            sure = sum(level.concept in payload[CONCEPTS] for payload in stored)
            likely = sum(level.concept in payload[LIKELY] for payload in stored)
            assert level.sure == sure
            expected = index._store.tally.expected(place, sure, likely, 12)
            assert level.count == min([expected, *counts[: level.level - 1]])


def test_no_level_has_more_photos_than_match(index, demo_photos):
    index.add(demo_photos)
    # Of each concept many more are expected than there are photos.
    index._store.keep_tally(Tally(30, np.tile([10, 9.0, 10, 1000, 1000], (len(VOCABULARY), 1))))
    answer = index.query(image=demo_photos / "cat.jpg", where=["name=cat.jpg"])
    assert answer.levels
    assert {level.count for level in answer.levels} == {1}
    assert all(number == 1 for number in index.concept_counts(["name=cat.jpg"]).values())
    assert max(index.concept_counts().values()) <= 12


def test_without_a_tally_all_that_perhaps_show_it_count(index, demo_photos):
    index.add(demo_photos)
    index._store.keep_tally(None)
    members = memberships(index) >= PERHAPS
    wanted = {
        concept.id: int(number)
        for concept, number in zip(VOCABULARY, members.sum(axis=0), strict=True)
        if number
    }
    assert index.concept_counts() == wanted
    for level in index.query(image=demo_photos / "cat.jpg").levels:
        assert level.count == wanted[level.concept]


def test_the_tally_is_there_when_an_index_is_opened_again(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "index", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        before = index._store.tally
        counts = index.concept_counts()
    with PhotoIndex.open(tmp_path / "index", model=mini) as index:
        ids = [concept.id for concept in VOCABULARY]
        assert index._store.tally.to_rows(ids) == before.to_rows(ids)
        assert index.concept_counts() == counts
        assert_tally(index)


def test_labelling_again_replaces_the_tally(index, folder):
    index.add(folder)
    twice = index._store.tally + index._store.tally
    index._store.keep_tally(twice)
    # As if it had been labelled by other statistics.
    index._store.remember(trees="of an earlier version")
    assert add(index, concepts=VOCABULARY) == {"relabelled": 3}
    assert_tally(index)


def test_another_vocabulary_has_a_tally_of_its_own(index, folder):
    index.add(folder)
    assert add(index, concepts=OTHER) == {"relabelled": 3}
    assert_tally(index)
    ids = [concept.id for concept in OTHER]
    assert set(index._store.tally.to_rows(ids)) == set(index.concept_counts())
    assert "pet" in index.concept_counts()


def test_a_vocabulary_without_parents_has_none(index, folder):
    index.add(folder)
    assert add(index, concepts=FLAT) == {"relabelled": 3}
    assert index._store.tally is None
    assert DOCUMENT not in index._store._records.names()
    assert add(index, concepts=VOCABULARY) == {"relabelled": 3}
    assert_tally(index)


def test_the_tally_of_other_labels_is_forgotten_when_relabelling_is_cut_off(
    index, folder, monkeypatch
):
    index.add(folder)

    def power_cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hiersearch.index.update.addition.relabel", power_cut)
        with pytest.raises(KeyboardInterrupt):
            index.add(concepts=OTHER)
    assert index._store.tally is None
    assert add(index, folder) == {"relabelled": 3, "unchanged": 3}
    assert_tally(index)


def damage(index: PhotoIndex, folder: Path) -> None:
    (folder / DOCUMENT).write_bytes(b"damaged")
    index._store.__dict__.pop("tally", None)


def test_with_a_damaged_tally_an_index_counts_as_without_and_labelling_again_mends_it(
    index, folder, tmp_path, caplog
):
    index.add(folder)
    damage(index, tmp_path / "index")
    damaged = index.concept_counts()
    assert index.query(image=folder / "cat.jpg").levels
    assert [DOCUMENT in record.message for record in caplog.records] == [True]
    index._store.keep_tally(None)
    assert index.concept_counts() == damaged
    damage(index, tmp_path / "index")
    assert add(index, concepts=OTHER) == {"relabelled": 3}
    assert_tally(index)


def test_a_damaged_tally_is_made_again_with_labels_of_the_same_vocabulary_too(
    index, folder, tmp_path
):
    index.add(folder)
    damage(index, tmp_path / "index")
    assert add(index, concepts=VOCABULARY) == {"relabelled": 3}
    assert_tally(index)
    assert add(index, concepts=VOCABULARY) == {}


def test_a_few_photos_added_to_a_damaged_tally_are_not_taken_for_all(
    index, folder, tmp_path, demo_photos
):
    index.add(folder)
    damage(index, tmp_path / "index")
    index.add(demo_photos / "galaxies.jpg")
    assert index._store.tally is None
    assert add(index, demo_photos, concepts=VOCABULARY)["relabelled"] == 4
    assert_tally(index)


# Copies.


@pytest.fixture
def remote(server) -> ServerPlace:
    return ServerPlace(server.url, "holiday")


@pytest.fixture
def source(tmp_path, mini, folder) -> Path:
    """A closed index of three photos."""
    with PhotoIndex.create(tmp_path / "source", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    return tmp_path / "source"


def kept(place: IndexPlace, mini: HierarchicalEncoder) -> tuple[dict, dict[str, int]]:
    """The rows of an index's tally, and its counts."""
    with PhotoIndex.open(place, model=mini) as index:
        ids = [concept.id for concept in index.vocabulary]
        tally = index._store.tally
        return tally.to_rows(ids) if tally else {}, index.concept_counts()


def test_a_copy_has_the_tally_too(source, remote, tmp_path, mini):
    wanted = kept(source, mini)
    assert wanted[0]
    copy_index(source, remote)
    assert kept(remote, mini) == wanted
    copy_index(remote, tmp_path / "back")
    assert kept(tmp_path / "back", mini) == wanted


def test_a_copy_over_another_index_leaves_nothing_of_its_tally(source, remote, mini, demo_photos):
    copy_index(source, remote)
    with PhotoIndex.open(source, model=mini) as index:
        index._store.keep_tally(None)
    copy_index(source, remote, overwrite=True)
    assert kept(remote, mini)[0] == {}
    with PhotoIndex.open(source, model=mini) as index:
        index.add(demo_photos / "galaxies.jpg")
    copy_index(source, remote, overwrite=True)
    assert kept(remote, mini) == kept(source, mini)
