"""The loss over hierarchies: from a batch's features to vectors, terms and the regulariser.

`HierarchyLoss` is the same for all losses; what they differ in is its `Terms`, a function of
vectors alone. The classes that users name (`RadialEmbeddingLoss` and others) only put the two
together.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from hiersearch.alignment.batches import (
    FROZEN,
    PHOTO_ROWS,
    POSITIONS,
    Features,
    embed_texts,
    empty_text,
    require_order,
    unit_rows,
)
from hiersearch.alignment.losses.roots import LearnedRoot, Root
from hiersearch.errors import UsageError
from hiersearch.geometry import COINCIDENT_DISTANCE, root_distance

__all__ = [
    "FrozenEncoder",
    "FrozenSource",
    "Hierarchies",
    "HierarchyLoss",
    "Regularised",
    "Terms",
    "drift",
    "masked_mean",
    "not_negative",
]

FrozenSource: TypeAlias = Literal["copy", "given"] | Callable[[Tensor | None], Tensor]
"""Where the embeddings before training come from.

    "copy"      a copy of the model, made now and run in each step
    "given"     they come with each batch: from `HierarchyCollator`, or as its labels
    a function  from the batch's labels to (n, columns, dim)
"""

Regularised = Literal["all", "positives"]
"""Which texts the regulariser counts: all (the authors' code), or the positives (their paper)."""

_PHOTO_KEYS = ("pixel_values", "sentence_embedding")


@dataclass(frozen=True)
class Hierarchies:
    """A batch as vectors of length 1.

    Attributes:
        positives: (n, T, dim), general to specific.
        negatives: (n, T, dim); None if there are none.
        root: (dim,), of any length.
        has_positives: (n, T) bool, False for tiers that a hierarchy does not have.
        has_negatives: (n, T) bool, likewise.
        photos: (n, dim), of the most specific tier; None if there are none.
        has_photos: (n,) bool, False for hierarchies without one; None if all have one.
        frozen: (n, T or 2T, dim), positives and negatives before training; None if not needed.
    """

    positives: Tensor
    negatives: Tensor | None
    root: Tensor
    has_positives: Tensor
    has_negatives: Tensor | None
    photos: Tensor | None = None
    has_photos: Tensor | None = None
    frozen: Tensor | None = None


class Terms(Protocol):
    """What a loss asks of a batch's vectors. Implementations are frozen dataclasses.

    The fields of the dataclass are the settings that the model card shows.
    """

    def __call__(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The parts of the loss by name, each a scalar with its coefficient."""
        ...


class HierarchyLoss(nn.Module):
    """The parts of some terms, and regulariser·L_reg.

    The columns of a batch are positive_1 ... positive_T, then negative_1 ... negative_T if there
    are negatives, then a column of photos if there is one: from sentence-transformers' own
    collator, which keeps the order of the data set's columns, or from `HierarchyCollator`, which
    finds them by name. Tiers that a hierarchy does not have are empty texts, and are ignored.

    Args:
        model: The model to train.
        terms: What is asked of the vectors.
        root: What angles are measured from; by default the empty text, moving with the weights.
        negatives: Whether the columns hold negatives.
        regulariser: Coefficient of the regulariser, at least 0; 0 leaves it out.
        regularised: Which texts it counts.
        regularise_photos: Whether it counts hierarchies that have a photo.
        frozen: Where the vectors before training come from.

    Raises:
        UsageError: If a coefficient is below 0, or a choice is not one of those listed.

    Examples:
        A loss that this package does not have: another cost for the same triples::

            @dataclass(frozen=True)
            class SquaredAngle:
                def __call__(self, angles, distances, sign):
                    return sign * angles**2

            loss = HierarchyLoss(model, TripleTerms(SquaredAngle(), minimax=0.5))
    """

    citation: ClassVar[str] = ""
    """BibTeX of the paper that describes the loss; model cards show it."""

    def __init__(
        self,
        model: SentenceTransformer,
        terms: Terms,
        *,
        root: Root | None = None,
        negatives: bool = True,
        regulariser: float = 10.0,
        regularised: Regularised = "all",
        regularise_photos: bool = True,
        frozen: FrozenSource = "copy",
    ) -> None:
        super().__init__()
        self.model: nn.Module = model
        self.terms = terms
        self.root: Root = LearnedRoot() if root is None else root
        self.negatives = negatives
        self.regulariser = not_negative("regulariser", regulariser)
        if regularised not in ("all", "positives"):
            raise UsageError(f"the regulariser counts all or positives, not {regularised!r}")
        self.regularised = regularised
        self.regularise_photos = regularise_photos
        if not callable(frozen) and frozen not in ("copy", "given"):
            raise UsageError(f"vectors before training come by copy or given, not by {frozen!r}")
        self._given = frozen
        copied = frozen == "copy" and self.regulariser > 0
        self.frozen = FrozenEncoder(model) if copied else None
        self._empty = empty_text(model)
        self._card = model.model_card_data

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
            return self.terms(hierarchies) | self._regulariser(hierarchies)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings that the model card shows."""
        return {
            **_settings(self.terms),
            "root": type(self.root).__name__,
            "negatives": self.negatives,
            "regulariser": self.regulariser,
            "regularised": self.regularised,
            "regularise_photos": self.regularise_photos,
        }

    def _regulariser(self, hierarchies: Hierarchies) -> dict[str, Tensor]:
        """The regulariser, unless its coefficient is 0 or no hierarchy of the batch counts."""
        rows = None  # all of them
        if hierarchies.photos is not None and not self.regularise_photos:
            if hierarchies.has_photos is None:
                return {}
            rows = ~hierarchies.has_photos
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
        collated = POSITIONS in columns[0]
        if not collated:
            self._require_order()
        table = columns[0].pop(FROZEN, None) if collated else None
        positions = columns[0].get(POSITIONS)
        tiers = self._tiers(len(columns) if positions is None else positions.shape[1])
        photos, has_photos = self._photos(shown, columns[0])
        every_one_shown = photos is not None and has_photos is None
        needed = self.regulariser > 0 and (self.regularise_photos or not every_one_shown)
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

    def _require_order(self) -> None:
        """Check the order of the columns by name, if a trainer told the model card of its data.

        Features come without names; the stock trainer writes those of the columns there.
        """
        datasets: list[dict[str, Any]] = self._card.train_datasets
        for data in datasets:
            if len(datasets) > 1 and type(self).__name__ not in str(data.get("loss")):
                continue  # another loss's
            names: list[str] = list(data.get("columns", ()))
            require_order([name.removeprefix("<code>").removesuffix("</code>") for name in names])

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

        Vectors that were computed beforehand are taken as they are.
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


class FrozenEncoder(nn.Module):
    """A copy of a model that is never trained: no gradients, no dropout, no batch statistics.

    Args:
        model: A model as sentence-transformers' losses hold it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(model).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever is asked."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """What the model gives for these features."""
        found: dict[str, Any] = self.encoder(features)
        return found


def drift(vectors: Tensor, frozen: Tensor, *, present: Tensor | None = None) -> Tensor:
    """L_reg = (1 − mean cos(E, E_frozen)) / 2: how far texts have moved since before training.

    Alper & Averbuch-Elor 2024, section 6 and supplement B.4; the prior preservation of Sastry et
    al. 2025 is the same.

    Args:
        vectors: (..., dim).
        frozen: (..., dim), before training.
        present: (...,) bool, False for those that do not count.

    Returns:
        In [0, 1]; 0 if nothing has moved.
    """
    cosines = cosine_similarity(vectors, frozen.to(vectors), dim=-1)
    if present is None:
        present = torch.ones_like(cosines, dtype=torch.bool)
    return masked_mean((1.0 - cosines) / 2.0, present)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask is True; 0 if it is True nowhere."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


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


def _settings(part: Any) -> dict[str, Any]:
    """The fields of a dataclass, and in their place those of the dataclasses among them."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        found |= _settings(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return found
