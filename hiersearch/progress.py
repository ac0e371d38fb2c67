"""Callbacks that report the progress of work that takes time: `on_progress` everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "tell_nobody"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of a task, how many of its items are done and kept, and their total."""


def tell_nobody(task: str, done: int, total: int) -> None:
    """The default `Progress`: does nothing."""
