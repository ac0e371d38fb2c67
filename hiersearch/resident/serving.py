"""Answers for an index that this process has open, in a thread for each that asks.

Queries run side by side, also while photos are added. They wait only while all photos are labelled
again, and while a collection that was optimised elsewhere takes its place: for what in between
would be a wrong answer.
"""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from hiersearch import __version__
from hiersearch.concepts import Vocabulary
from hiersearch.errors import (
    ModelMismatchError,
    PhotosNotFoundError,
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    UsageError,
)
from hiersearch.index import PhotoIndex
from hiersearch.index.results import IngestSummary
from hiersearch.index.update.sharing import Sharing
from hiersearch.qdrant import EdgeClient, HierarchicalCollection
from hiersearch.qdrant.edge.optimising import optimize_aside
from hiersearch.resident.json_forms import Facts, answer_to_plain, info_to_plain, summary_to_plain
from hiersearch.resident.listening import Listener
from hiersearch.resident.messages import (
    LONGEST,
    About,
    Add,
    CountConcepts,
    Greeting,
    Info,
    Line,
    MessageError,
    Query,
    Request,
    error_to_plain,
    request_from_plain,
)
from hiersearch.resident.socket_path import index_identity
from hiersearch.resident.turns import Turns

__all__ = ["Serving"]

_MOST = 128
"""Connections at once; more wait."""

_IDLE = 60.0
"""Seconds that a connection may be silent between requests."""

_LOOK = 0.2
"""Seconds between two looks whether to go on waiting."""

