from __future__ import annotations

import numpy as np
import pytest

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.errors import (
    FilterError,
    IndexNotFoundError,
    ModelMismatchError,
    PhotosNotFoundError,
    StoreError,
    StoreLockedError,
    UnreadablePhotoError,
    UsageError,
)
from hiersearch.index import PhotoIndex
from tests.index.made import VOCABULARY, stored


def test_an_image_query_goes_from_general_to_specific(index, folder):
    index.add(folder)
    answer = index.query(image=folder / "cat.jpg", limit=2)
    assert [(level.level, level.concept, level.count) for level in answer.levels] == [
        (1, "animal", 1),
        (2, "cat", 1),
    ]
    assert answer.levels[1].photos[0].path == folder / "cat.jpg"
    assert answer.levels[1].photos[0].score == pytest.approx(1, abs=1e-5)
    assert len(answer.photos) == 2
    assert answer.photos[0].path == folder / "cat.jpg"


def test_a_text_query_finds_its_photos(index, folder):
    index.add(folder)
    answer = index.query("a motorcycle", levels=1, limit=1)
    assert [level.concept for level in answer.levels] == ["motorcycle"]
    assert answer.photos[0].path == folder / "motorcycle.jpg"


def test_answers_as_json_have_the_documented_shape(index, folder):
    index.add(folder)
    data = index.query("a cat", limit=1).to_json()
    assert data["version"] == 1
    assert data["query"] == "a cat"
    assert list(data) == ["version", "query", "levels", "photos", "branches", "notes"]
    assert data["notes"] == []
    assert list(data["levels"][0]) == [
        "level",
        "concept",
        "mass",
        "angle",
        "count",
        "sure",
        "photos",
    ]
    assert data["levels"][0]["photos"] == [
        {"path": str(folder / "cat.jpg"), "score": data["levels"][0]["photos"][0]["score"]}
    ]


def test_angles_are_the_geometry_of_the_vectors(index, folder, mini):
    index.add(folder)
    answer = index.query("a cat")
    root, child = mini.root.astype(float), mini.encode_texts(["a cat"])[0].astype(float)
    for level in answer.levels:
        parent = mini.encode_texts([level.concept])[0].astype(float)
        outward, onward = parent - root, child - parent
        cosine = outward @ onward / np.linalg.norm(outward) / np.linalg.norm(onward)
        assert level.angle == pytest.approx(np.arccos(cosine), abs=1e-3)


def test_where_filters_photos_and_counts(index, folder):
    index.add(folder)
    answer = index.query("a cat", where=["name=coffee.jpg"])
    assert [photo.path.name for photo in answer.photos] == ["coffee.jpg"]
    assert {level.count for level in answer.levels} == {0}
    assert index.concept_counts(["name=coffee.jpg"]) == {"coffee": 1, "drink": 1}


def test_concept_counts_include_ancestors(index, folder):
    index.add(folder)
    counts = index.concept_counts()
    assert (counts["animal"], counts["cat"], counts["vehicle"]) == (1, 1, 1)


def test_an_index_is_opened_again_as_it_was(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        expected = index.query("a cat").to_json()
    with PhotoIndex.open(tmp_path / "i", model=mini) as index:
        assert index.query("a cat").to_json() == expected
        assert index.vocabulary == VOCABULARY


def test_another_model_is_refused(tmp_path, folder, mini):
    class Other:
        name, id = "other", "another-id"

        def __eq__(self, value):
            return self is value

    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        index.__dict__.pop("_encoder", None)
        index._given = Other()
        with pytest.raises(ModelMismatchError, match="was made with mini"):
            index.query("a cat")


def test_no_index_and_two_indexes_in_one_place_are_errors(tmp_path, folder, mini):
    with pytest.raises(IndexNotFoundError):
        PhotoIndex.open(tmp_path / "nowhere")
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
    with pytest.raises(StoreError, match="already"):
        PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY)
    with PhotoIndex.create(tmp_path / "i", exist_ok=True) as index:
        assert index.photo_count == 3
    with pytest.raises(UsageError, match="another vocabulary"):
        PhotoIndex.create(tmp_path / "i", concepts="builtin", exist_ok=True)


def test_an_index_without_photos_is_made_anew(tmp_path, folder, mini):
    other = Vocabulary([Concept("pet", "pet"), Concept("cat", "cat", ("pet",))], "x")
    PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY).close()
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=other, exist_ok=True) as index:
        index.add(folder)
        assert stored(index)["cat.jpg"]["chain"] == ["pet", "cat"]


def test_a_second_opener_is_told_that_the_index_is_locked(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(tmp_path / "i", model=mini)
    with PhotoIndex.open(tmp_path / "i") as third:
        assert third.info().photos == 3


def test_an_index_without_photos_says_so(index):
    with pytest.raises(PhotosNotFoundError, match="holds no photos yet"):
        index.query("a cat")
    assert index.info().photos == 0


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, UsageError),
        ({"text": "cat", "image": "cat.jpg"}, UsageError),
        ({"text": "  "}, UsageError),
        ({"text": "cat", "levels": 0}, UsageError),
        ({"text": "cat", "limit": -1}, UsageError),
        ({"text": "cat", "where": ["nonsense"]}, FilterError),
        ({"image": "nowhere.png"}, UnreadablePhotoError),
    ],
)
def test_queries_that_make_no_sense(index, folder, query, error):
    index.add(folder)
    with pytest.raises(error):
        index.query(**query)


