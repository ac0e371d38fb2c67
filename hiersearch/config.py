"""Settings and folders: flag > environment > file > default.

The environment variables are `HIERSEARCH_MODEL` and `HIERSEARCH_STORE` for settings, and
`HIERSEARCH_HOME`, `HIERSEARCH_CACHE`, `HIERSEARCH_DATA` and `HIERSEARCH_CONFIG` for places. The
file, `config.toml` in the user's configuration folder, may set `model` and `store`. Flags are the
callers' arguments.
"""

from __future__ import annotations

import os
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from platformdirs import user_cache_path, user_config_path, user_data_path

from hiersearch.errors import UsageError

__all__ = [
    "DEFAULT_NAME",
    "LONGEST_TIMEOUT",
    "TIMEOUT",
    "IndexPlace",
    "ServerPlace",
    "Settings",
    "absolute",
    "bare_url",
    "cache_dir",
    "check_name",
    "checked_timeout",
    "data_dir",
    "datasets_dir",
    "index_place",
    "is_url",
    "read_settings",
    "refuse_bare_address",
    "statistics_file",
    "store_folder",
]

DEFAULT_NAME = "photos"
"""Name of the index that is used if none is named."""

TIMEOUT = 30
"""Seconds to wait for each answer of a server, unless others are named."""

LONGEST_TIMEOUT = 86_400
"""A day, in seconds; far longer ones overflow in what waits."""

_LONGEST_NAME = 255
"""Of a file, in most file systems, and of a collection on a server."""

_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_SERVER_NAME = 100
# An index's other collections are named after it, so these endings are reserved.
_TAKEN_ENDINGS = ("-concepts", "-index")


@dataclass(frozen=True)
class ServerPlace:
    """An index on a Qdrant server.

    Attributes:
        url: The server, without user, password, query and fragment.
        name: Name of the index there.
        timeout: Seconds to wait for each of its answers.
    """

    url: str
    name: str
    timeout: int = field(default=TIMEOUT, compare=False)

    def __str__(self) -> str:
        return f"{self.url}/{self.name}"

    @classmethod
    def read(cls, url: str, timeout: int | None = None) -> Self:
        """Reads `http://host:6333/NAME`; a path between host and name belongs to the server.

        Args:
            url: Without a name after the host, `DEFAULT_NAME` is used. User, password, query and
                fragment are left out.
            timeout: Seconds to wait for each answer; by default `TIMEOUT`.

        Raises:
            UsageError: The URL cannot be read, or is not a valid name for an index.
        """
        server, seconds = bare_url(url), checked_timeout(timeout)
        if not urlsplit(server).path:
            return cls(server, DEFAULT_NAME, seconds)
        server, _, name = server.rpartition("/")
        name = unquote(name)
        check_name(name, "an index on a server", limit=_LONGEST_SERVER_NAME)
        if not _SERVER_NAME.fullmatch(name) or name.endswith(_TAKEN_ENDINGS):
            raise UsageError(
                f"{name!r} cannot name an index on a server",
                hint="Use letters, digits, '-', '_' and '.', and no -concepts or -index at the end",
            )
        return cls(server, name, seconds)


IndexPlace: TypeAlias = Path | ServerPlace
"""Where an index lies: its folder, or a server."""


