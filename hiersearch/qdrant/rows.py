"""Vectors from outside, made unit rows or refused: the engine itself would take anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiersearch.errors import VectorError

__all__ = ["unit_rows"]

MIN_LENGTH = 1e-12
"""Vectors shorter than this have no direction."""


def unit_rows(vectors: ArrayLike, what: str) -> NDArray[np.float32]:
    """The rows at length 1.

    Args:
        vectors: (n, dim), of any length but zero.
        what: What they are, for the error.

    Returns:
        (n, dim), float32.

    Raises:
        VectorError: They are not a matrix of finite numbers, or one has no length.
    """
    try:
        rows = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise VectorError(f"{what} is not made of numbers ({error})") from error
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise VectorError(f"vectors of the shape {rows.shape} are not a row of numbers each")
    lengths = np.linalg.norm(rows, axis=1)
    for bad, problem in (
        (~np.isfinite(rows).all(axis=1), "holds a number that is not finite"),
        (~((lengths > MIN_LENGTH) & np.isfinite(lengths)), "has no length that can be made 1"),
    ):
        if bad.any():
            raise VectorError(f"{what} {problem} (row {int(bad.argmax())})")
    unit: NDArray[np.float32] = (rows / lengths[:, None]).astype(np.float32)
    return unit
