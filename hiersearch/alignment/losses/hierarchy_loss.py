"""What the losses share: from a batch's features to hierarchies of vectors.

Subclasses add the tensor-only part, `from_vectors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from hiersearch.alignment.batches import (
    FROZEN,
    PHOTO_ROWS,
    POSITIONS,
    Features,
    embed_texts,
    empty_text,
    unit_rows,
)
from hiersearch.alignment.losses.regulariser import FrozenEncoder, FrozenSource, drift
from hiersearch.alignment.losses.roots import LearnedRoot, Root
from hiersearch.errors import UsageError
from hiersearch.geometry import COINCIDENT_DISTANCE, root_distance

__all__ = [
    "Hierarchies",
    "HierarchyLoss",
    "Regularised",
]

Regularised = Literal["all", "positives"]
"""Which texts the regulariser counts: all (the authors' code), or the positives (their paper)."""

_PHOTO_KEYS = ("pixel_values", "sentence_embedding")


@dataclass(frozen=True)
class Hierarchies:
    """A batch as vectors of length 1.

    Attributes:
        positives: (n, T, dim), general to specific.
        negatives: (n, T, dim); None where there are none.
        root: (dim,), of any length.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.
        photos: (n, dim), of the most specific tier; None where there are none.
        has_photos: (n,) bool, False for hierarchies without one; None where all have one.
        frozen: (n, T or 2T, dim), positives and negatives before training; None where not needed.
    """

    positives: Tensor
    negatives: Tensor | None
    root: Tensor
    has_positives: Tensor
    has_negatives: Tensor | None
    photos: Tensor | None = None
    has_photos: Tensor | None = None
    frozen: Tensor | None = None


class HierarchyLoss(nn.Module):
    """A loss over hierarchies of texts.

    The columns of a batch are positive_1 ... positive_T, then negative_1 ... negative_T where there
    are negatives, then a column of photos where there is one: as the trainer's own collator makes
    them in that order, or as `HierarchyCollator` does. Tiers that a hierarchy does not have are
    empty texts, and count for nothing.

    Args:
        model: The model to train.
        root: What angles are measured from; by default the empty text, moving with the weights.
        negatives: Whether the columns hold negatives.
        regulariser: Coefficient of the regulariser, at least 0; 0 leaves it out.
        regularised: Which texts it counts.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0, or a choice is none of those there are.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        root: Root | None,
        negatives: bool,
        regulariser: float,
        regularised: Regularised,
        frozen: FrozenSource,
    ) -> None:
        super().__init__()
        self.model: nn.Module = model
        self.root: Root = LearnedRoot() if root is None else root
        self.negatives = negatives
        self.regulariser = not_negative("regulariser", regulariser)
        if regularised not in ("all", "positives"):
            raise UsageError(f"the regulariser counts all or positives, not {regularised!r}")
        self.regularised = regularised
        if not callable(frozen) and frozen not in ("copy", "given"):
            raise UsageError(f"vectors before training come by copy or given, not by {frozen!r}")
        self._given = frozen
        copied = frozen == "copy" and self.regulariser > 0
        self.frozen = FrozenEncoder(model) if copied else None
        self._empty = empty_text(model)

    def forward(
        self, sentence_features: Iterable[Features], labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The loss in parts, to be summed.

        Args:
            sentence_features: Of each column; or of the distinct texts, and of the photos.
            labels: Passed on to `frozen`, or the frozen vectors (n, columns, dim) themselves.

        Returns:
            Scalars, each with its coefficient.

        Raises:
            UsageError: If the columns are not those of hierarchies, or frozen vectors are missing.
        """
        hierarchies = self._embed(list(sentence_features), labels)
        with torch.autocast(hierarchies.root.device.type, enabled=False):
            return self.from_vectors(hierarchies)

    def from_vectors(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The tensor-only part of `forward`."""
        raise NotImplementedError

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        return {
            "root": type(self.root).__name__,
            "negatives": self.negatives,
            "regulariser": self.regulariser,
            "regularised": self.regularised,
        }

    def _regularised(
        self, hierarchies: Hierarchies, rows: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The regulariser, if there is to be one, over some rows, (n,) bool, or all."""
        if not self.regulariser:
            return {}
        return {"regulariser": self.regulariser * self._drift(hierarchies, rows)}

    def _drift(self, hierarchies: Hierarchies, rows: Tensor | None) -> Tensor:
        if hierarchies.frozen is None:
            raise UsageError(
                "the batch does not hold the vectors before training",
                hint='Choose frozen="copy", or regulariser=0',
            )
        vectors, present = hierarchies.positives, hierarchies.has_positives
        frozen = hierarchies.frozen[:, : vectors.shape[1]]
        if self.regularised == "all" and hierarchies.negatives is not None:
            assert hierarchies.has_negatives is not None
            vectors = torch.cat([vectors, hierarchies.negatives], dim=1)
            present = torch.cat([present, hierarchies.has_negatives], dim=1)
            frozen = hierarchies.frozen
        if rows is not None:
            present = present & rows[:, None]
        return drift(vectors, frozen, present=present)

    def _embed(self, columns: list[Features], labels: Tensor | None) -> Hierarchies:
        shown = dict(columns.pop()) if columns and _is_photo(columns[-1]) else None
        if not columns:
            raise UsageError("the batch has no texts")
        columns = [dict(features) for features in columns]
        table = columns[0].pop(FROZEN, None) if POSITIONS in columns[0] else None
        positions = columns[0].get(POSITIONS)
        tiers = self._tiers(len(columns) if positions is None else positions.shape[1])
        photos, has_photos = self._photos(shown, columns[0])
        needed = self._needs_frozen(photos=photos is not None and has_photos is None)
        given = None
        if needed:
            given = self._given_vectors(labels) if table is None else table[positions]
        texts = embed_texts(
            self.model,
            columns,
            self._empty,
            frozen=self.frozen if needed and given is None else None,
        )
        vectors = texts.columns
        if given is not None and given.shape != vectors.shape:
            raise UsageError(
                f"the vectors before training have the shape {tuple(given.shape)}, "
                f"the batch {tuple(vectors.shape)}"
            )
        present = root_distance(vectors.detach(), texts.empty.detach()) > COINCIDENT_DISTANCE
        return Hierarchies(
            positives=vectors[:, :tiers],
            negatives=vectors[:, tiers:] if self.negatives else None,
            root=self.root(texts.empty),
            has_positives=present[:, :tiers],
            has_negatives=present[:, tiers:] if self.negatives else None,
            photos=photos,
            has_photos=has_photos,
            frozen=texts.frozen if given is None else given,
        )

    def _needs_frozen(self, *, photos: bool) -> bool:
        """Whether a batch is regularised, of whose hierarchies all have photos, or not all."""
        del photos
        return self.regulariser > 0

    def _tiers(self, columns: int) -> int:
        tiers, left = divmod(columns, 2) if self.negatives else (columns, 0)
        if tiers < 2 or left:
            raise UsageError(
                f"a batch of {columns} columns of texts holds no hierarchies "
                f"{'with' if self.negatives else 'without'} negatives",
                hint="Give positive_1, positive_2, ..., then as many negatives or negatives=False",
            )
        return tiers

    def _photos(
        self, features: Features | None, texts: Features
    ) -> tuple[Tensor | None, Tensor | None]:
        """(n, dim), of length 1, 0 where a row has no photo; and (n,), which have, if not all.

        Vectors that are there already are taken as they are.
        """
        if features is None:
            return None, None
        rows = features.pop(PHOTO_ROWS, None)
        if "sentence_embedding" not in features:
            features = self.model(features)
        vectors = unit_rows(features["sentence_embedding"])
        count = len(vectors) if rows is None else len(texts[POSITIONS])
        if len(vectors) == count:
            return vectors, None
        has_photos = torch.zeros(count, dtype=torch.bool, device=vectors.device)
        has_photos[rows] = True
        return vectors.new_zeros((count, vectors.shape[1])).index_copy(0, rows, vectors), has_photos

    def _given_vectors(self, labels: Tensor | None) -> Tensor | None:
        if callable(self._given):
            return self._given(labels)
        if labels is None or self._given != "given" or not labels.is_floating_point():
            return None
        return labels


def not_negative(name: str, value: float) -> float:
    """The value.

    Raises:
        UsageError: If it is below 0, or not finite.
    """
    if not 0.0 <= value < float("inf"):
        raise UsageError(f"{name} is {value}, which is not a number from 0 up")
    return float(value)


def _is_photo(features: Features) -> bool:
    return "input_ids" not in features and any(key in features for key in _PHOTO_KEYS)
