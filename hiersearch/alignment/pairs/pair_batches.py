"""Batches of captioned photos: from row numbers to features.

A batch holds each distinct text once: the captions, the words for what they name, the texts of some
hierarchies, and the empty text last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.alignment.batches import Features
from hiersearch.alignment.pairs.pair_settings import PairSettings
from hiersearch.concepts import Mentions
from hiersearch.data.captioned_photos import CaptionedPhoto
from hiersearch.data.hierarchies import Hierarchy

__all__ = ["Look", "PairCollator", "PairData", "Shown"]

TIERS = 4
"""Tiers of the hierarchies that texts are aligned with."""

Look: TypeAlias = Callable[[Sequence[int], np.random.Generator], Features]
"""From numbers of photos to features of them."""


@dataclass(frozen=True)
class Shown:
    """What photos show, by their captions.

    Attributes:
        names: Of the concepts, by position in the vocabulary.
        of: For each photo the positions of the concepts that its captions name, and of those above.
        counts: How many photos show each concept.
    """

    names: Sequence[str]
    of: Sequence[frozenset[int]]
    counts: Mapping[int, int]

    def showing(self, name: str) -> list[bool]:
        """Whether each photo shows a concept, or a kind of it."""
        at = self.names.index(name)
        return [at in found for found in self.of]

    @classmethod
    def by_captions(
        cls, photos: Sequence[CaptionedPhoto], names: Sequence[str], mentions: Mentions
    ) -> Shown:
        """Read what photos show from their captions."""
        of = [frozenset().union(*map(mentions, photo.captions)) for photo in photos]
        return cls(names, of, Counter(at for found in of for at in found))


@dataclass(frozen=True)
class PairData:
    """What batches are made of.

    Attributes:
        photos: The captioned photos.
        shown: What they show; None where words are not trained on.
        hierarchies: To align the texts with, from each source.
        people: Whether each photo shows people, by its captions; None where it is not asked for.
    """

    photos: Sequence[CaptionedPhoto]
    shown: Shown | None
    hierarchies: Sequence[Sequence[Hierarchy]] = ()
    people: Sequence[bool] | None = None

    def texts(self) -> list[str]:
        """All texts, with repeats."""
        captions = [caption for photo in self.photos for caption in photo.captions]
        words = [self.shown.names[at] for at in self.shown.counts] if self.shown else []
        return [
            *captions,
            *words,
            *(text for each in self.hierarchies for one in each for text in _columns(one) if text),
        ]


class PairCollator:
    """Rows of photos' numbers to the features that `ImageTextLoss` takes.

    What a batch holds beside its photos is drawn by their numbers and the seed, so that a run that
    is resumed draws the same.

    Args:
        model: Tokenises the texts.
        data: What batches are made of.
        look: From numbers of photos to features of them.
        frozen: From texts to their vectors (n, dim) before training; None where nothing is compared
            with these.
        settings: Sizes of the parts.
    """

    valid_label_columns: tuple[str, ...] = ()

    def __init__(
        self,
        model: SentenceTransformer,
        data: PairData,
        look: Look,
        frozen: Callable[[Sequence[str]], Tensor] | None,
        settings: PairSettings,
    ) -> None:
        self._model = model
        self._data = data
        self._look = look
        self._frozen = frozen
        self._settings = settings

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One batch.

        Args:
            rows: Each with `photo`, its number, and `turn`, which differs whenever it comes again.

        Returns:
            `photo_*`: features of the photos, and `people` (n,), bool. `texts_*`: those of the
            distinct texts, and numbers of the rows among them: `captions` (n,), `words` (k,),
            `hierarchies` (h, 2T), with `present` (h, 2T) and `shown` (n, k), bool.
        """
        photos = [int(row["photo"]) for row in rows]
        turns = [int(row["turn"]) for row in rows]
        generator = np.random.default_rng([self._settings.seed, *photos[:8], *turns[:8]])
        row_of: dict[str, int] = {}

        def place(text: str) -> int:
            return row_of.setdefault(text, len(row_of))

        captions = [self._data.photos[photo].captions for photo in photos]
        drawn = [each[generator.integers(len(each))] for each in captions]
        batch: dict[str, Any] = {"texts_captions": torch.tensor([place(text) for text in drawn])}
        if self._settings.words and self._data.shown:
            words, shown = self._words(photos, self._data.shown, generator)
            batch["texts_words"] = torch.tensor([place(word) for word in words])
            batch["texts_shown"] = shown
        if self._settings.text_layers and self._data.hierarchies:
            columns = [_columns(one) for one in self._hierarchies(generator)]
            places = [[place(text) if text else -1 for text in each] for each in columns]
            batch["texts_hierarchies"] = torch.tensor(places)
            batch["texts_present"] = batch["texts_hierarchies"] >= 0
        texts = [*row_of, ""]
        if self._settings.text_layers:
            # Otherwise a text such as "cat.jpg" would be opened, or fetched from the web.
            inputs: list[Any] = [{"text": text} for text in texts]
            if not self._model.supports("image"):
                inputs = list(texts)
            prepared = self._model.preprocess(inputs, prompt=None, task=None)
            batch |= {f"texts_{name}": value for name, value in prepared.items()}
        if self._frozen is not None:
            batch["texts_frozen"] = self._frozen(texts)
        # The trainer finds what belongs together by a name that it knows.
        batch.setdefault("texts_input_ids", torch.zeros(len(texts), 0, dtype=torch.long))
        seen = dict(self._look(photos, generator))
        if self._data.people is not None:
            seen["people"] = torch.tensor([self._data.people[photo] for photo in photos])
        return batch | {f"photo_{name}": value for name, value in seen.items()}

    def _words(
        self, photos: Sequence[int], shown: Shown, generator: np.random.Generator
    ) -> tuple[list[str], Tensor]:
        """Words for what some of the photos show, general ones first of all, and of which."""
        found = sorted(frozenset().union(*(shown.of[photo] for photo in photos)))
        if len(found) > self._settings.word_count:
            weights = [shown.counts[at] * generator.random() ** 2 for at in found]
            order = np.argsort(weights)[::-1][: self._settings.word_count]
            found = [found[at] for at in sorted(order)]
        marks = [[at in shown.of[photo] for at in found] for photo in photos]
        return [shown.names[at] for at in found], torch.tensor(marks).reshape(len(photos), -1)

    def _hierarchies(self, generator: np.random.Generator) -> list[Hierarchy]:
        drawn = []
        for each in self._data.hierarchies:
            count = min(self._settings.hierarchy_count, len(each))
            drawn += [each[at] for at in generator.choice(len(each), count, replace=False)]
        return drawn


def _columns(hierarchy: Hierarchy) -> tuple[str, ...]:
    """Positives and negatives, general to specific; empty where there is no such tier."""
    sides = (hierarchy.positive, hierarchy.negative)
    return tuple(text for side in sides for text in (*side, *[""] * TIERS)[:TIERS])
