"""What distances and angles are measured from while a model trains.

A root is a module from the current embedding of the empty text to the vector that the losses use.
Alper & Averbuch-Elor 2024 learn it with the weights and compare the others in table 3 of their
supplement.

    learned     the empty text's embedding, moving with the weights (the paper's, and the default)
    first       the same before training, kept
    mean        mean of the training texts' embeddings before training, kept; not of length 1
    origin      the zero vector, kept
    parameter   starts as `first` and is learned by itself; with all weights frozen, it is the
                paper's "only the root is learned"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from hiersearch.alignment.batches import encoded
from hiersearch.errors import UsageError

__all__ = ["FixedRoot", "LearnedRoot", "Root", "RootChoice", "RootParameter", "make_root"]

RootChoice: TypeAlias = Literal["learned", "first", "mean", "origin", "parameter"]


class Root(nn.Module):
    """From the empty text's embedding to the root."""

    def forward(self, empty: Tensor) -> Tensor:
        """The root.

        Args:
            empty: (dim,), the empty text's embedding, of length 1.

        Returns:
            (dim,), of any length.
        """
        raise NotImplementedError


class LearnedRoot(Root):
    """The empty text's embedding itself: gradients reach the weights through it."""

    def forward(self, empty: Tensor) -> Tensor:
        """The empty text's embedding (dim,)."""
        return empty


class FixedRoot(Root):
    """A vector that stays where it is.

    Args:
        vector: (dim,), of any length.
    """

    vector: Tensor

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.register_buffer("vector", _one_vector(vector))

    def forward(self, empty: Tensor) -> Tensor:
        """The vector (dim,), in the precision of the empty text's embedding."""
        return _like(self.vector, empty)


class RootParameter(Root):
    """A vector that is learned by itself, apart from the weights.

    It is a parameter of the loss: the optimizer of `SentenceTransformerTrainer` moves it, but the
    trainer's checkpoints and its gradient clipping know the model's parameters alone.

    Args:
        vector: (dim,), where it starts.
    """

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.vector = nn.Parameter(_one_vector(vector))

    def forward(self, empty: Tensor) -> Tensor:
        """The vector (dim,), in the precision of the empty text's embedding."""
        return _like(self.vector, empty)


def make_root(
    choice: RootChoice | Tensor, model: SentenceTransformer, *, texts: Sequence[str] = ()
) -> Root:
    """A root, given what the model computes now.

    Args:
        choice: A name from the table above, or a vector (dim,) of any length, which is kept.
        model: The model before training.
        texts: The training texts; only `mean` reads them.

    Raises:
        UsageError: If there is no such choice, `mean` has no texts, or the vector does not fit.
    """
    if isinstance(choice, Tensor):
        root = FixedRoot(choice)
        dimension = model.get_embedding_dimension()
        if dimension is not None and len(root.vector) != dimension:
            raise UsageError(
                f"the root has dimension {len(root.vector)}, the model's vectors {dimension}"
            )
        return root
    match choice:
        case "learned":
            return LearnedRoot()
        case "first":
            return FixedRoot(encoded(model, [""])[0])
        case "mean":
            if not texts:
                raise UsageError("there are no texts to take the mean of as the root")
            return FixedRoot(encoded(model, texts).mean(dim=0))
        case "origin":
            return FixedRoot(torch.zeros_like(encoded(model, [""])[0]))
        case "parameter":
            return RootParameter(encoded(model, [""])[0])
    raise UsageError(
        f"there is no root called {choice!r}", hint=f"Choose one of {', '.join(_CHOICES)}"
    )


_CHOICES: tuple[str, ...] = get_args(RootChoice)


def _one_vector(vector: Tensor) -> Tensor:
    vector = torch.as_tensor(vector).detach().clone()
    if vector.ndim != 1 or not len(vector) or not bool(vector.isfinite().all()):
        raise UsageError(f"a root is one vector of finite numbers, not of {tuple(vector.shape)}")
    return vector if vector.is_floating_point() else vector.float()


def _like(vector: Tensor, empty: Tensor) -> Tensor:
    return vector.to(dtype=empty.dtype, device=empty.device)
