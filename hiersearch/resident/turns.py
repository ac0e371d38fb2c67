"""Turns of threads: many read at once, one changes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

__all__ = ["Turns"]

_MOMENT = 2.0
"""Seconds after which waiting is told."""


class Turns:
    """Lets threads read side by side, and one at a time do what nobody must read in between.

    Who waits to be alone goes before those that come to read later.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._reading = 0
        self._waiting = 0
        self._alone = False

    @contextmanager
    def reading(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """A block in which nobody is alone.

        Args:
            on_wait: Called once where it takes longer than a moment to begin.
        """
        with self._changed:
            if not self._changed.wait_for(self._free, timeout=_MOMENT):
                if on_wait is not None:
                    # Nobody else waits for this lock while the caller tells of it.
                    self._changed.release()
                    try:
                        on_wait()
                    finally:
                        self._changed.acquire()
                self._changed.wait_for(self._free)
            self._reading += 1
        try:
            yield
        finally:
            with self._changed:
                self._reading -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A block in which nobody reads, and nobody else is alone."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._alone and not self._reading)
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _free(self) -> bool:
        return not self._alone and not self._waiting
