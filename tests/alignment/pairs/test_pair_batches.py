"""Batches of captioned photos."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hiersearch.alignment.pairs.pair_batches import PairCollator, PairData, Shown
from hiersearch.alignment.pairs.pair_settings import PairSettings
from hiersearch.concepts import Concept, Mentions, Vocabulary
from hiersearch.data.captioned_photos import CaptionedPhoto
from hiersearch.data.hierarchies import Hierarchy

VOCABULARY = Vocabulary(
    [Concept("a", "animal"), Concept("c", "cat", ("a",)), Concept("d", "dog", ("a",))], "words"
)
PHOTOS = [
    CaptionedPhoto(Path("0.png"), ("a cat on the sea", "a grey cat")),
    CaptionedPhoto(Path("1.png"), ("a red dog",)),
    CaptionedPhoto(Path("2.png"), ("a big house",)),
]
HIERARCHY = Hierarchy(("animal", "cat", "a grey cat"), ("vehicle", "dog", "a red dog"))
ROWS = [{"photo": number, "turn": 0} for number in (1, 0, 2)]


def settings(**changes) -> PairSettings:
    chosen = {"words": 1.0, "text_layers": 1, "batch_size": 3, **changes}
    return PairSettings(data="captions.csv", photos="photos", **chosen)


@pytest.fixture
def collate(tiny):
    shown = Shown.by_captions(PHOTOS, VOCABULARY.names, Mentions(VOCABULARY))
    data = PairData(PHOTOS, shown, [[HIERARCHY]], shown.showing("dog"))

    def frozen(texts):
        assert texts[-1] == ""
        return torch.tensor([[float(len(text))] for text in texts])

    def look(photos, generator):
        return {"sentence_embedding": torch.tensor([[float(photo)] for photo in photos])}

    def make(**changes):
        return PairCollator(tiny, data, look, frozen, settings(**changes))(ROWS)

    return make


def texts_of(batch, tiny) -> list[str]:
    tokenizer = tiny[0].tokenizer
    return [tokenizer.decode(row, skip_special_tokens=True) for row in batch["texts_input_ids"]]


def test_a_batch(collate, tiny):
    batch = collate()
    texts = texts_of(batch, tiny)

    assert len(texts) == len(set(texts))
    assert texts[-1] == ""
    captions = [texts[row] for row in batch["texts_captions"]]
    assert captions[0] == "a red dog"
    assert captions[1] in PHOTOS[0].captions
    words = [texts[row] for row in batch["texts_words"]]
    shown = {
        (number, word)
        for number, marks in enumerate(batch["texts_shown"])
        for word, mark in zip(words, marks, strict=True)
        if mark
    }
    assert shown == {(0, "animal"), (0, "dog"), (1, "animal"), (1, "cat")}
    assert batch["photo_sentence_embedding"].flatten().tolist() == [1.0, 0.0, 2.0]


def test_which_photos_show_people(collate):
    assert collate()["photo_people"].tolist() == [True, False, False]


def test_hierarchies_have_four_tiers_on_each_side(collate, tiny):
    batch = collate()
    texts = texts_of(batch, tiny)
    rows, present = batch["texts_hierarchies"], batch["texts_present"]

    assert rows.shape == (1, 8)
    assert present.tolist() == [[True, True, True, False, True, True, True, False]]
    named = [texts[row] for row in rows[0]]
    assert named[:4] == ["animal", "cat", "a grey cat", ""]


def test_words_are_few_at_most(collate, tiny):
    batch = collate(word_count=1)

    assert batch["texts_words"].shape == (1,)
    assert batch["texts_shown"].shape == (3, 1)


def test_a_locked_text_tower_needs_no_tokens(collate):
    batch = collate(text_layers=0)

    assert batch["texts_input_ids"].shape[1] == 0
    assert "texts_hierarchies" not in batch
    assert len(batch["texts_frozen"]) == len(batch["texts_input_ids"])


def test_the_same_rows_give_the_same_batch(collate):
    one, two = collate(), collate()

    assert all(torch.equal(one[name], two[name]) for name in one if torch.is_tensor(one[name]))
