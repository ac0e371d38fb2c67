"""Asks the process that has an index open. Imports neither engine nor NumPy: a query is quick."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from hiersearch import __version__
from hiersearch.config import IndexPlace, absolute
from hiersearch.encoder import MODELS
from hiersearch.errors import (
    StoreError,
    StoreLockedError,
    StoreUnreachableError,
    UnreadablePhotoError,
)
from hiersearch.index.results import Answer, IndexInfo, IngestSummary
from hiersearch.photos import path_to_text
from hiersearch.progress import Progress, tell_nobody
from hiersearch.resident.json_forms import (
    Facts,
    answer_from_plain,
    info_from_plain,
    summary_from_plain,
)
from hiersearch.resident.messages import (
    STOP,
    About,
    Add,
    CountConcepts,
    Info,
    Line,
    MessageError,
    Query,
    Request,
    error_from_plain,
    request_to_plain,
)
from hiersearch.resident.socket_path import index_identity, own_folder, socket_path

if TYPE_CHECKING:
    from hiersearch.concepts import Vocabulary

__all__ = ["GoneError", "Resident", "ask", "find_resident"]

_GREETING = 30.0
"""Seconds within which who listens greets, also while it opens a large index."""

_PAUSE = 0.05
"""Seconds between two tries to connect."""

_WAITING = 0.2
"""Seconds between two tries to open an index that is locked."""

_TRIES = 3

Found = TypeVar("Found")

OnNote: TypeAlias = Callable[[str], object]
"""Called with a sentence for people."""

logger = logging.getLogger(__name__)


def _unheard(note: str) -> None:
    """Tells nobody."""


class GoneError(Exception):
    """Who was asked has ended without an answer."""


def ask(
    place: IndexPlace,
    question: Callable[[Resident], Found],
    directly: Callable[[], Found],
    *,
    wait: float = 0.0,
    on_note: OnNote = _unheard,
    environ: Mapping[str, str] = os.environ,
) -> Found:
    """Asks the process that has an index open, or opens the index where there is none.

    Args:
        place: Where the index lies.
        question: What to ask.
        directly: Answers it without that process.
        wait: Seconds to wait for a process that has it open and does not listen.
        on_note: Told once, if it waits.
        environ: The environment.

    Raises:
        StoreLockedError: A process has it open that does not listen, for longer than that.
        HiersearchError: As `question` and `directly`; from another process the same.
    """
    until = monotonic() + wait
    tries = told = 0
    while tries < _TRIES:
        resident = find_resident(place, environ=environ)
        if resident is None:
            try:
                return directly()
            except StoreLockedError as error:
                resident = find_resident(place, environ=environ)
                if resident is None:
                    if monotonic() >= until:
                        raise
                    if not told:
                        on_note(f"{error.message}: waiting up to {wait:g} s for it")
                    told += 1
                    sleep(min(_WAITING, max(until - monotonic(), 0.0)))
                    continue
                # It has begun to listen meanwhile.
        tries += 1
        with resident, suppress(GoneError):
            return question(resident)
    raise StoreUnreachableError(
        f"the process that has {place} open ends without an answer",
        hint="See what it has printed, and run the same command again",
    )


def find_resident(place: IndexPlace, *, environ: Mapping[str, str] = os.environ) -> Resident | None:
    """Who has an index open and listens; None if nobody does.

    Args:
        place: Where the index lies.
        environ: The environment.

    Raises:
        StoreLockedError: One of another version of hiersearch does.
        StoreUnreachableError: Somebody listens, and does not say a word.
    """
    path = socket_path(place, environ)
    if path is None or not isinstance(place, Path):
        return None
    try:
        if not own_folder(path):
            return None
    except StoreError as error:
        logger.warning("%s", error)
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_GREETING)
        _connect(connection, path)
        line = Line(connection)
        greeting = line.receive(longest=1000)
        ours = {"hiersearch": __version__, "index": index_identity(place)}
        if greeting == ours:
            connection.settimeout(None)
            return Resident(line)
        connection.close()
        if isinstance(greeting, dict) and greeting.get("index") == ours["index"]:
            raise StoreLockedError(
                f"a process of another version of hiersearch ({greeting.get('hiersearch')}) has "
                f"{place} open",
                hint="End it and start it again; until then only that version can ask it",
            )
        return None
    except TimeoutError:
        connection.close()
        raise StoreUnreachableError(
            f"the process that has {place} open does not answer", hint="Wait, or end it"
        ) from None
    except (OSError, EOFError, MessageError):
        # Nobody has it open: a socket may be left of who was killed.
        connection.close()
        return None


def _connect(connection: socket.socket, path: Path) -> None:
    """Connects within the greeting's time.

    Raises:
        TimeoutError: As many as the system lets wait have waited for so long.
        OSError: Nobody listens.
    """
    until = monotonic() + _GREETING
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:  # a full queue; this is told at once, whatever the time-out
            if monotonic() >= until:
                raise TimeoutError from None
            sleep(_PAUSE)
        else:
            return


class Resident:
    """Another process that has an index open.

    Args:
        line: The connection to it, after the greeting.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._line.connection.close()

    def about(self) -> Facts:
        """What commands want to know before they begin."""
        return Facts(**self._ask(About()))

    def query(
        self,
        text: str | None,
        *,
        image: str | Path | None = None,
        levels: int,
        limit: int,
        where: Sequence[str] = (),
        risk: float | None = None,
        min_mass: float | None = None,
        model: str | None = None,
        on_note: OnNote = _unheard,
    ) -> Answer:
        """As `PhotoIndex.query`, after `PhotoIndex.open` with that model.

        Args:
            text: As there, and so are the other arguments.
            image: As there; a relative path is meant from here.
            levels: As there.
            limit: As there.
            where: As there.
            risk: As there.
            min_mass: As there.
            model: As for `PhotoIndex.open`.
            on_note: Told why, if it takes longer.
        """
        path = None if image is None else str(absolute(image))
        named = _named_from_here(model)
        request = Query(text, path, levels, limit, list(where), risk, min_mass, named)
        try:
            answer = answer_from_plain(self._ask(request, on_note=on_note))
        except UnreadablePhotoError as error:
            # As it was typed, which is what the user knows it by.
            message = error.message.replace(str(path), str(image))
            raise UnreadablePhotoError(message, hint=error.hint) from None
        return answer if image is None else replace(answer, query=path_to_text(Path(image)))

    def info(self) -> IndexInfo:
        """As `PhotoIndex.info`."""
        return info_from_plain(self._ask(Info()))

    def concept_counts(self, where: Sequence[str] = ()) -> tuple[dict[str, int], Vocabulary]:
        """As `PhotoIndex.concept_counts`, and the part of the vocabulary that is counted."""
        from hiersearch.concepts import Vocabulary

        found = self._ask(CountConcepts(list(where)))
        return found["counts"], Vocabulary.from_json(found["vocabulary"])

    def add(
        self,
        *paths: str | Path,
        concepts: Vocabulary | None = None,
        follow_links: bool = False,
        prune: bool = False,
        model: str | None = None,
        on_progress: Progress = tell_nobody,
        on_note: OnNote = _unheard,
    ) -> IngestSummary:
        """As `PhotoIndex.add`. A `KeyboardInterrupt` here ends the run there.

        Args:
            *paths: As there; relative paths are meant from here.
            concepts: As there.
            follow_links: As there.
            prune: As there.
            model: The model that the index must be of; None for any.
            on_progress: As there.
            on_note: Told why, if it takes longer.

        Raises:
            StoreUnreachableError: That process has ended meanwhile.
            HiersearchError: As `PhotoIndex.add`; UsageError for another model.
        """
        request = Add(
            paths=[str(absolute(path)) for path in paths],
            vocabulary=None if concepts is None else concepts.to_json(),
            follow_links=follow_links,
            prune=prune,
            model=_named_from_here(model),
        )
        try:
            return summary_from_plain(self._ask(request, on_progress, on_note))
        except KeyboardInterrupt:
            with suppress(OSError, EOFError, MessageError):
                self._line.send(STOP)
                while not self._line.receive().keys() & {"done", "failed"}:
                    pass
            raise

    def _ask(
        self,
        request: Request,
        on_progress: Progress = tell_nobody,
        on_note: OnNote = _unheard,
    ) -> Any:
        """What is replied to a request.

        Raises:
            GoneError: Nothing, for the process has ended.
            StoreUnreachableError: It has ended in the middle of a run.
            HiersearchError: It failed.
        """
        begun = False
        try:
            self._line.send(request_to_plain(request))
            while True:
                reply = self._line.receive()
                if "progress" in reply:
                    begun = True
                    on_progress(*reply["progress"])
                elif "note" in reply:
                    on_note(reply["note"])
                elif "failed" in reply:
                    raise error_from_plain(reply["failed"])
                else:
                    return reply["done"]
        except (EOFError, ConnectionError, MessageError) as error:
            if not begun:
                raise GoneError from error
            raise StoreUnreachableError(
                "the process that has the index open was ended before it was done",
                hint="Run the same command again to resume; what was stored is kept",
            ) from error


def _named_from_here(model: str | None) -> str | None:
    """A model's folder by its whole path, which means the same from anywhere."""
    if model is None or model in MODELS or not Path(model).expanduser().is_dir():
        return model
    return str(absolute(model))
