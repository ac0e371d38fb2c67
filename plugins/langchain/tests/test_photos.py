from __future__ import annotations

import json

import pytest
from hiersearch import PhotoIndex
from hiersearch.errors import FilterError, PhotosNotFoundError, UsageError
from hiersearch.photos import path_to_text
from pydantic import ValidationError

from langchain_hiersearch import PhotoRetriever

KEYS = {"path", "copies", "level", "concept", "concept_id", "mass", "angle", "count", "score"}


def test_the_most_specific_photos_come_first_and_each_once(index, photos):
    documents = PhotoRetriever(index=index, k=50).invoke("a cat")
    answer = index.query("a cat", levels=4, limit=50)
    expected: dict[str, int] = {}
    for level in sorted(answer.levels, key=lambda level: -level.level):
        for photo in level.photos:
            expected.setdefault(path_to_text(photo.path), level.level)
    for photo in answer.photos:
        expected.setdefault(path_to_text(photo.path), 0)
    found = {document.metadata["path"]: document.metadata["level"] for document in documents}
    assert list(found.items()) == list(expected.items())
    assert len(documents) == len(list(photos.iterdir()))


def test_a_document_says_where_it_stands(index, photos):
    first, *_ = PhotoRetriever(index=index, k=3).invoke("a cat")
    *_, level = index.query("a cat").levels
    path = path_to_text(photos / "cat.jpg")
    assert first.page_content == "cat.jpg: animal > mammal > cat"
    assert first.id == path
    assert first.metadata == {
        "path": path,
        "copies": [],
        "level": 3,
        "concept": "cat",
        "concept_id": level.concept_id,
        "mass": level.mass,
        "angle": level.angle,
        "count": level.count,
        "score": level.photos[0].score,
    }
    assert json.loads(json.dumps(first.metadata)) == first.metadata


def test_photos_under_no_level_have_no_concept(index):
    documents = PhotoRetriever(index=index, k=50, levels=1).invoke("a cat")
    rest = [document for document in documents if not document.metadata["level"]]
    assert rest
    for document in rest:
        assert set(document.metadata) == KEYS
        nothing = ("concept", "concept_id", "mass", "angle", "count")
        assert [document.metadata[key] for key in nothing] == [None] * 5
        assert document.page_content == document.metadata["path"].rsplit("/", 1)[-1]
    scores = [document.metadata["score"] for document in rest]
    assert scores == sorted(scores, reverse=True)


def test_conditions_hold_at_every_level(index):
    retriever = PhotoRetriever(index=index, k=50, where=("name!=cat.jpg", "width>500"))
    names = [document.page_content.split(":")[0] for document in retriever.invoke("a cat")]
    assert names
    assert "cat.jpg" not in names
    with pytest.raises(FilterError):
        PhotoRetriever(index=index, where=("colour=red",)).invoke("a cat")


def test_bad_numbers_and_queries_are_refused(index):
    for wrong in ({"k": 0}, {"levels": 0}):
        with pytest.raises(ValidationError):
            PhotoRetriever(index=index, **wrong)
    with pytest.raises(UsageError, match="k is 0"):
        PhotoRetriever(index=index).invoke("a cat", k=0)
    with pytest.raises(UsageError, match="empty"):
        PhotoRetriever(index=index).invoke("  ")


def test_an_empty_index_says_so(encoder, tmp_path):
    with (
        PhotoIndex.create(tmp_path / "index", model=encoder) as empty,
        pytest.raises(PhotosNotFoundError),
    ):
        PhotoRetriever(index=empty).invoke("a cat")


async def test_batches_and_async_calls_give_what_single_calls_give(index):
    retriever = PhotoRetriever(index=index, k=2)
    queries = ["a cat", "coffee", "a motorcycle", "a temple"]
    expected = [retriever.invoke(query) for query in queries]
    assert retriever.batch(queries) == expected
    assert await retriever.abatch(queries) == expected
    assert await retriever.ainvoke("a cat", k=1) == expected[0][:1]


def test_it_is_a_step_of_a_chain(index):
    names = PhotoRetriever(index=index, k=2) | (lambda found: [one.page_content for one in found])
    assert names.invoke("a cat")[0].startswith("cat.jpg")
