"""What models are called, and where they lie on this machine.

A model is looked for locally before any network. Imports no torch.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,  # of whichever HTTP library the hub's client uses
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from hiersearch.errors import ModelError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "IN_MEMORY",
    "MINI",
    "MINI_ALIGNED",
    "MODEL_NAMES",
    "default_model",
    "find_model",
    "model_folder",
]

MINI = "mini"
"""The name of the offline model, which is built and not looked for."""

MINI_ALIGNED = "mini-aligned"
"""The name of the offline model after alignment, which is built, too."""

IN_MEMORY = "a model in memory"
"""What a model is called that was handed over, and so has neither name nor folder."""

PREFERRED = "hierarcaps-clip-b"

MODEL_NAMES = {
    "clip-b": "openai/clip-vit-base-patch32",
    "clip-l": "openai/clip-vit-large-patch14",
    "hierarcaps-clip-b": "malper/hierarcaps-clip-b",
    "hierarcaps-clip-l": "malper/hierarcaps-clip-l",
}
"""Short names, and the Hugging Face repositories that they stand for."""

HUB_TIMEOUT = 5.0
"""Seconds to wait for the model hub's first answer."""

OTHER_FORMATS = ["*.h5", "*.msgpack", "*.onnx", "*.ot", "*.tflite", "onnx/*", "openvino/*"]
"""Weights in forms that are not read here."""


def default_model(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The model to use where none was named, and none is remembered by an index.

    Args:
        environ: The environment; `HIERSEARCH_MODEL` names the default.

    Returns:
        The model's name, and one line to show the user where a better model is to be had.
    """
    if chosen := environ.get("HIERSEARCH_MODEL"):
        return chosen, None
    if find_model(PREFERRED, environ) is not None:
        return PREFERRED, None
    return MINI, (
        "Using the small offline model, which cannot see people, colours or counts; "
        f"--model {PREFERRED} sees far more, and is downloaded once"
    )


def find_model(name: str | Path, environ: Mapping[str, str]) -> Path | None:
    """Look for a model on this machine: a folder, or a repository in the hub's cache.

    Args:
        name: A short name, a Hugging Face name, or a folder.
        environ: The environment, for the place of the hub's cache.

    Returns:
        The model's folder; None where it is not on this machine.
    """
    folder = Path(name).expanduser()
    if isinstance(name, Path) or _is_path(name):
        return folder if folder.is_dir() else None
    if name not in MODEL_NAMES and _holds_model(folder):
        return folder
    for cache in _hub_caches(environ):
        cached: str | None
        try:
            cached = snapshot_download(_repository(name), cache_dir=cache, local_files_only=True)
        except HFValidationError:
            return None
        except LocalEntryNotFoundError as error:
            # Also raised where only files of other formats are missing.
            cached = getattr(error, "snapshot_path", None)
        if cached is not None and _holds_model(Path(cached)):
            return Path(cached)
    return None


def model_folder(name: str | Path, environ: Mapping[str, str]) -> Path:
    """The folder of a model that was named, downloaded if it is not on this machine.

    Args:
        name: A short name, a Hugging Face name, or a folder.
        environ: The environment, for the place of the hub's cache.

    Returns:
        A folder that holds a model.

    Raises:
        ModelNotFoundError: If the model is neither here nor to be had.
        ModelError: If there is such a folder, but no model in it.
    """
    found = find_model(name, environ)
    if found is not None:
        if not _holds_model(found):
            raise ModelError(
                f"the folder {found} holds no model",
                hint="Name a folder that has a config.json or modules.json and weights",
            )
        return found
    if isinstance(name, Path) or _is_path(name):
        raise ModelNotFoundError(f"there is no model folder {name}", hint=_choices())
    return _download(name, environ)


def _download(name: str, environ: Mapping[str, str]) -> Path:
    repository = _repository(name)
    try:
        files = HfApi().model_info(repository, timeout=HUB_TIMEOUT).siblings or []
        ignored = list(OTHER_FORMATS)
        if any(file.rfilename.endswith(".safetensors") for file in files):
            ignored.append("*.bin")
        folder = snapshot_download(
            repository, cache_dir=_hub_caches(environ)[0], ignore_patterns=ignored
        )
    except (HFValidationError, RepositoryNotFoundError) as error:
        # A gated repository is a RepositoryNotFoundError, too.
        if isinstance(error, GatedRepoError):
            raise ModelNotFoundError(
                f"the model {repository} is given only to users who asked for it",
                hint=f"Ask for it at https://huggingface.co/{repository}, then run: hf auth login",
            ) from error
        raise ModelNotFoundError(f"no model is called {name}", hint=_choices()) from error
    except (HTTPError, OSError) as error:
        raise ModelNotFoundError(
            f"the model {name} is not on this machine, and cannot be downloaded: {error}",
            hint=f"Check the name, go online once, or use the offline model, {MINI}",
        ) from error
    return Path(folder)


def _choices() -> str:
    names = ", ".join([MINI, MINI_ALIGNED, *MODEL_NAMES])
    return f"Choose {names}, a Hugging Face name, or a model's folder"


def _repository(name: str) -> str:
    """The full Hugging Face name."""
    name = MODEL_NAMES.get(name, name)
    return name if "/" in name else f"sentence-transformers/{name}"


def _is_path(name: str) -> bool:
    """Whether a name can only be a path: Hugging Face names have one slash, and not in front."""
    return (
        name.startswith((".", "~", os.sep))
        or name.endswith(("/", os.sep))
        or name.count("/") > 1
        or (os.sep != "/" and os.sep in name)
    )


def _holds_model(folder: Path) -> bool:
    """Whether the folder has a model's configuration and some weights."""
    configured = (folder / "modules.json").is_file() or (folder / "config.json").is_file()
    return configured and any(path.suffix in (".safetensors", ".bin") for path in folder.rglob("*"))


def _hub_caches(environ: Mapping[str, str]) -> Sequence[Path]:
    """Where Hugging Face's libraries keep what they have downloaded; the first is written to."""
    places = []
    if own := environ.get("SENTENCE_TRANSFORMERS_HOME"):
        places.append(Path(own).expanduser())
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    if hub:
        return [*places, Path(hub).expanduser()]
    home = environ.get("HF_HOME")
    if home:
        return [*places, Path(home).expanduser() / "hub"]
    cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return [*places, cache / "huggingface" / "hub"]
