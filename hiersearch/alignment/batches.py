"""Batches of hierarchies: from rows to features, and from features to vectors.

Rows hold `positive_1` ... `positive_T`, general to specific, and optionally `negative_1` ...
`negative_T`; `photo`, an image or its path; and `label`. An empty text is a tier that this row's
hierarchy does not have; an empty path is a photo that it does not have.

A third of a batch's texts are repeats (*animal* over and over), and most are far shorter than the
longest. So `HierarchyCollator` tokenises each distinct text once, and `embed_texts` passes them
through the model in groups of similar length. `embed_texts` also takes the batches of the stock
collator, which come column by column: it merges them, or if a model's features cannot be merged,
embeds each column by itself. The vectors are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.merged_forward import merge_feature_batches
from torch import Tensor, nn
from torch.nn.functional import normalize

from hiersearch.errors import UsageError
from hiersearch.photos.pixels import upright

__all__ = [
    "FROZEN",
    "PHOTO_ROWS",
    "POSITIONS",
    "EmbeddedTexts",
    "Features",
    "HierarchyCollator",
    "embed_distinct",
    "embed_texts",
    "empty_text",
    "encoded",
    "length_groups",
    "require_order",
    "text_columns",
    "unit_rows",
]

Features: TypeAlias = dict[str, Any]
"""What a model's `preprocess` gives: tensors, a row for each text, and a few plain values."""

POSITIONS = "positions"
"""Key of (n, columns) row numbers, in features that hold each distinct text once, `""` last."""

FROZEN = "frozen"
"""Key of (distinct texts, dim) vectors from before training, among a batch's features."""

PHOTO_ROWS = "rows"
"""Key of the (photos,) numbers of the rows that photos belong to, among a batch's features."""

PASS_COST = {"cpu": 64}
"""Tokens that take about as long as starting one more pass through the model."""

PASS_COST_ELSEWHERE = 4096

_COLUMN = re.compile(r"(positive|negative)_([1-9][0-9]*)")


class HierarchyCollator:
    """Rows to the features that the losses take.

    Args:
        model: Tokenises the texts and prepares the photos.
        frozen: From texts to their vectors (n, dim) before training, if these are known.
        photos: From photos to their vectors (n, dim), if training does not change them.
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
            row of each text among them; `photo_*`: features of the photos, if there are any, and
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
                # The empty text goes last, and its place is not known yet.
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
        UsageError: If a tier is missing, there is only one, or the negatives have other tiers.
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


def require_order(names: Sequence[str]) -> None:
    """Check columns that reach a loss in the order of the data set.

    Args:
        names: Of all columns. Those that are not called positive_N or negative_N say nothing.

    Raises:
        UsageError: If the names are those of hierarchies, and in another order than the losses
            read.
    """
    found = [name for name in names if _COLUMN.fullmatch(name)]
    if len(found) < 2:
        return
    wanted = text_columns(dict.fromkeys(found, ""))
    if found != wanted:
        raise UsageError(
            f"the columns of texts are in the order {', '.join(found)}, "
            f"which the loss would read as {', '.join(wanted)}",
            hint=f"Use dataset.select_columns([{', '.join(map(repr, wanted))}]), "
            "or data_collator=HierarchyCollator(model)",
        )


def _has_photo(row: Mapping[str, Any]) -> bool:
    photo = row.get("photo")
    return photo is not None and not (isinstance(photo, str) and not photo)


def _named(prefix: str, features: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in features.items()}


@dataclass(frozen=True)
class EmbeddedTexts:
    """Vectors of a batch's texts.

    Attributes:
        columns: (n, columns, dim), of length 1.
        empty: (dim,), of the empty text, of length 1.
        frozen: (n, columns, dim), of the frozen encoder; None if there is none.
    """

    columns: Tensor
    empty: Tensor
    frozen: Tensor | None


def empty_text(model: SentenceTransformer) -> Features:
    """Features of the empty text, as the trainer's collator would make them."""
    return dict(model.preprocess([""], prompt=None, task=None))


def encoded(model: SentenceTransformer, texts: Sequence[str]) -> Tensor:
    """(n, dim) float32 of length 1, without gradients; of texts even if named like files."""
    was_training = model.training
    inputs: list[Any] = [{"text": t} for t in texts] if model.supports("image") else list(texts)
    try:
        return model.encode(
            inputs, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
        ).float()
    finally:
        model.train(was_training)


def embed_texts(
    model: nn.Module,
    columns: Sequence[Features],
    empty: Features,
    *,
    frozen: nn.Module | None = None,
) -> EmbeddedTexts:
    """Embed a batch.

    Args:
        model: Anything that adds `sentence_embedding` to features.
        columns: Features of each column, (n, ...) each; or one, with `positions`, which holds the
            distinct texts and the empty one last.
        empty: Features of the empty text; unused where the columns hold it.
        frozen: Another encoder for the same features, run without gradients.
    """
    distinct = _distinct(columns, empty)
    if distinct is None:
        return EmbeddedTexts(
            columns=_by_column(model, columns),
            empty=_vectors(model, _moved(empty, columns))[0],
            frozen=None if frozen is None else _by_column(frozen, columns),
        )
    features, positions, empty_row = distinct
    vectors = embed_distinct(model, features)
    before = None if frozen is None else embed_distinct(frozen, features)
    return EmbeddedTexts(
        columns=vectors[positions],
        empty=vectors[empty_row],
        frozen=None if before is None else before[positions],
    )