def test_a_locked_index_is_not_changed(tmp_path, folder, mini):
    with PhotoIndex.create(tmp_path / "i", model=mini, concepts=VOCABULARY) as index:
        index.add(folder)
        with pytest.raises(StoreLockedError):
            PhotoIndex.open(tmp_path / "i").add(concepts=Vocabulary([Concept("x", "x")], "x"))
        assert index.query("a cat").levels
    with PhotoIndex.open(tmp_path / "i") as index:
        assert index.vocabulary == VOCABULARY


def test_a_named_concept_is_the_last_level(index, folder):
    words = Vocabulary(
        [
            Concept("animal", "animal"),
            Concept("dog", "dog", ("animal",)),
            Concept("cat", "cat", ("animal",), synonyms=("小猫", "grimalkin")),
            Concept("pet", "pet"),
            Concept("food", "food"),
            Concept("frank", "frankfurter", ("food",), synonyms=("hot dog",)),
        ],
        "x",
    )
    index.add(folder, concepts=words)
    for text, path in {
        "a hot dog": ["food", "frankfurter"],
        "hot-dogs": ["food", "frankfurter"],
        "a cat on a sofa": ["animal", "cat"],
        "grimalkins": ["animal", "cat"],
        "dogs": ["animal", "dog"],
    }.items():
        answer = index.query(text)
        assert [level.concept for level in answer.levels] == path, text
        assert {level.mass for level in answer.levels} == {1.0}
        assert answer.notes == ()
    assert [level.concept for level in index.query("a hot dog", levels=1).levels] == ["frankfurter"]
    answer = index.query("小猫")
    assert [level.concept for level in answer.levels] == ["animal", "cat"]
    assert answer.photos[0].path.name == "cat.jpg"
    expected = [photo.score for photo in index.query("cat").photos]
    assert [photo.score for photo in answer.photos] == pytest.approx(expected, abs=1e-5)
    assert "the vocabulary does" in answer.notes[0]


def test_over_names_without_parents_a_named_concept_is_the_last_level_too(index, folder):
    words = ["animal", "cat", "dog", "vehicle", "motorcycle", "drink", "coffee"]
    index.add(folder, concepts=Vocabulary([Concept(word, word) for word in words], "x"))
    for text, concept in {"two cats": "cat", "a dog": "dog", "motor-cycle": "motorcycle"}.items():
        levels = index.query(text).levels
        assert levels[-1].concept == concept
        assert {level.mass for level in levels} == {None}
        assert len({level.concept for level in levels}) == len(levels)
    by_vector = index.query("something to ride").levels
    assert by_vector


def test_what_the_model_does_not_know_has_no_levels_and_is_said(index, folder):
    index.add(folder)
    for text in ("asdfghjkl", "🐶"):
        answer = index.query(text)
        assert answer.levels == ()
        assert len(answer.photos) == 3
        assert answer.to_json()["notes"] == list(answer.notes) != []
    answer = index.query("a cat 🐶")
    assert [level.concept for level in answer.levels] == ["animal", "cat"]
    assert "does not know '🐶'" in answer.notes[0]
    assert index.query("something with wheels").to_json()["notes"] == []
    assert index.query(image=folder / "cat.jpg").notes == ()


def test_a_name_of_two_concepts_is_answered_by_the_likelier_and_refused_as_a_condition(
    index, folder
):
    words = Vocabulary(
        [
            Concept("m1", "motorcycle"),
            Concept("m2", "cat", ("m1",)),
            Concept("a", "animal"),
            Concept("c", "cat", ("a",)),
        ],
        "x",
    )
    index.add(folder, concepts=words)
    levels = index.query("an animal like a cat").levels
    assert [level.concept_id for level in levels] == ["a", "c"]
    with pytest.raises(FilterError, match="2 concepts are called 'cats'"):
        index.query("something", where=["concept=cats"])
    assert index.query("something", where=["concept=c"]).photos[0].path.name == "cat.jpg"
    assert index.query("something", where=["concept=m2"]).photos != index.query("something").photos


def test_where_takes_a_concept_by_its_name(index, folder):
    named = Vocabulary([Concept("n1", "animal"), Concept("n2", "Cat", ("n1",))], "x")
    index.add(folder, concepts=named)
    (photo,) = index.query("something", where=["concept=cat"]).photos
    assert photo.path.name == "cat.jpg"
    assert index.query("something", where=["concept=CATS"]).photos == (photo,)
    others = index.query("something", where=["concept!=cats"]).photos
    assert {other.path.name for other in others} == {"coffee.jpg", "motorcycle.jpg"}
    with pytest.raises(FilterError, match="no concept 'unicorn'"):
        index.query("something", where=["concept=unicorn"])
