"""How work that takes time tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "tell_nobody"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how many of it are done and kept, and how many there are."""


def tell_nobody(task: str, done: int, total: int) -> None:
    """A `Progress` for those who do not want to know."""
