"""Items in lists of a bounded length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["batches"]

T = TypeVar("T")


def batches(items: Iterator[T], size: Callable[[], int]) -> Iterator[list[T]]:
    """Yields the items in order, as many at a time as `size` says then, fewer at the end."""
    while batch := list(islice(items, size())):
        yield batch
