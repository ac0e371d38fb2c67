"""Items in lists of a bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["batches"]

T = TypeVar("T")


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yields the items in order, `size` at a time, fewer at the end."""
    while batch := list(islice(items, size)):
        yield batch
