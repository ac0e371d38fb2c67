"""The socket on which one process answers for an index."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hiersearch.config import IndexPlace
from hiersearch.errors import StoreError, StoreLockedError
from hiersearch.resident.socket_path import own_folder, socket_path

__all__ = ["Listener", "listening"]

_BACKLOG = 64
"""Connections that wait to be accepted."""


class Listener:
    """A socket that this process alone listens on, from its making until it is closed.

    What a process that was killed has left is replaced. A lock, which ends with its process,
    tells it from what is alive.

    Args:
        path: The socket, from `hiersearch.resident.socket_path.socket_path`.

    Raises:
        StoreLockedError: Another process listens there.
        StoreError: Its folder is not this user's alone, or the socket cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        own_folder(path, make=True)
        self._lock = _locked(path.with_suffix(".lock"))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            # In a folder that only this user can enter, so that no one connects in between.
            self.socket.bind(str(path))
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            self.socket.listen(_BACKLOG)
        except OSError as error:
            self.close()
            raise StoreError(
                f"cannot listen at {path} ({error.strerror or error})",
                hint="Check its folder, or set XDG_RUNTIME_DIR to another",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops listening and removes the socket; who waits to be answered is sent away."""
        if self._lock < 0:
            return
        self.path.unlink(missing_ok=True)
        self.socket.close()
        # Removed while it is held: who takes it next looks whether it is still the one there.
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


@contextmanager
def listening(
    place: IndexPlace, on_problem: Callable[[StoreError], object]
) -> Iterator[Listener | None]:
    """A block in which this process listens for an index, where it can.

    Args:
        place: Where the index lies.
        on_problem: Called where it cannot, with the reason.

    Yields:
        None where it cannot.

    Raises:
        StoreLockedError: Another process listens for it.
    """
    path = socket_path(place)
    listener = None
    try:
        listener = None if path is None else Listener(path)
    except StoreLockedError:
        raise
    except StoreError as error:
        on_problem(error)
    try:
        yield listener
    finally:
        if listener is not None:
            listener.close()


def _locked(path: Path) -> int:
    """The descriptor of a file that this process has the lock of.

    Raises:
        StoreLockedError: Another process has it.
        StoreError: The file cannot be made.
    """
    import fcntl

    while True:
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(f"cannot make {path} ({error.strerror})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(lock, path):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise StoreLockedError(
                f"another process answers for this index already, at {path.with_suffix('.sock')}",
                hint="Run the same command again to ask that one, or end it",
            ) from None
        os.close(lock)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
