"""`hiersearch serve`: holds an index open and its model loaded, and answers other commands."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hiersearch.cli.options import NameOption, StoreOption
from hiersearch.cli.terminal import printable

__all__ = ["serve"]


class _ToldToEnd(KeyboardInterrupt):
    """A signal has come: what lets `KeyboardInterrupt` pass lets this pass."""


def serve(store: StoreOption = None, name: NameOption = None) -> None:
    """Answer other commands fast: keep an index open and its model loaded.

    While it runs, query, info and concepts ask it instead of opening the index, and index adds
    photos through it. It runs until Ctrl-C or SIGTERM. An index on a server does not need it.
    """
    from hiersearch.config import index_place
    from hiersearch.errors import StoreLockedError, UsageError
    from hiersearch.resident.asking import find_resident
    from hiersearch.resident.socket_path import socket_path

    place = index_place(store, os.environ, name)
    if not isinstance(place, Path):
        raise UsageError(
            f"the index at {place} is on a server, which answers all commands at once already",
            hint="Name an index in a folder",
        )
    path = socket_path(place)
    if path is None:
        raise UsageError("serve needs Unix sockets, which Python lacks on this system")
    found = find_resident(place)
    if found is not None:
        with found:
            raise StoreLockedError(
                f"another process has the index at {place} open and answers for it",
                hint="Use that one, or end it",
            )
    with _signals_end_it():
        _serve(place, path)


def _serve(place: Path, path: Path) -> None:
    from hiersearch.index import PhotoIndex
    from hiersearch.resident.listening import Listener
    from hiersearch.resident.serving import Serving

    # Listens first: who asks meanwhile waits for the index, and is not told that it is locked.
    with (
        Listener(path) as listener,
        PhotoIndex.open(place) as index,
        Serving(index, place, listener, writes=True) as serving,
    ):
        serving.warm()
        photos = f"{index.photo_count} photo{'' if index.photo_count == 1 else 's'}"
        sys.stderr.write(f"Serving {photos} of {printable(place)} at {printable(path)}\n")
        sys.stderr.write("Ctrl-C ends it\n")
        while True:
            signal.pause()


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """A block that Ctrl-C and SIGTERM end, without an error; a second one ends the process."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def end(_: int, __: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        raise _ToldToEnd

    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    except _ToldToEnd:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
