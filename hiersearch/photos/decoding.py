"""A process that decodes photos for another one, so that a file can be given up.

Its input is a line of JSON for each request, its output for each the lengths of what follows, JSON
and raw pixels. It ends with its input, that is, with the process that began it.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

__all__ = ["LENGTHS", "main"]

LENGTHS = struct.Struct("<II")
"""Of the JSON and of the pixels that follow."""

_SIGNALS_TO_IGNORE = ("SIGINT", "SIGHUP", "SIGTSTP")


def main() -> None:
    """Answers requests until the input ends."""
    for name in _SIGNALS_TO_IGNORE:  # they are meant for the process that began this one
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not end up among the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        request = json.loads(requests.get())
        with _Alarm(request["seconds"]):
            _limit_memory(request["memory"])
            answer, pixels = _answer(request)
            text = json.dumps(answer).encode()
            answers.write(LENGTHS.pack(len(text), len(pixels)) + text)
            answers.write(pixels)
            answers.flush()


def _listen(lines: IO[bytes], requests: SimpleQueue[bytes]) -> None:
    """Passes requests on; ends the process with them, whatever is being decoded."""
    for line in lines:
        requests.put(line)
    os._exit(0)


class _Alarm:
    """Ends the process if a block takes longer than it may, should nobody else do so."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._set(self._seconds)

    def __exit__(self, *exception: object) -> None:
        self._set(0)

    def _set(self, seconds: float) -> None:
        if hasattr(signal, "setitimer"):  # not on Windows
            signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(limit: int) -> None:
    """Makes this process fail to take more memory; where that cannot be set, headers decide."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(ValueError, OSError):  # less is allowed already
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What is answered to a request, and the pixels of its photo, if there is one."""
    from hiersearch.errors import UnreadablePhotoError
    from hiersearch.photos.photo import MemoryNeededError, content_hash, read_photo

    path = Path(request["path"])
    try:
        if request["hash"]:
            return {"hash": content_hash(path)}, b""
        photo = read_photo(path, min_side=request["min_side"], max_memory=request["decoding"])
        pixels = photo.image.tobytes()
    except UnreadablePhotoError as error:
        short = isinstance(error, MemoryNeededError) or isinstance(error.__cause__, MemoryError)
        return {"reason": error.message, "hint": error.hint, "memory": short}, b""
    except MemoryError:
        return {"reason": "", "hint": "", "memory": True}, b""
    return {
        "size": photo.image.size,
        "width": photo.width,
        "height": photo.height,
        "taken": photo.taken and photo.taken.isoformat(),
        "hash": photo.content_hash,
        "note": photo.note,
    }, pixels
