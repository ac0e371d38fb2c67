"""Names for the arrays that go around."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Floats", "Integers", "Positions", "Reals"]

Floats: TypeAlias = NDArray[np.float32]
"""Vectors, and what is computed from them in bulk."""

Reals: TypeAlias = NDArray[np.floating[Any]]
"""Numbers of either precision, where it does not matter which."""

Integers: TypeAlias = NDArray[np.int64]
"""Ranks, counts and numbers of groups."""

Positions: TypeAlias = NDArray[np.intp]
"""Rows of another array."""

Array: TypeAlias = Any
"""A NumPy array or a torch tensor; the array API has no common type to name."""
