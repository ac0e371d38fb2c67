"""Indexes whose photos have trees, and older ones, whose photos have chains alone."""

from __future__ import annotations

import json
import shutil

import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.encoder.known import better_labels
from hiersearch.errors import ModelError, StoreError
from hiersearch.index import PhotoIndex
from hiersearch.trees import CHAIN, CONCEPTS, LIKELY
from tests.index.made import VOCABULARY, add, stored


def make_older(index: PhotoIndex) -> None:
    """The index as it was before there were trees."""
    labeller = index._labeller.get()
    records = list(index._store.photos.scroll(with_vectors=True))
    for record in records:
        (chain,) = labeller.chains(record.vector[None])
        payload = {key: value for key, value in record.payload.items() if key != LIKELY}
        index._store.photos.upsert(
            [record.id], record.vector[None], [payload | chain.payload(index.vocabulary)]
        )
    index._store.remember(trees=None)
    index._labeller.forget()


def test_photos_of_the_offline_model_get_trees(index, folder, mini):
    index.add(folder)
    assert index.trees == mini.statistics.id
    assert index.info().trees == index.trees
    vectors = {name: mini.encode_photos([folder / name])[0] for name in stored(index)}
    for name, payload in stored(index).items():
        (tree,) = index._labeller.get().trees(vectors[name][None])
        assert payload[CONCEPTS] == sorted(link.concept for link in tree.sure)
        assert payload[LIKELY] == sorted(link.concept for link in tree.likely)
        assert set(payload[CHAIN]) <= {*payload[CONCEPTS], *payload[LIKELY]}
        assert not set(payload[LIKELY]) & set(payload[CONCEPTS])


def test_an_image_query_says_all_that_the_photo_surely_shows(index, folder):
    index.add(folder)
    answer = index.query(image=folder / "cat.jpg")
    main, *_ = answer.branches
    assert [concept for concept, _ in main] == [level.concept for level in answer.levels]
    assert answer.to_json()["branches"][0][0] == {
        "concept": main[0][0],
        "mass": round(main[0][1], 4),
    }
    assert index.query("a cat").branches == ()


@pytest.fixture
def labelled(index, folder):
    """An index with made labels: what is sure and what is likely, by file."""
    index.add(folder)
    labels = {
        "cat.jpg": (["animal", "cat"], ["dog"]),
        "coffee.jpg": (["coffee", "drink"], ["animal", "cat"]),
        "motorcycle.jpg": (["motorcycle", "vehicle"], []),
    }
    for record in list(index._store.photos.scroll()):
        sure, likely = labels[record.payload["name"][0]]
        index._store.photos.set_payload([record.id], [{CONCEPTS: sure, LIKELY: likely}])
    return index


def names(photos) -> list[str]:
    return [photo.path.name for photo in photos]


def test_a_row_lists_what_is_sure_before_what_is_likely(labelled):
    (*_, last) = labelled.query("a cat", limit=3).levels
    assert last.concept == "cat"
    assert names(last.photos) == ["cat.jpg", "coffee.jpg"]
    assert (last.sure, last.count) == (1, 2)
    (*_, last) = labelled.query("a cat", limit=1).levels
    assert names(last.photos) == ["cat.jpg"]


def test_conditions_on_concepts_take_what_is_likely_too(labelled):
    def found(condition: str) -> set[str]:
        return set(names(labelled.query("anything", limit=5, where=[condition]).photos))

    assert found("concept=cat") == {"cat.jpg", "coffee.jpg"}
    assert found("concept!=cat") == {"motorcycle.jpg"}
    assert found("concept=dog") == {"cat.jpg"}


def test_counts_take_what_is_likely_too(labelled):
    assert labelled.concept_counts() == {
        "animal": 2,
        "cat": 2,
        "coffee": 1,
        "dog": 1,
        "drink": 1,
        "motorcycle": 1,
        "vehicle": 1,
    }
    assert labelled.concept_counts(["name=motorcycle.jpg"]).keys() == {"motorcycle", "vehicle"}


