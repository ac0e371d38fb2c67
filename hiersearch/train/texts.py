"""From a batch's columns of texts to their vectors, each distinct text computed once.

In a batch of hierarchies a third of the texts are repeats (*animal* over and over), and most are
far shorter than the longest. So the columns are merged, repeats dropped, and the rest passed
through the model in groups of like length. Where a model's features cannot be merged, each column
goes through by itself; the vectors are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.merged_forward import merge_feature_batches
from torch import Tensor, nn
from torch.nn.functional import normalize

__all__ = [
    "POSITIONS",
    "EmbeddedTexts",
    "Features",
    "embed_distinct",
    "embed_texts",
    "empty_text",
    "encoded",
    "length_groups",
    "unit_rows",
]

Features: TypeAlias = dict[str, Any]
"""What a model's `preprocess` gives: tensors, a row for each text, and a few plain values."""

POSITIONS = "positions"
"""Key of (n, columns) row numbers, in features that hold each distinct text once, `""` last."""

PASS_COST = {"cpu": 64}
"""Tokens that take about as long as starting one more pass through the model."""

PASS_COST_ELSEWHERE = 4096


@dataclass(frozen=True)
class EmbeddedTexts:
    """Vectors of a batch's texts.

    Attributes:
        columns: (n, columns, dim), of length 1.
        empty: (dim,), of the empty text, of length 1.
        frozen: (n, columns, dim), as the frozen encoder has them, where one was asked.
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
    """Embed texts in groups of like length, so that little is computed for padding.

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

    A group costs its longest text's tokens for each of its texts, and `pass_cost` once. The
    cheapest cut of the texts in order of length is found exactly.

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
    """The empty text's features where the columns' lie."""
    device = next(value.device for value in columns[0].values() if isinstance(value, Tensor))
    return {
        key: value.to(device) if isinstance(value, Tensor) else value
        for key, value in empty.items()
    }


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
