from __future__ import annotations

import pytest
import torch
from PIL import Image

from hiersearch.alignment.batches import HierarchyCollator, require_order, text_columns
from hiersearch.errors import UsageError


def test_each_distinct_text_is_tokenised_once(tiny):
    rows = [
        {"positive_1": "animal", "positive_2": "a goat", "negative_1": "plant", "negative_2": ""},
        {"positive_1": "animal", "positive_2": None, "negative_1": "a goat", "negative_2": "car"},
    ]
    batch = HierarchyCollator(tiny)(rows)

    distinct = ["animal", "a goat", "plant", "car", ""]
    expected = tiny.preprocess(distinct)
    assert torch.equal(batch["texts_input_ids"], expected["input_ids"])
    assert batch["texts_positions"].tolist() == [[0, 1, 2, 4], [0, 4, 1, 3]]
    assert "label" not in batch


def test_labels_and_frozen_vectors_come_along(tiny):
    rows = [{"positive_1": "animal", "positive_2": "a goat", "label": n} for n in (7, 5)]
    asked = []

    def frozen(texts):
        asked.append(list(texts))
        return torch.arange(len(texts) * 2.0).reshape(-1, 2)

    batch = HierarchyCollator(tiny, frozen=frozen)(rows)
    assert batch["label"].tolist() == [7, 5]
    assert asked == [["animal", "a goat", ""]]
    assert batch["texts_frozen"].shape == (3, 2)


def test_photos_and_texts_that_look_like_files(mini):
    photo = Image.new("RGB", (60, 40), (200, 0, 0))
    rows = [{"positive_1": "animal", "positive_2": "cat.jpg", "photo": photo}] * 2
    batch = HierarchyCollator(mini.model)(rows)
    assert batch["photo_pixel_values"].shape[0] == 2
    assert batch["photo_rows"].tolist() == [0, 1]
    assert batch["texts_modality"] == "text"


def test_some_rows_have_photos(tiny):
    named = [{"positive_1": "animal", "positive_2": "a goat", "photo": p} for p in ("", "x", None)]

    def vectors(photos):
        assert photos == ["x"]
        return torch.ones(1, 2)

    batch = HierarchyCollator(tiny, photos=vectors)(named)
    assert batch["photo_sentence_embedding"].tolist() == [[1.0, 1.0]]
    assert batch["photo_rows"].tolist() == [1]
    assert not any(key.startswith("photo") for key in HierarchyCollator(tiny)(named[:1]))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("positive_2 positive_1", "positive_1 positive_2"),
        ("label positive_1 positive_2 photo", "positive_1 positive_2"),
        (
            "negative_1 positive_1 negative_2 positive_2",
            "positive_1 positive_2 negative_1 negative_2",
        ),
        (
            " ".join(f"positive_{tier}" for tier in range(11, 0, -1)),
            " ".join(f"positive_{tier}" for tier in range(1, 12)),
        ),
    ],
)
def test_columns_are_in_the_order_that_losses_read(columns, expected):
    assert text_columns(dict.fromkeys(columns.split(), "")) == expected.split()


@pytest.mark.parametrize(
    "columns",
    [
        "",
        "positive_1",
        "positive_1 positive_3",
        "positive_0 positive_1",
        "positive_1 positive_2 negative_1",
        "negative_1 negative_2",
        "anchor positive",
    ],
)
def test_other_columns_are_refused(columns):
    with pytest.raises(UsageError, match="not the columns"):
        text_columns(dict.fromkeys(columns.split(), ""))


@pytest.mark.parametrize(
    "columns",
    [
        "positive_1 positive_2 negative_1 negative_2",
        "label positive_1 positive_2 photo",
        "anchor positive negative",
        "",
        "positive_1 text",
    ],
)
def test_an_order_that_losses_read(columns):
    require_order(columns.split())


@pytest.mark.parametrize(
    "columns",
    [
        "positive_2 positive_1",
        "positive_1 negative_1 positive_2 negative_2",
        "negative_1 negative_2 positive_1 positive_2",
        "positive_1 positive_10 positive_2 positive_3 positive_4 positive_5 positive_6 positive_7 "
        "positive_8 positive_9",
    ],
)
def test_another_order_is_named(columns):
    with pytest.raises(UsageError) as caught:
        require_order(columns.split())

    assert f"in the order {', '.join(columns.split())}" in caught.value.message
    assert f"read as {', '.join(text_columns(dict.fromkeys(columns.split())))}" in str(caught.value)