@dataclass(frozen=True)
class Settings:
    """The settings of the environment and the configuration file.

    Attributes:
        model: The model for new indexes; None if it is not set.
        store: The folder or the URL of the index; None if it is not set.
    """

    model: str | None = None
    store: str | None = None


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Args:
        environ: The environment; `HIERSEARCH_CONFIG` names another configuration file.

    Raises:
        UsageError: The configuration file cannot be read, or has an unknown or unusable setting.
    """
    named = environ.get("HIERSEARCH_CONFIG")
    path = Path(named or user_config_path("hiersearch", appauthor=False) / "config.toml")
    try:
        settings = _parse(path, tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        if named:
            raise UsageError(
                f"HIERSEARCH_CONFIG names {path}, which does not exist",
                hint="Create the file, or unset the variable",
            ) from None
        settings = Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="Fix or remove it") from error
    return Settings(
        model=environ.get("HIERSEARCH_MODEL") or settings.model,
        store=environ.get("HIERSEARCH_STORE") or settings.store,
    )


_SECRETS = ("key", "pass", "secret", "token", "user")


def _parse(path: Path, content: Mapping[str, object]) -> Settings:
    known = [one.name for one in fields(Settings)]
    unusable = [key for key in known if key in content and not isinstance(content[key], str)]
    for key in (*unusable, *(key for key in content if key not in known)):
        value = repr(content[key])
        secret = "@" in value or any(word in key.lower() for word in _SECRETS)
        raise UsageError(
            f"{path} sets {key!r}" + ("" if secret else f" to {value}"),
            hint="Only model and store can be set, and both are text",
        )
    return Settings(**{key: str(value) for key, value in content.items()})


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what can be made again: built models, computed vectors, downloaded data.

    Args:
        environ: The environment; `HIERSEARCH_CACHE` overrides the system's cache folder.

    Returns:
        An absolute path; the folder need not exist.
    """
    return _folder(environ.get("HIERSEARCH_CACHE"), user_cache_path("hiersearch", appauthor=False))


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what takes work to make again: the indexes, and statistics of one's own.

    Args:
        environ: The environment; `HIERSEARCH_HOME` overrides the system's data folder.

    Returns:
        An absolute path; the folder need not exist.
    """
    return _folder(environ.get("HIERSEARCH_HOME"), user_data_path("hiersearch", appauthor=False))


def statistics_file(model_id: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where `hiersearch calibrate` keeps what it found out about a model.

    Args:
        model_id: The model.
        environ: The environment, as for `data_dir`.

    Returns:
        An absolute path; the file need not exist.
    """
    return data_dir(environ) / "statistics" / f"{quote(model_id, safe='')}.safetensors"