logger = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Who asked wants no answer any more, or this process ends."""


class Serving:
    """Answers who connects, from entering the `with` block until it is left.

    Leaving it ends a run that was asked for after the photos that it is storing, and waits for
    the other answers. The listener stays open, so that who comes then is sent away only when it is
    closed, after the index: the store is free then.

    Args:
        index: An open index in a folder; also this thread may use it meanwhile.
        place: That folder.
        listener: Where to listen.
        writes: Whether to add photos for others; not while this process adds some itself.
    """

    def __init__(self, index: PhotoIndex, place: Path, listener: Listener, *, writes: bool) -> None:
        self._index = index
        self._place = place
        self._listener = listener
        self._writes = writes
        self._greeting = asdict(Greeting(__version__, index_identity(place)))
        self._turns = Turns()
        self._writing = Lock()
        self._checking = Lock()  # guards the next one
        self._right_models = {index.model}
        self._keep_on: Callable[[], None] = lambda: None
        self._open = Lock()  # guards the next three
        self._ending = False
        self._threads: dict[socket.socket, Thread] = {}
        self._busy: set[socket.socket] = set()
        self._wake, self._woken = socket.socketpair()
        self._accepting = Thread(target=self._accept, name="accept", daemon=True)

    def __enter__(self) -> Self:
        self._index.share(Sharing(alone=self._turns.alone, optimize=self._optimize))
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._open:
            self._ending = True
            threads = list(self._threads.values())
            for connection in self._threads.keys() - self._busy:
                _hang_up(connection)
        self._wake.send(b"\0")
        for thread in (self._accepting, *threads):
            thread.join()
        self._wake.close()
        self._woken.close()
        self._index.share(Sharing())

    def warm(self) -> None:
        """Loads what the first query needs; nothing if there are no photos yet.

        Raises:
            HiersearchError: As `PhotoIndex.query`.
        """
        with suppress(PhotosNotFoundError), self._turns.reading():
            self._index.query("a photo", levels=1, limit=1)

    def _accept(self) -> None:
        self._listener.socket.setblocking(False)
        while not self._ending:
            if len(self._threads) >= _MOST:
                _readable(self._woken, seconds=_LOOK)
                continue
            try:
                _readable(self._listener.socket, self._woken)
                connection, _ = self._listener.socket.accept()
            except BlockingIOError:
                continue  # woken, or who asked has gone already
            except ValueError:
                return  # the listener was closed
            except OSError as error:
                logger.warning("cannot take a connection: %s", error)
                _readable(self._woken, seconds=_LOOK)
                continue
            thread = Thread(target=self._converse, args=[connection], daemon=True)
            with self._open:
                if self._ending:
                    connection.close()
                    return
                self._threads[connection] = thread
                thread.start()

    def _converse(self, connection: socket.socket) -> None:
        """Answers the requests of one connection."""
        try:
            connection.settimeout(_IDLE)
            line = Line(connection)
            line.send(self._greeting)
            while self._reply_to_next(line):
                pass
        except (EOFError, OSError):
            pass  # it has gone: nobody is left to be told
        finally:
            connection.close()
            with self._open:
                del self._threads[connection]

    def _reply_to_next(self, line: Line) -> bool:
        """Replies to the next request; whether there may be another."""
        try:
            plain = line.receive(longest=LONGEST)
            request = request_from_plain(plain)
        except MessageError as error:
            line.send({"failed": error_to_plain(UsageError(str(error)))})
            return False
        with self._open:
            if self._ending:
                return False
            self._busy.add(line.connection)
        try:
            line.send(self._reply(request, line))
        finally:
            with self._open:
                self._busy.discard(line.connection)
        return not self._ending

    def _reply(self, request: Request, line: Line) -> dict[str, Any]:
        try:
            return {"done": self._answer(request, line)}
        except _StoppedError:
            ended = StoreUnreachableError(
                f"the process that has {self._place} open was ended",
                hint="Run the same command again to resume; what was stored is kept",
            )
            return {"failed": error_to_plain(ended)}
        except Exception as error:
            plain = error_to_plain(error)
            if plain["kind"] is None:
                logger.exception("unexpected error")
            return {"failed": plain}

    def _answer(self, request: Request, line: Line) -> Any:
        index = self._index
        if isinstance(request, Add):
            return self._add(request, line)
        if isinstance(request, Query):
            self._require_model(request.model)
        with self._turns.reading(on_wait=lambda: _tell(line, {"note": _WAITING})):
            if isinstance(request, Query):
                answer = index.query(
                    request.text,
                    image=request.image,
                    levels=request.levels,
                    limit=request.limit,
                    where=request.where,
                    risk=request.risk,
                    min_mass=request.min_mass,
                )
                return answer_to_plain(answer)
            if isinstance(request, Info):
                return info_to_plain(index.info())
            if isinstance(request, CountConcepts):
                counts = index.concept_counts(request.where)
                return {"counts": counts, "vocabulary": _part(index.vocabulary, counts).to_json()}
            if isinstance(request, About):
                return asdict(
                    Facts(
                        model=index.model,
                        model_id=index.model_id,
                        trees=index.trees,
                        has_parents=index.vocabulary.has_parents,
                        photos=index.photo_count,
                    )
                )
        raise TypeError(f"{type(request).__name__} has no answer")

    def _add(self, request: Add, line: Line) -> dict[str, Any]:
        if not self._writes:
            raise StoreLockedError(
                f"another process adds photos to {self._place}", hint="Wait until it ends"
            )

        def keep_on() -> None:
            if self._ending or _readable(line.connection, seconds=0):
                raise _StoppedError  # it was told to stop, or has gone

        def on_progress(task: str, done: int, total: int) -> None:
            keep_on()
            _tell(line, {"progress": [task, done, total]})

        with self._alone_writing(keep_on, lambda: _tell(line, {"note": _ANOTHER})):
            try:
                self._require_model(request.model)
            except ModelMismatchError:
                raise UsageError(
                    f"the index at {self._place} is of the model {self._index.model}, and cannot "
                    "be moved to another while it is served",
                    hint="End 'hiersearch serve', and run the same command again",
                ) from None
            if not request.paths and request.vocabulary is None:
                return summary_to_plain(IngestSummary())
            summary = self._index.add(
                *request.paths,
                concepts=request.vocabulary and Vocabulary.from_json(request.vocabulary),
                follow_links=request.follow_links,
                prune=request.prune,
                on_progress=on_progress,
            )
        return summary_to_plain(summary)

    def _require_model(self, model: str | None) -> None:
        """As `PhotoIndex.require_model`; a model is loaded once if it is right, and one at a time.

        Raises:
            HiersearchError: As there.
        """
        if model is None or model in self._right_models:
            return
        with self._checking:
            if model not in self._right_models:
                self._index.require_model(model)
                self._right_models.add(model)

    @contextmanager
    def _alone_writing(
        self, keep_on: Callable[[], None], on_wait: Callable[[], None]
    ) -> Iterator[None]:
        """A block that one thread at a time is in, also where it takes long."""
        if not self._writing.acquire(timeout=_LOOK):
            on_wait()
            while not self._writing.acquire(timeout=_LOOK):
                keep_on()
        try:
            self._keep_on = keep_on
            yield
        finally:
            self._keep_on = lambda: None
            self._writing.release()

    def _optimize(self, photos: HierarchicalCollection) -> bool:
        if not isinstance(photos.client, EdgeClient):
            return photos.optimize()
        try:
            return optimize_aside(
                photos.client, photos.name, alone=self._turns.alone, keep_on=self._keep_on
            )
        except StoreError as error:
            # The photos are stored, and what the run did is to be told. Not in place instead:
            # nobody would be answered for as long as that takes.
            logger.warning("the store is tidied up by a later run instead: %s", error)
            return False


_WAITING = "all photos are being labelled again or tidied up; the answer comes then"
_ANOTHER = "another run changes the index; this one begins when it is done"


def _readable(*sockets: socket.socket, seconds: float | None = None) -> bool:
    """Whether something can be read from a socket, now or within a time; None: waits for it."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def _tell(line: Line, message: dict[str, Any]) -> None:
    try:
        line.send(message)
    except OSError as error:
        raise _StoppedError from error


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _part(vocabulary: Vocabulary, counts: dict[str, int]) -> Vocabulary:
    """The concepts that are counted, with all above them; any one where none is."""
    wanted = set(counts).union(*map(vocabulary.ancestors, counts)) or {vocabulary.roots[0]}
    return Vocabulary([one for one in vocabulary if one.id in wanted], vocabulary.name)
