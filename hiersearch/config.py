"""Where hiersearch keeps its things, and what it is told: flag > environment > file > default.

The environment has `HIERSEARCH_MODEL` and `HIERSEARCH_STORE`; the file, `config.toml` in
the user's configuration folder, may set `model` and `store`. Flags are the callers' arguments.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import unquote, urlsplit

from platformdirs import user_cache_path, user_config_path, user_data_path

from hiersearch.errors import UsageError

__all__ = [
    "DEFAULT_NAME",
    "IndexPlace",
    "ServerPlace",
    "Settings",
    "absolute",
    "bare_url",
    "cache_dir",
    "data_dir",
    "index_place",
    "is_url",
    "read_settings",
    "store_folder",
]

DEFAULT_NAME = "photos"
"""Name of the index that is meant when none is named."""

_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# What belongs to an index beside its photos is called after it: these are not free.
_TAKEN_ENDINGS = ("-concepts", "-index")


@dataclass(frozen=True)
class ServerPlace:
    """An index on a Qdrant server.

    Attributes:
        url: The server, without user, password, query and fragment.
        name: Name of the index there.
    """

    url: str
    name: str

    def __str__(self) -> str:
        return f"{self.url}/{self.name}"

    @classmethod
    def read(cls, url: str) -> Self:
        """From `http://host:6333/NAME`; what stands between host and name belongs to the server.

        Args:
            url: Where no name stands behind the host, `DEFAULT_NAME` is meant. User, password,
                query and fragment are left out.

        Raises:
            UsageError: The URL cannot be read, or no index can have that name.
        """
        server = bare_url(url)
        if not urlsplit(server).path:
            return cls(server, DEFAULT_NAME)
        server, _, name = server.rpartition("/")
        name = unquote(name)
        if not _SERVER_NAME.fullmatch(name) or name.endswith(_TAKEN_ENDINGS):
            raise UsageError(
                f"{name!r} cannot name an index on a server",
                hint="Use letters, digits, '-', '_' and '.', and neither -concepts nor -index at "
                "its end",
            )
        return cls(server, name)


IndexPlace: TypeAlias = Path | ServerPlace
"""Where an index lies: its folder, or a server."""


@dataclass(frozen=True)
class Settings:
    """What the environment or the configuration file says.

    Attributes:
        model: The model for new indexes; None if nothing is said.
        store: The folder or the URL of the index; None if nothing is said.
    """

    model: str | None = None
    store: str | None = None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads the settings.

    Args:
        environ: The environment; `HIERSEARCH_CONFIG` names another configuration file.

    Raises:
        UsageError: The configuration file cannot be read, or holds what is not a setting.
    """
    named = environ.get("HIERSEARCH_CONFIG")
    path = Path(named or user_config_path("hiersearch", appauthor=False) / "config.toml")
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise UsageError(
                f"HIERSEARCH_CONFIG names {path}, which is not there", hint="Make it or unset it"
            ) from None
        stored = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", hint="Mend or remove it") from error
    for key, value in stored.items():
        if key not in Settings.__dataclass_fields__ or not isinstance(value, str):
            raise UsageError(
                f"{path} sets {key!r} to {value!r}", hint="It may set model and store, to texts"
            )
    return Settings(
        model=environ.get("HIERSEARCH_MODEL") or stored.get("model"),
        store=environ.get("HIERSEARCH_STORE") or stored.get("store"),
    )


def cache_dir(environ: Mapping[str, str]) -> Path:
    """The folder of what can be made again: the offline model, embedded vocabularies.

    Args:
        environ: The environment; `HIERSEARCH_CACHE` overrides the system's cache folder.

    Returns:
        An absolute path; the folder need not exist.
    """
    return _folder(environ.get("HIERSEARCH_CACHE"), user_cache_path("hiersearch", appauthor=False))


def data_dir(environ: Mapping[str, str]) -> Path:
    """The folder of what cannot be made again without work: the indexes.

    Args:
        environ: The environment; `HIERSEARCH_HOME` overrides the system's data folder.

    Returns:
        An absolute path; the folder need not exist.
    """
    return _folder(environ.get("HIERSEARCH_HOME"), user_data_path("hiersearch", appauthor=False))


def index_place(
    store: str | IndexPlace | None, environ: Mapping[str, str], name: str | None = None
) -> IndexPlace:
    """Where an index lies.

    Args:
        store: Its folder, or a server and a name as `ServerPlace.read` takes them, where one is
            named; `~` is the home folder.
        environ: The environment.
        name: Name of an index in the user's data folder.

    Returns:
        A server, or the absolute path of a folder, which need not exist.

    Raises:
        UsageError: Both are given, or the name is no plain file name, or the URL cannot be read.
    """
    if name is not None:
        if store is not None:
            raise UsageError("both a store and a name were given", hint="Give one of them")
        if not name or name.startswith(".") or name != Path(name).name:
            raise UsageError(f"{name!r} cannot name an index", hint="Use letters and digits")
    else:
        store = store or read_settings(environ).store
    if isinstance(store, ServerPlace):
        return store
    if store is None:
        return data_dir(environ) / "indexes" / (name or DEFAULT_NAME)
    if is_url(store):
        return ServerPlace.read(str(store))
    return store_folder(store)


def store_folder(store: str | Path) -> Path:
    """The absolute path of a store that is no server.

    Raises:
        UsageError: It begins as a URL does.
    """
    scheme, separator, _ = str(store).partition("://")
    if separator:
        raise UsageError(
            f"a store cannot begin with {scheme}://",
            hint="Name a folder, or a server like http://localhost:6333/photos",
        )
    return absolute(store)


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
    except ValueError as error:
        raise UsageError(f"the URL of the store cannot be read ({error})") from None
    if not host:
        raise UsageError(
            "the URL of the store names no server", hint="Write it as http://localhost:6333"
        )
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme.lower() == "https" else 6333
    return f"{parts.scheme.lower()}://{host}:{port or default}{parts.path.rstrip('/')}"


def absolute(path: str | Path) -> Path:
    """The absolute path by the name that was given; `~` is the home folder."""
    # Not resolve(): a link that the user named is the name that messages should show.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100


def _folder(named: str | Path | None, default: Path) -> Path:
    return absolute(named) if named else default
