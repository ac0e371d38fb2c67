"""Vectors of texts from before training, computed once and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from hiersearch.evaluation.embedder import Embedder
from hiersearch.progress import Progress, tell_nobody

__all__ = ["Teacher"]

PART = 2048
"""Texts between two reports."""


class Teacher:
    """The encoder before training, as a table; to be made before the first step.

    Args:
        embedder: The encoder; not used later on.
        texts: All that will be asked for, besides the empty text; repeats cost nothing.
        progress: Told of texts.

    Raises:
        HiersearchError: The embedder's cache cannot be written.
    """

    def __init__(
        self, embedder: Embedder, texts: Iterable[str], *, progress: Progress = tell_nobody
    ) -> None:
        distinct = sorted({*texts, ""})
        parts = []
        for start in range(0, len(distinct), PART):
            progress("embedding texts", start, len(distinct))
            parts.append(embedder.texts(distinct[start : start + PART]))
        progress("embedding texts", len(distinct), len(distinct))
        self._row_of = {text: row for row, text in enumerate(distinct)}
        self._vectors = torch.from_numpy(np.concatenate(parts))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(n, dim) float32, of length 1, on the CPU."""
        return self._vectors[[self._row_of[text] for text in texts]]
