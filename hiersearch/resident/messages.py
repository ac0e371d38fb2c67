"""What is said over the socket: lines of JSON, requests as dataclasses, errors there and back.

The process that answers greets with `Greeting`. Then, as often as the one that asks wants: a
request, and replies to it, each a line with one key:

* `note`: a sentence for people, to be shown at once;
* `progress`: a task's name, how many of its items are done, and their total;
* `done`: the answer (`hiersearch.resident.json_forms`), the last line;
* `failed`: an error, instead.

While it waits for replies to `Add`, the one that asks may send `STOP`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from hiersearch import errors
from hiersearch.errors import HiersearchError

__all__ = [
    "LONGEST",
    "STOP",
    "About",
    "Add",
    "CountConcepts",
    "Greeting",
    "Info",
    "Line",
    "MessageError",
    "Query",
    "Request",
    "ServingError",
    "error_from_plain",
    "error_to_plain",
    "request_from_plain",
    "request_to_plain",
]

LONGEST = 64 * 2**20
"""Bytes of the longest request that is read: a vocabulary of half a million concepts."""

STOP = {"do": "stop"}

_PIECE = 2**16


class MessageError(Exception):
    """What came is not what was agreed: too long, no JSON, or not a request."""


class ServingError(Exception):
    """An error in the process that answers that nobody expected; it printed the details."""


@dataclass(frozen=True)
class Greeting:
    """Who answers.

    Attributes:
        hiersearch: Its version; one of another version is not asked.
        index: Which folder it has open, as `hiersearch.resident.socket_path.index_identity` tells.
    """

    hiersearch: str
    index: list[int]


@dataclass(frozen=True)
class About:
    """Asks what commands want to know before they begin: `hiersearch.resident.json_forms.Facts`."""


@dataclass(frozen=True)
class Query:
    """Asks `PhotoIndex.query`; with an absolute path, and after a check of the model."""

    text: str | None
    image: str | None
    levels: int
    limit: int
    where: list[str]
    risk: float | None
    min_mass: float | None
    model: str | None


@dataclass(frozen=True)
class Info:
    """Asks `PhotoIndex.info`."""


@dataclass(frozen=True)
class CountConcepts:
    """Asks `PhotoIndex.concept_counts`."""

    where: list[str]


@dataclass(frozen=True)
class Add:
    """Asks `PhotoIndex.add`.

    Attributes:
        paths: Absolute.
        vocabulary: Another one, as `Vocabulary.to_json` gives it.
        follow_links: As for `PhotoIndex.add`.
        prune: As there.
        model: The model that the index must be of; None for any.
    """

    paths: list[str]
    vocabulary: str | None
    follow_links: bool
    prune: bool
    model: str | None


Request: TypeAlias = About | Query | Info | CountConcepts | Add

_REQUESTS: dict[str, type[Request]] = {
    "about": About,
    "query": Query,
    "info": Info,
    "concepts": CountConcepts,
    "add": Add,
}


def request_to_plain(request: Request) -> dict[str, Any]:
    """A request as it is sent."""
    [word] = [word for word, kind in _REQUESTS.items() if isinstance(request, kind)]
    return {"do": word, **asdict(request)}


def request_from_plain(plain: object) -> Request:
    """The request that was sent.

    Raises:
        MessageError: It is none.
    """
    kind = _REQUESTS.get(str(plain.get("do"))) if isinstance(plain, dict) else None
    if kind is None or not isinstance(plain, dict):
        raise MessageError("this is not a request that is known here")
    names = [field.name for field in fields(kind)]
    if sorted(plain) != sorted(["do", *names]):
        raise MessageError(f"a request to {plain['do']} has the fields {', '.join(names)}")
    for field in fields(kind):
        if not _fits(plain[field.name], str(field.type)):
            raise MessageError(f"{field.name} is not of the type {field.type}")
    return kind(**{name: plain[name] for name in names})


def _fits(value: object, type_: str) -> bool:
    if value is None:
        return type_.endswith("| None")
    kind = type_.removesuffix(" | None")
    if kind == "list[str]":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if kind == "float":
        return isinstance(value, (int, float))
    return isinstance(value, {"str": str, "int": int}[kind])


def error_to_plain(error: Exception) -> dict[str, Any]:
    """An error as it is sent: by the name of its class, or of the nearest that both sides have."""
    if not isinstance(error, HiersearchError):
        return {"kind": None, "message": f"{type(error).__name__}: {error}"}
    kind = next(one for one in type(error).__mro__ if getattr(errors, one.__name__, None) is one)
    details = {
        key: value
        for key, value in vars(error).items()
        if value is None or isinstance(value, str | int | float)
    }
    return {"kind": kind.__name__, **details, "message": error.message, "hint": error.hint}


def error_from_plain(plain: Mapping[str, Any]) -> Exception:
    """The error that was sent, to be raised: of the same class, with the same text."""
    if plain["kind"] is None:
        return ServingError(plain["message"])
    kind: type[HiersearchError] = getattr(errors, plain["kind"])
    # Not by its class, whose arguments may be others than those of the tree's root.
    error = kind.__new__(kind)
    HiersearchError.__init__(error, plain["message"], hint=plain["hint"])
    vars(error).update({key: value for key, value in plain.items() if key != "kind"})
    return error


class Line:
    """A connection that messages go over, one a line.

    Args:
        connection: Connected; closed by the caller.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._read = bytearray()

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message.

        Raises:
            OSError: The other side has gone.
        """
        # ASCII: what of a path is not Unicode is sent as the surrogates that stand for it.
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, *, longest: int | None = None) -> Any:
        """The next message.

        Args:
            longest: The most bytes that are read; None for any number.

        Raises:
            EOFError: The other side has gone.
            TimeoutError: Nothing came within the time that is set for the connection.
            OSError: The connection broke.
            MessageError: What came is too long, or no JSON.
        """
        looked = 0
        while (end := self._read.find(b"\n", looked)) < 0:
            looked = len(self._read)
            if longest is not None and looked > longest:
                raise MessageError(f"a request is longer than {longest} bytes")
            piece = self.connection.recv(_PIECE)
            if not piece:
                raise EOFError
            self._read += piece
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MessageError(f"a request is not JSON ({error})") from error
