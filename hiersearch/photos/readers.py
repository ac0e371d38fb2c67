"""Reads photos in processes of their own, with a limit of time and of memory for each file.

A file can be made such that decoding it takes minutes, or gigabytes, or crashes the decoder. It
then costs that file alone: its process is ended, and another one takes its place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from hiersearch.errors import UnreadablePhotoError
from hiersearch.photos.decoding import LENGTHS
from hiersearch.photos.photo import Photo, content_hash, read_photo

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["READ_SECONDS", "PhotoReaders"]

READ_SECONDS = 30.0
"""How long a file may take to be read."""

_MIB = 2**20
_SHARED = 200 * _MIB
"""Bytes that a file may take to decode while others are decoded, too."""
_ALONE = 600 * _MIB
"""Bytes that it may take if nothing else is decoded meanwhile."""
_ITSELF = 64 * _MIB
"""Bytes that a process takes whatever it decodes: the limit that the system keeps is higher by
these."""

# As much as Linux lets anybody have; a photo then takes few turns of writing and reading.
_PIPE = 2**20

_TICK = 0.1
_GRACE = 5.0
"""Seconds after which a process that nobody ended ends itself."""

# Everything after the program is the way to the packages that this process uses.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; from hiersearch.photos.decoding import main; main()"
)
# Large blocks are given back to the system at once, so that limits hold for what is in use; small
# ones are kept, for asking the system for each costs more than decoding a small photo.
_ENVIRON = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 * _MIB),
    "MALLOC_TRIM_THRESHOLD_": str(16 * _MIB),
    "OMP_NUM_THREADS": "1",
}


class PhotoReaders:
    """Processes that read photos; to be closed, as by a `with` block. Safe to use from threads.

    They begin when they are first needed, end with this process, and do not hear interrupts. Where
    no process can be begun, photos are read in this one, without a limit of time.

    Args:
        count: How many files are read at a time.
        seconds: How long a file may take.

    Examples:
        >>> with PhotoReaders() as readers:
        ...     photo = readers.read(Path("cat.jpg"), min_side=224)
    """

    def __init__(self, count: int = 1, *, seconds: float = READ_SECONDS) -> None:
        self._seconds = seconds
        self._turns = _Turns(count)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

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
        """Ends the processes, whatever they are doing; threads that wait for one get an error."""
        self._closed.set()
        self._turns.close()
        with self._lock:
            processes = [*self._idle, *self._busy]
            self._idle.clear()
        for process in processes:
            process.end()
        if self._watch is not None:
            self._watch.join()

    def read(self, path: Path, *, min_side: int | None = None) -> Photo:
        """Reads and decodes a photo; see `read_photo`.

        Raises:
            UnreadablePhotoError: Its message is just the reason, in a few plain words.
        """
        answer, pixels = self._ask(path, min_side=min_side, hashed=False)
        if answer is None:
            return read_photo(path, min_side=min_side, max_memory=_ALONE)
        from PIL import Image

        taken = answer["taken"]
        return Photo(
            Image.frombytes("RGB", tuple(answer["size"]), pixels),
            answer["width"],
            answer["height"],
            taken and datetime.fromisoformat(taken),
            answer["hash"],
            answer["note"],
        )

    def content_hash(self, path: Path) -> str:
        """The hash of a file's bytes; see `hiersearch.photos.content_hash`.

        Raises:
            UnreadablePhotoError: The file cannot be read, or not in time.
        """
        answer, _ = self._ask(path, min_side=None, hashed=True)
        return content_hash(path) if answer is None else cast("str", answer["hash"])

    def waiting_for(self) -> tuple[Path, float] | None:
        """The file that has been read for longest, and for how many seconds, if one is."""
        with self._lock:
            begun = [(p.begun, p.path) for p in self._busy if p.path is not None]
        if not begun:
            return None
        since, path = min(begun)
        return path, time.monotonic() - since

    def _ask(
        self, path: Path, *, min_side: int | None, hashed: bool
    ) -> tuple[dict[str, Any] | None, bytes | bytearray]:
        """The answer to a request, and its pixels; None if no process can be begun."""
        request = {"path": os.fspath(path), "min_side": min_side, "hash": hashed}
        with self._turns.one(alone=False):
            answer, pixels = self._answer(path, request, _SHARED)
        if answer is not None and answer.get("memory"):
            with self._turns.one(alone=True):
                answer, pixels = self._answer(path, request, _ALONE)
        if answer is not None and "reason" in answer:
            reason = answer["reason"]
            if answer["memory"]:
                reason = reason or f"needs more than {_ALONE // _MIB} MB of memory to decode"
            error = UnreadablePhotoError(reason, hint=answer["hint"])
            error.add_note(f"Photo: {path!a}")
            raise error
        return answer, pixels

    def _answer(
        self, path: Path, request: dict[str, Any], memory: int
    ) -> tuple[dict[str, Any] | None, bytes | bytearray]:
        limits = {
            "decoding": memory,
            "memory": memory + _ITSELF,
            "seconds": self._seconds + _GRACE,
        }
        with self._process(path) as process:
            if process is None:
                return None, b""
            try:
                return process.ask(request | limits)
            except (OSError, EOFError):
                process.end()
                if self._closed.is_set():
                    raise UnreadablePhotoError("reading was stopped") from None
                verb = "read" if request["hash"] else "decode"
                reason = f"takes more than {self._seconds:g} s to {verb}"
                if process.is_late:
                    return _refusal(reason, memory=False), b""
                # Running out of memory is what most often ends a decoder.
                return _refusal("crashes what decodes it", memory=memory < _ALONE), b""

    @contextmanager
    def _process(self, path: Path) -> Iterator[_Process | None]:
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is None:
            process = _Process.begin()
            if process is None:
                yield None
                return
        process.take(path, self._seconds)
        with self._lock:
            self._busy.add(process)
            if self._watch is None:
                self._watch = threading.Thread(target=self._end_late_ones, daemon=True)
                self._watch.start()
        if self._closed.is_set():  # too late for `close` to see it
            process.end()
        try:
            yield process
        finally:
            with self._lock:
                self._busy.remove(process)
                process.path = None
                keep = process.is_fit and not self._closed.is_set()
                if keep:
                    self._idle.append(process)
            if not keep:
                process.end()

    def _end_late_ones(self) -> None:
        while not self._closed.wait(_TICK):
            now = time.monotonic()
            with self._lock:
                late = [process for process in self._busy if now > process.until]
            for process in late:
                process.is_late = True
                process.end()


def _refusal(reason: str, *, memory: bool) -> dict[str, Any]:
    return {"reason": reason, "hint": "", "memory": memory}


class _Process:
    """One process, and the file that it reads."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self.path: Path | None = None
        self.begun = self.until = 0.0
        self.is_late = False
        self.is_fit = False

    @classmethod
    def begin(cls) -> _Process | None:
        """Begins a process; None where that is not possible."""
        if not sys.executable or getattr(sys, "frozen", False):
            return None
        folders = [os.path.abspath(folder) for folder in sys.path]  # noqa: PTH100
        try:
            return cls(
                subprocess.Popen(
                    # Isolated: neither the folder that it begins in nor the environment names code.
                    [sys.executable, "-I", "-c", _PROGRAM, *folders],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    pipesize=_PIPE,
                    env=os.environ | _ENVIRON,
                )
            )
        except OSError:
            return None

    def take(self, path: Path, seconds: float) -> None:
        """Notes which file is read, and until when it may be."""
        self.is_fit = False
        self.path, self.begun = path, time.monotonic()
        self.until = self.begun + seconds

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes | bytearray]:
        """The answer to a request, and its pixels.

        Raises:
            OSError: The process has ended.
            EOFError: It ended before the answer did.
        """
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        questions.write(json.dumps(request).encode() + b"\n")
        length, pixels = LENGTHS.unpack(_exactly(answers, LENGTHS.size))
        answer: dict[str, Any] = json.loads(_exactly(answers, length))
        data = _exactly(answers, pixels)
        self.is_fit = True
        return answer, data

    def end(self) -> None:
        """Ends the process; may be called more than once, and from several threads."""
        with self._lock:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                # Another thread that reads it is told by the end of the process.
                if pipe is not None and self.path is None:
                    with suppress(OSError):
                        pipe.close()


def _exactly(pipe: IO[bytes], count: int) -> bytearray:
    data = bytearray(count)
    left = memoryview(data)
    while left:
        got = pipe.readinto(left)  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        left = left[got:]
    return data


class _Turns:
    """Who may decode: as many as there are processes, or one that needs the memory of all."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._changed = threading.Condition()
        self._running = 0
        self._alone_waiting = 0
        self._is_alone = False
        self._closed = False

    @contextmanager
    def one(self, *, alone: bool) -> Iterator[None]:
        """A block that waits for its turn."""
        with self._changed:
            self._alone_waiting += alone
            self._changed.wait_for(lambda: self._closed or self._is_free(alone))
            self._alone_waiting -= alone
            if self._closed:
                raise UnreadablePhotoError("reading was stopped")
            self._running += 1
            self._is_alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._is_alone = False
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_free(self, alone: bool) -> bool:
        if alone:
            return not self._running
        return not self._is_alone and not self._alone_waiting and self._running < self._count