def test_an_older_index_answers_as_it_did_and_can_be_labelled_again(index, folder):
    index.add(folder)
    now = stored(index)
    make_older(index)
    assert index.trees is None
    assert "--concepts builtin" in better_labels("mini", index.model_id, index.trees)
    answer = index.query(image=folder / "cat.jpg")
    assert [level.concept for level in answer.levels] == ["animal", "cat"]
    assert all(level.sure == level.count for level in answer.levels)
    assert answer.branches == ()
    assert index.concept_counts(["concept=cat"]) == {"animal": 1, "cat": 1}
    assert add(index, folder) == {"unchanged": 3}
    assert index.trees is None

    assert add(index, concepts=VOCABULARY) == {"relabelled": 3}
    assert stored(index) == now
    assert better_labels("mini", index.model_id, index.trees) is None
    assert add(index, concepts=VOCABULARY) == {}


def test_relabelling_with_trees_that_was_cut_off_is_finished(index, folder, monkeypatch):
    index.add(folder)
    now = stored(index)
    make_older(index)

    def power_cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hiersearch.index.update.addition.relabel", power_cut)
        with pytest.raises(KeyboardInterrupt):
            index.add(concepts=VOCABULARY)
    with pytest.raises(StoreError, match="cut off"):
        index.query("a cat")
    assert add(index, folder) == {"relabelled": 3, "unchanged": 3}
    assert stored(index) == now


def test_only_indexes_with_trees_need_this_version(index, folder):
    index.add(folder)
    records = index._store._records
    assert json.loads(records.read("hiersearch-index.json"))["version"] == 2
    flat = Vocabulary([Concept("cat", "cat"), Concept("dog", "dog")], "flat")
    index.add(concepts=flat)
    assert index.trees is None
    assert json.loads(records.read("hiersearch-index.json"))["version"] == 1


@pytest.mark.parametrize(
    ("name", "trees"), [("clip-b", None), ("mini-1", None), ("/a/folder", None)]
)
def test_models_without_statistics_have_no_better_labels(name, trees):
    assert better_labels(name, "an id", trees) is None


def test_a_change_of_vocabulary_that_is_cut_off_leaves_no_trees_of_another(
    index, folder, monkeypatch
):
    index.add(folder)
    flat = Vocabulary([Concept("cat", "cat"), Concept("dog", "dog")], "flat")

    def no_model(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hiersearch.index.update.addition.trees_of", no_model)
        with pytest.raises(KeyboardInterrupt):
            index.add(concepts=flat)
    assert index.vocabulary == VOCABULARY
    assert add(index, folder) == {"unchanged": 3}
    assert add(index, concepts=flat) == {"relabelled": 3}
    assert index.trees is None
    assert all(payload[LIKELY] == [] for payload in stored(index).values())


def test_new_photos_are_labelled_by_the_statistics_of_the_others(index, folder, demo_photos, mini):
    index.add(folder)
    now = stored(index)
    index._store.remember(trees="of an earlier version")
    assert "more exactly" in better_labels("mini", index.model_id, index.trees)
    assert add(index, folder) == {"unchanged": 3}
    shutil.copy2(demo_photos / "photographer.jpg", folder / "photographer.jpg")
    assert add(index, folder) == {"relabelled": 3, "added": 1, "unchanged": 3}
    assert index.trees == mini.statistics.id
    assert {name: stored(index)[name] for name in now} == now


def test_a_model_that_lost_its_statistics_is_refused(index, folder, mini, monkeypatch):
    index.add(folder)
    index._labeller.forget()
    monkeypatch.setattr(type(mini), "statistics", None)
    with pytest.raises(ModelError, match="lost the statistics"):
        index.query(image=folder / "cat.jpg")


def test_the_main_branch_goes_on_while_anything_below_it_is_shown(index, folder, mini):
    index.add(folder)
    vectors = mini.encode_photos([folder / name for name in sorted(stored(index))])
    for tree in index._labeller.get().trees(vectors):
        shown = {link.concept for link in tree.sure}
        assert bool(tree.chain) or not shown
        if tree.chain:
            assert not shown & set(index.vocabulary.children(tree.chain.concepts[-1]))


def test_a_cut_off_relabelling_is_finished_by_the_statistics_of_now(index, folder, mini):
    index.add(folder)
    now = stored(index)
    make_older(index)
    index._store.remember(trees="of an earlier version", labelled=False)
    assert add(index, folder) == {"relabelled": 3, "unchanged": 3}
    assert index.trees == mini.statistics.id
    assert stored(index) == now