def embed_distinct(model: nn.Module, features: Features) -> Tensor:
    """Embed texts in groups of similar length, so that little is computed for padding.

    Args:
        model: Anything that adds `sentence_embedding` to features.
        features: Of texts; in one pass where they hold no (n, tokens) attention mask.

    Returns:
        (n, dim), of length 1.
    """
    mask = features.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.ndim != 2:
        return _vectors(model, features)
    lengths: list[int] = mask.sum(dim=1).tolist()
    cost = PASS_COST.get(mask.device.type, PASS_COST_ELSEWHERE)
    groups = length_groups(lengths, pass_cost=cost)
    if len(groups) == 1:
        return _vectors(model, _part(features, torch.arange(len(lengths), device=mask.device)))
    rows = [torch.tensor(group, device=mask.device) for group in groups]
    vectors = torch.cat([_vectors(model, _part(features, group)) for group in rows])
    return vectors[torch.cat(rows).argsort()]


def length_groups(lengths: Sequence[int], *, pass_cost: int) -> list[list[int]]:
    """Cut texts into groups that are cheapest to compute.

    A group costs its longest text's tokens for each of its texts, plus `pass_cost`. The cheapest
    cut of the texts in order of length is found exactly.

    Args:
        lengths: Tokens of each text.
        pass_cost: At least 0, in tokens.

    Returns:
        Positions of the texts, each in one group; longest texts first.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    # Texts of one length belong together: only where the length changes is a cut worth trying.
    starts = [
        start
        for start, position in enumerate(order)
        if start == 0 or lengths[position] != lengths[order[start - 1]]
    ]
    ends = [*starts[1:], len(order)]
    best: list[tuple[int, int]] = [(0, 0)]  # cheapest cost of the texts before, and its last start
    for end in ends:
        best.append(
            min(
                (best[index][0] + lengths[order[start]] * (end - start) + pass_cost, index)
                for index, start in enumerate(starts[: len(best)])
            )
        )
    groups: list[list[int]] = []
    after = len(starts)
    while after:
        first = best[after][1]
        groups.append(order[starts[first] : ends[after - 1]])
        after = first
    return groups[::-1]


def unit_rows(vectors: Tensor) -> Tensor:
    """Vectors of length 1, in at least single precision: half holds no angle between near ones."""
    if vectors.dtype not in (torch.float32, torch.float64):
        vectors = vectors.float()
    return normalize(vectors, dim=-1)


def _distinct(columns: Sequence[Features], empty: Features) -> tuple[Features, Tensor, int] | None:
    """Features of the distinct texts, (n, columns) rows of theirs, and the row of the empty one."""
    if len(columns) == 1 and POSITIONS in columns[0]:
        features = dict(columns[0])
        return features, features.pop(POSITIONS), -1
    rows = _rows(columns[0])
    if rows is None:
        return None
    repeated = {
        key: value.expand(rows, *value.shape[1:]) if isinstance(value, Tensor) else value
        for key, value in _moved(empty, columns).items()
    }
    merged = merge_feature_batches([*columns, repeated])
    if merged is None or "input_ids" not in merged or "attention_mask" not in merged:
        return None
    # What stands in the padding differs from column to column.
    tokens = (merged["input_ids"] + 1) * merged["attention_mask"]
    distinct, inverse = tokens.unique(dim=0, return_inverse=True)
    every = torch.arange(len(inverse), device=inverse.device)
    first = torch.full((len(distinct),), len(inverse), device=inverse.device)
    first = first.scatter_reduce(0, inverse, every, "amin")
    positions = inverse.reshape(len(columns) + 1, rows)
    # The empty text stands last, whatever the sorting made of it.
    return _part(merged, first), positions[:-1].T, int(positions[-1, 0])


def _rows(features: Features) -> int | None:
    tokens = features.get("input_ids")
    return len(tokens) if isinstance(tokens, Tensor) and tokens.ndim == 2 else None


def _moved(empty: Features, columns: Sequence[Features]) -> Features:
    """The empty text's features on the device of the columns', and for the same task."""
    device = next(value.device for value in columns[0].values() if isinstance(value, Tensor))
    moved = {
        key: value.to(device) if isinstance(value, Tensor) else value
        for key, value in empty.items()
    }
    # The stock collator adds it to the features of a column that `router_mapping` names.
    return moved | {key: columns[0][key] for key in ("task",) if key in columns[0]}


def _part(features: Features, rows: Tensor) -> Features:
    """Some of the texts, without the tokens that are padding in all of them."""
    mask: Tensor = features["attention_mask"]
    used = mask[rows].any(dim=0).nonzero().squeeze(1)
    part: Features = {}
    for key, value in features.items():
        if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != len(mask):
            part[key] = value
        elif value.ndim >= 2 and value.shape[1] == mask.shape[1]:
            part[key] = value[rows][:, used]
        else:
            part[key] = value[rows]
    return part


def _by_column(model: nn.Module, columns: Sequence[Features]) -> Tensor:
    return torch.stack([_vectors(model, features) for features in columns], dim=1)


def _vectors(model: nn.Module, features: Features) -> Tensor:
    """(n, dim), of length 1; the features stay as they are."""
    return unit_rows(model(dict(features))["sentence_embedding"])
