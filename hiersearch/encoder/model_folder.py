"""What a model folder says about itself beyond what SentenceTransformer reads: `hiersearch.json`.

    {"version": 1, "root": [...], "temperature": 0.04, "id": "...", "weights": "..."}

Every entry but the version may be missing. `id` and `temperature` are facts about one set of
weights. `weights` is the fingerprint of that set, so that a folder whose weights were trained
further no longer passes for the model that it was made from.

Models that are built once, into folders of the cache.

Keeps the model libraries from writing progress bars and notices to stderr.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.utils import logging as transformers_logging

from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

__all__ = [
    "SIDECAR_NAME",
    "Sidecar",
    "built_folder",
    "fingerprint",
    "quiet",
    "read_sidecar",
    "sidecar_of",
    "write_sidecar",
]

SIDECAR_NAME = "hiersearch.json"
VERSION = 1


@dataclass(frozen=True)
class Sidecar:
    """The contents of a sidecar file.

    Attributes:
        root: The entailment root (dim,), where it is not the embedding of the empty text.
        temperature: T of the posterior descent for photos, above 0.
        id: What the model is, where that is known better than by its weights.
        weights: Fingerprint of the weights that `id` and `temperature` are true of.
        files: Sizes in bytes of the folder's files by relative path; empty where not recorded.
    """

    root: tuple[float, ...] | None = None
    temperature: float | None = None
    id: str | None = None
    weights: str | None = None
    files: Mapping[str, int] | None = None


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """Hash a state dict: names, shapes and values, whatever their device or floating-point type.

    Args:
        state: Tensors by name, as `module.state_dict()` gives them.

    Returns:
        32 hexadecimal digits; the same after saving and loading.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        tensor = state[name].detach()
        # Half-precision weights are saved as float32 once they have been computed with.
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        values = tensor.cpu().contiguous()
        digest.update(f"{name}{tuple(values.shape)}".encode())
        if values.numel():
            digest.update(values.numpy().data.cast("B"))
    return digest.hexdigest()


def read_sidecar(folder: Path) -> Sidecar:
    """Read a model folder's sidecar file.

    Args:
        folder: The model folder.

    Returns:
        What the file says; an empty sidecar where there is no file.

    Raises:
        ModelError: If the file cannot be read, or says what it cannot say.
    """
    path = folder / SIDECAR_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Sidecar()
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("version"), int):
        raise _damaged(path, "it states no version")
    if content["version"] > VERSION:
        raise ModelError(
            f"{path} is of version {content['version']}, this program reads up to {VERSION}",
            hint="Install a newer hiersearch",
        )
    return _parse(path, content)


def write_sidecar(folder: Path, sidecar: Sidecar) -> None:
    """Write a model folder's sidecar file, leaving out what is unknown."""
    entries: dict[str, Any] = {
        "root": None if sidecar.root is None else list(sidecar.root),
        "temperature": sidecar.temperature,
        "id": sidecar.id,
        "weights": sidecar.weights,
        "files": None if sidecar.files is None else dict(sidecar.files),
    }
    known = {name: value for name, value in entries.items() if value is not None}
    text = json.dumps({"version": VERSION, **known}, indent=1)
    (folder / SIDECAR_NAME).write_text(text + "\n", encoding="utf-8")


def _parse(path: Path, content: Mapping[str, Any]) -> Sidecar:
    root, temperature = content.get("root"), content.get("temperature")
    if root is not None:
        if not isinstance(root, list) or not root or not all(_is_finite(x) for x in root):
            raise _damaged(path, "its root is not a list of finite numbers")
        root = tuple(float(x) for x in root)
    if temperature is not None and not (_is_finite(temperature) and temperature > 0):
        raise _damaged(path, "its temperature is not a number above 0")
    files = content.get("files")
    if files is not None and not isinstance(files, dict):
        raise _damaged(path, "its list of files is not one")
    for name in ("id", "weights"):
        if not isinstance(content.get(name), str | None):
            raise _damaged(path, f"its {name} is not a text")
    return Sidecar(
        root=root,
        temperature=temperature,
        id=content.get("id"),
        weights=content.get("weights"),
        files=files,
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} cannot be used: {reason}", hint="Mend or delete this file, or save the model again"
    )


STALE_SECONDS = 3600.0
"""Age after which an unfinished build is taken for one that was killed."""


def built_folder(
    folder: Path, *, model_id: str, temperature: float | None, build: Callable[[Path], None]
) -> Path:
    """A model's folder, built if it is not there yet.

    Several processes may call this at once: each builds in a folder of its own, and the first to
    finish wins. What a killed build left behind is removed by a later one.

    Args:
        folder: Where the model lies.
        model_id: What its sidecar must say that it is; otherwise it is built again.
        temperature: The same.
        build: Makes the model in a folder that does not exist yet, with the sidecar of
            `sidecar_of` as its last file.

    Returns:
        The folder.

    Raises:
        ModelError: The cache folder cannot be written to.
    """
    if _is_whole(folder, model_id, temperature):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder.parent)
        with tempfile.TemporaryDirectory(
            prefix=".unfinished-", dir=folder.parent, ignore_cleanup_errors=True
        ) as scratch:
            built = Path(scratch) / folder.name
            build(built)
            if folder.exists() and not _is_whole(folder, model_id, temperature):
                folder.rename(Path(scratch) / "replaced")
            try:
                built.rename(folder)
            except OSError:
                # Another process was faster.
                if not _is_whole(folder, model_id, temperature):
                    raise
    except OSError as error:
        raise ModelError(
            f"the offline model cannot be written to {folder.parent}: {error.strerror or error}",
            hint="Make room there, or set HIERSEARCH_CACHE to a folder with 300 MB free",
        ) from error
    return folder


def sidecar_of(
    folder: Path, state: Mapping[str, torch.Tensor], *, model_id: str, temperature: float | None
) -> Sidecar:
    """The sidecar of a folder that was just built, with the sizes of its files."""
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Sidecar(temperature=temperature, id=model_id, weights=fingerprint(state), files=files)


def _is_whole(folder: Path, model_id: str, temperature: float | None) -> bool:
    """Whether the folder holds every file that was built; cache cleaners remove single ones."""
    if not (folder / SIDECAR_NAME).is_file():
        return False
    try:
        sidecar = read_sidecar(folder)
        return (sidecar.id, sidecar.temperature) == (model_id, temperature) and all(
            (folder / name).stat().st_size == size for name, size in (sidecar.files or {}).items()
        )
    except (ModelError, OSError):
        return False


def _remove_stale(models: Path) -> None:
    """Remove what killed builds left behind."""
    for scratch in models.glob(".unfinished-*"):
        try:
            stale = time.time() - scratch.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue
        if stale:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars, its notices below errors, and Python warnings.

    What was set before is set again afterwards.
    """
    bars = transformers_logging.is_progress_bar_enabled()
    verbosity = transformers_logging.get_verbosity()
    disable_bars: Callable[[], None] = transformers_logging.disable_progress_bar
    enable_bars: Callable[[], None] = transformers_logging.enable_progress_bar
    disable_bars()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            enable_bars()