def datasets_dir(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the user's own data sets, for evaluation and training.

    Args:
        environ: The environment; `HIERSEARCH_DATA` names the folder.

    Returns:
        An absolute path, which need not exist; None if the variable is not set.
    """
    named = environ.get("HIERSEARCH_DATA")
    return absolute(named) if named else None


def index_place(
    store: str | IndexPlace | None,
    environ: Mapping[str, str] = os.environ,
    name: str | None = None,
    timeout: int | None = None,
) -> IndexPlace:
    """Where an index lies.

    Args:
        store: Its folder, or a server and a name as `ServerPlace.read` takes them; `~` is the home
            folder. None: as the settings say.
        environ: The environment.
        name: Name of an index in the user's data folder.
        timeout: Seconds to wait for each answer of a server; by default `TIMEOUT`. A folder
            answers at once.

    Returns:
        A server, or the absolute path of a folder, which need not exist.

    Raises:
        UsageError: Both are given, the name is not a plain file name, the URL cannot be read, or
            the timeout is no number of seconds.
    """
    seconds = checked_timeout(timeout)
    if name is not None:
        if store is not None:
            raise UsageError("both a store and a name were given", hint="Give one of them")
        check_name(name, "an index")
        if name.startswith(".") or name != Path(name).name:
            raise UsageError(f"{name!r} cannot name an index", hint="Use letters and digits")
    else:
        store = store or read_settings(environ).store
    if isinstance(store, ServerPlace):
        return store if timeout is None else replace(store, timeout=seconds)
    if store is None:
        return data_dir(environ) / "indexes" / (name or DEFAULT_NAME)
    if is_url(store):
        return ServerPlace.read(str(store), timeout)
    return store_folder(store)


# Control and format characters, lone surrogates, line and paragraph separators; emoji joiners stay.
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def check_name(name: str, what: str, *, limit: int = _LONGEST_NAME) -> None:
    """Makes sure that a name can be typed, shown and stored.

    Args:
        name: What was typed.
        what: What it is to name, such as "an index".
        limit: The most characters.

    Raises:
        UsageError: It is empty or too long, has blanks at an end, slashes or backslashes, line
            breaks or other characters that cannot be seen.
    """
    if len(name) > limit:
        shown, problem = f"{name[:20]!r}...", f"{len(name)} characters; the limit is {limit}"
        raise UsageError(f"the name {shown} has {problem}", hint="Use a shorter name")
    problem = _problem_of_name(name)
    if problem:
        raise UsageError(f"{name!r} cannot name {what}: {problem}", hint="Use letters and digits")


def _problem_of_name(name: str) -> str:
    if not name:
        return "it is empty"
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "it is not valid text"
    if any(char in "\n\r\x0b\x0c\x85\u2028\u2029" for char in name):
        return "it has a line break"
    if any(unicodedata.category(char) in _UNFIT and char not in _JOINERS for char in name):
        return "it has a character that cannot be seen"
    if name != name.strip():
        return "it begins or ends with a blank"
    if "/" in name or "\\" in name:
        return "it has a slash" if "/" in name else "it has a backslash"
    size = len(name.encode())
    if size > _LONGEST_NAME:
        return f"it takes {size} bytes; the limit is {_LONGEST_NAME}"
    return ""


def store_folder(store: str | Path) -> Path:
    """The absolute path of a store that is not a server.

    Raises:
        UsageError: It begins like a URL, or looks like the address of a server.
    """
    scheme, separator, _ = str(store).partition("://")
    if separator:
        begins = f"with {scheme}://" if _SCHEME.fullmatch(scheme) else "like this"
        raise UsageError(
            f"a store cannot begin {begins}",
            hint="Name a folder, or a server like http://localhost:6333/photos",
        )
    refuse_bare_address(store)
    return absolute(store)


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
# `user:password@host`, `password@host:6333`; a password can have slashes.
_ADDRESS = re.compile(r"(?![./~\\]|[A-Za-z]:[/\\])(.*:.*@|[^/]*@[^/]*:\d)|//.*@", re.DOTALL)


def refuse_bare_address(store: str | Path) -> None:
    """Makes sure that a folder is no server's address without its scheme.

    Such a folder would be named in messages, with the password in it. A `Path` is meant as one.

    Raises:
        UsageError: It looks like an address; the message leaves out what is before the host.
    """
    if isinstance(store, str) and _ADDRESS.match(store):
        server = re.split("[?#]", store.rpartition("@")[2])[0]
        raise UsageError(
            f"...@{server} looks like the address of a server without http://",
            hint=f"Write it as http://{server}, or begin with ./ if it is a folder",
        )


def checked_timeout(timeout: int | None) -> int:
    """Seconds to wait for each answer of a server; None: `TIMEOUT`.

    Raises:
        UsageError: It is no whole number of seconds from 1 to a day.
    """
    seconds = TIMEOUT if timeout is None else timeout
    if not isinstance(seconds, int) or not 1 <= seconds <= LONGEST_TIMEOUT:
        raise UsageError(
            f"{seconds!r} is no number of seconds to wait for a server",
            hint=f"Give a whole number from 1 to {LONGEST_TIMEOUT}",
        )
    return seconds


def is_url(location: str | Path) -> bool:
    """Whether a place is a server rather than a folder."""
    return str(location).lower().startswith(("http://", "https://"))


def bare_url(url: str) -> str:
    """A server's URL without user, password, query and fragment, with its port.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # Its message quotes what it takes for the port, which may be half of a password.
        raise UsageError(
            "the URL of the store cannot be read",
            hint="Write it as http://localhost:6333; in a password, write / as %2F, ? as %3F and # "
            "as %23",
        ) from None
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise UsageError(
            "the URL of the store has an @ after the server's name",
            hint="In a password, write / as %2F, ? as %3F and # as %23; elsewhere @ as %40",
        )
    if not host:
        raise UsageError(
            "the URL of the store names no server", hint="Write it as http://localhost:6333"
        )
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme.lower() == "https" else 6333
    return f"{parts.scheme.lower()}://{host}:{port or default}{parts.path.rstrip('/')}"


def absolute(path: str | Path) -> Path:
    """The absolute path, without resolving links; `~` is the home folder."""
    # Not resolve(): a link that the user named is the name that messages should show.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100


def _folder(named: str | Path | None, default: Path) -> Path:
    return absolute(named) if named else default
