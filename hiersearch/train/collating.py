"""From rows of a data set to one batch, each distinct text tokenised once.

Stands in for the trainer's own collator, which tokenises column after column: the losses take both.
Rows hold `positive_1` ... `positive_T`, general to specific, and where there are negatives
`negative_1` ... `negative_T`; `photo`, an image or its path; and `label`. An empty text is a tier
that this row's hierarchy does not have, an empty path a photo.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from hiersearch.encoder.upright import upright
from hiersearch.errors import UsageError
from hiersearch.train.texts import POSITIONS

__all__ = ["HierarchyCollator", "text_columns"]

FROZEN = "frozen"
"""Key of (distinct texts, dim) vectors from before training, among a batch's features."""

PHOTO_ROWS = "rows"
"""Key of the (photos,) numbers of the rows that photos belong to, among a batch's features."""

_COLUMN = re.compile(r"(positive|negative)_([1-9][0-9]*)")


class HierarchyCollator:
    """Rows to the features that the losses take.

    Args:
        model: Tokenises the texts and prepares the photos.
        frozen: From texts to their vectors (n, dim) before training, where they are kept ready.
        photos: From photos to their vectors (n, dim), where no training changes them.
    """

    valid_label_columns: tuple[str, ...] = ("label",)

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        frozen: Callable[[Sequence[str]], Tensor] | None = None,
        photos: Callable[[Sequence[Any]], Tensor] | None = None,
    ) -> None:
        self._model = model
        self._frozen = frozen
        self._photos = photos
        # Otherwise a text such as "cat.jpg" would be opened, or fetched from the web.
        self._wrapped = model.supports("image")

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One batch.

        Args:
            rows: At least one; all with the same columns.

        Returns:
            `texts_*`: features of the distinct texts, the empty one last, and the (n, columns)
            row of each text among them; `photo_*`: features of the photos, where there are any, and
            the rows that they belong to; `label`.

        Raises:
            UsageError: If the columns are not those of hierarchies.
        """
        columns = text_columns(rows[0])
        row_of: dict[str, int] = {}
        positions = torch.empty((len(rows), len(columns)), dtype=torch.long)
        for number, row in enumerate(rows):
            for column, name in enumerate(columns):
                text = row[name]
                # Not yet known where the empty text stands, but it is last.
                positions[number, column] = row_of.setdefault(text, len(row_of)) if text else -1
        distinct = [*row_of, ""]
        positions[positions < 0] = len(row_of)
        inputs: list[Any] = [{"text": text} for text in distinct] if self._wrapped else distinct
        batch = _named("texts_", self._model.preprocess(inputs, prompt=None, task=None))
        batch[f"texts_{POSITIONS}"] = positions
        if self._frozen is not None:
            batch[f"texts_{FROZEN}"] = torch.as_tensor(self._frozen(distinct))
        shown = [number for number, row in enumerate(rows) if _has_photo(row)]
        if shown:
            batch |= _named("photo_", self._photo_features([rows[at]["photo"] for at in shown]))
            batch[f"photo_{PHOTO_ROWS}"] = torch.tensor(shown)
        if "label" in rows[0]:
            labels = [row["label"] for row in rows]
            stacked = isinstance(labels[0], Tensor)
            batch["label"] = torch.stack(labels) if stacked else torch.tensor(labels)
        return batch

    def _photo_features(self, photos: list[Any]) -> dict[str, Any]:
        if self._photos is not None:
            return {"sentence_embedding": torch.as_tensor(self._photos(photos))}
        images = [upright(photo) for photo in photos]
        features: dict[str, Any] = self._model.preprocess(images, prompt=None, task=None)
        return features


def text_columns(row: Mapping[str, Any]) -> list[str]:
    """Names of a row's columns of texts, in the order that the losses read.

    Raises:
        UsageError: If a tier is missing, there is but one, or the negatives have others.
    """
    found = {"positive": set[int](), "negative": set[int]()}
    for name in row:
        if match := _COLUMN.fullmatch(name):
            found[match[1]].add(int(match[2]))
    tiers = len(found["positive"])
    complete = set(range(1, tiers + 1))
    if tiers < 2 or found["positive"] != complete or found["negative"] not in (set(), complete):
        raise UsageError(
            f"these are not the columns of hierarchies: {', '.join(map(str, row)) or 'none'}",
            hint="Name them positive_1, positive_2, ... and, if there are any, negative_1, ...",
        )
    sides = [side for side in ("positive", "negative") if found[side]]
    return [f"{side}_{tier}" for side in sides for tier in range(1, tiers + 1)]


def _has_photo(row: Mapping[str, Any]) -> bool:
    photo = row.get("photo")
    return photo is not None and not (isinstance(photo, str) and not photo)


def _named(prefix: str, features: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in features.items()}
