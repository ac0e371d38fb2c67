"""Where hiersearch keeps its things, and what it is told: flag > environment > file > default.

The environment has `HIERSEARCH_MODEL` and `HIERSEARCH_STORE`; the file, `config.toml` in
the user's configuration folder, may set `model` and `store`. Flags are the callers' arguments.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

from hiersearch.errors import UsageError

__all__ = [
    "DEFAULT_NAME",
    "Settings",
    "absolute",
    "cache_dir",
    "data_dir",
    "index_folder",
    "read_settings",
]

DEFAULT_NAME = "photos"
"""Name of the index that is meant when none is named."""


@dataclass(frozen=True)
class Settings:
    """What the environment or the configuration file says.

    Attributes:
        model: The model for new indexes; None if nothing is said.
        store: The folder of the index; None if nothing is said.
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


def index_folder(
    store: str | Path | None, environ: Mapping[str, str], name: str | None = None
) -> Path:
    """The folder of an index.

    Args:
        store: The folder itself, where one is named; `~` is the home folder.
        environ: The environment.
        name: Name of an index in the user's data folder.

    Returns:
        An absolute path; the folder need not exist.

    Raises:
        UsageError: Both are given, or the name is no plain file name.
    """
    if name is not None:
        if store is not None:
            raise UsageError("both a store and a name were given", hint="Give one of them")
        if not name or name.startswith(".") or name != Path(name).name:
            raise UsageError(f"{name!r} cannot name an index", hint="Use letters and digits")
    else:
        store = store or read_settings(environ).store
    if store is not None:
        if "://" in str(store):
            raise UsageError(
                f"{store} is no folder",
                hint="Name a folder; servers are for HierarchicalCollection",
            )
        return _folder(store, Path())
    return data_dir(environ) / "indexes" / (name or DEFAULT_NAME)


def absolute(path: str | Path) -> Path:
    """The absolute path by the name that was given; `~` is the home folder."""
    # Not resolve(): a link that the user named is the name that messages should show.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100


def _folder(named: str | Path | None, default: Path) -> Path:
    return absolute(named) if named else default
