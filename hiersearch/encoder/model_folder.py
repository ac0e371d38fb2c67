"""The folder of a model: what it says about itself, and how one is built once, and loaded.

Beside what `SentenceTransformer` saves, a folder may hold a sidecar, `hiersearch.json`:

    {"version": 1, "root": [...], "temperature": 0.04, "id": "...", "weights": "..."}

Every entry but the version is optional. `id` and `temperature` are facts about one set of weights,
and `weights` is the fingerprint of that set: a folder whose weights were trained further no longer
passes for the model that it was made from. `files` lists what was written, so that a folder in the
cache that has lost a file is built again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiersearch.errors import ModelError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch
    from sentence_transformers import SentenceTransformer

__all__ = [
    "SIDECAR_NAME",
    "Sidecar",
    "built_folder",
    "fingerprint",
    "load_model",
    "quiet",
    "read_sidecar",
    "sidecar_of",
    "sizes",
    "write_sidecar",
]

SIDECAR_NAME = "hiersearch.json"

VERSION = 1
"""The newest version of the sidecar that is understood."""

STALE_SECONDS = 3600.0
"""Age after which an unfinished build is taken for one that was killed."""

_MEANING = {
    "root": "a list of finite numbers",
    "temperature": "a number above 0",
    "id": "text",
    "weights": "text",
    "files": "sizes by file",
}
"""What each entry of a sidecar must be, for messages."""


@dataclass(frozen=True)
class Sidecar:
    """The contents of a sidecar.

    Attributes:
        root: The entailment root (dim,), if it is not the embedding of the empty text.
        temperature: T of the posterior descent for photos, above 0.
        id: What the model is, if that is known better than by its weights.
        weights: Fingerprint of the weights that `id` and `temperature` are about.
        files: Sizes in bytes of the folder's files by relative path, if they were recorded.
    """

    root: tuple[float, ...] | None = None
    temperature: float | None = None
    id: str | None = None
    weights: str | None = None
    files: Mapping[str, int] | None = None


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """Hashes a state dict: names, shapes and values, whatever their device or precision.

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
    """Reads the sidecar of a model's folder.

    Args:
        folder: The model's folder.

    Returns:
        What the file says; an empty sidecar if there is no file.

    Raises:
        ModelError: The file cannot be read, or an entry has the wrong type.
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
    """Writes the sidecar of a model's folder, leaving out what is unknown."""
    known = {name: value for name, value in asdict(sidecar).items() if value is not None}
    text = json.dumps({"version": VERSION, **known}, indent=1)
    (folder / SIDECAR_NAME).write_text(text + "\n", encoding="utf-8")


def sidecar_of(
    folder: Path, state: Mapping[str, torch.Tensor], *, model_id: str, temperature: float | None
) -> Sidecar:
    """The sidecar of a folder that was just built, with the sizes of its files."""
    return Sidecar(
        temperature=temperature, id=model_id, weights=fingerprint(state), files=sizes(folder)
    )


def sizes(folder: Path) -> dict[str, int]:
    """The sizes in bytes of the files in a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def built_folder(
    folder: Path, *, model_id: str, temperature: float | None, build: Callable[[Path], None]
) -> Path:
    """The folder of a model in the cache, built if it is missing or incomplete.

    Several processes may call this at once: each builds in a folder of its own, and the first to
    finish wins. What a killed build left behind is removed by a later one.

    Args:
        folder: Where the model belongs.
        model_id: The `id` that its sidecar must state; otherwise it is built again.
        temperature: The `temperature`, likewise.
        build: Makes the model in a folder that does not exist yet, and writes the sidecar of
            `sidecar_of` last.

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


def _parse(path: Path, content: Mapping[str, Any]) -> Sidecar:
    """Checked by hand: it is read at every query, and a library for it takes longer to load."""
    found = {name: content.get(name) for name in _MEANING}
    root, temperature, files = found["root"], found["temperature"], found["files"]
    are_right = {
        "root": root is None or (isinstance(root, list) and root and all(map(_is_number, root))),
        "temperature": temperature is None or (_is_number(temperature) and temperature > 0),
        "id": isinstance(found["id"], str | None),
        "weights": isinstance(found["weights"], str | None),
        "files": files is None
        or (isinstance(files, dict) and all(type(size) is int for size in files.values())),
    }
    for name, is_right in are_right.items():
        if not is_right:
            raise _damaged(path, f"its {name} is not {_MEANING[name]}")
    return Sidecar(
        root=None if root is None else tuple(map(float, root)),
        temperature=temperature,
        id=found["id"],
        weights=found["weights"],
        files=files,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} cannot be used: {reason}", hint="Fix or delete this file, or save the model again"
    )


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


def load_model(folder: Path, device: str | None = None) -> SentenceTransformer:
    """Loads a model in single precision, always with the same weights.

    Args:
        folder: The model's folder.
        device: Where to compute, as torch names it; by default the fastest there is.

    Raises:
        ModelError: The folder holds no model that can be loaded.
        MissingPackageError: The model libraries are not installed.
    """
    require("sentence_transformers", extra="models", purpose=f"the model in {folder}")
    _refuse_activations(folder)
    import pickle

    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    try:
        # Weights that the folder leaves out, such as an unused pooler, are drawn at random: always
        # the same ones, so that the model's fingerprint is, too.
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            # Half-precision weights are slow on a CPU, and mini's head needs float32.
            return SentenceTransformer(str(folder), device=device, local_files_only=True).float()
    except (
        OSError,
        ValueError,
        RuntimeError,
        LookupError,
        TypeError,
        AttributeError,
        ImportError,
        EOFError,
        AssertionError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:  # what the model libraries raise on a folder that they cannot read
        if _is_pickle(error):
            raise ModelError(
                f"the model in {folder} has weights that could run a program when they are loaded",
                hint="Use a copy whose weights are in safetensors files",
            ) from error
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"the model in {folder} cannot be loaded: {reason[0]}",
            hint="Delete this folder if it was downloaded or built, and run the command again",
        ) from error


def _refuse_activations(folder: Path) -> None:
    """Refuses a model one of whose activations is not torch's own.

    sentence-transformers would put Tanh in its place, with a warning: other vectors than the
    model's.

    Raises:
        ModelError: There is one.
    """
    for path in folder.glob("*/config.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # whoever loads it says what is wrong
        name = content.get("activation_function") if isinstance(content, dict) else None
        if isinstance(name, str) and "." in name and not name.startswith("torch."):
            raise ModelError(
                f"the model in {folder} computes with {name}, which is code of its own",
                hint="hiersearch runs no code of a model's folder: use a model that needs none",
            )


def _is_pickle(error: BaseException) -> bool:
    """Whether weights were refused since they are a pickle of more than numbers."""
    import pickle

    text = str(error)
    return isinstance(error, pickle.UnpicklingError) or "weights_only" in text


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars, its notices below errors, and Python warnings.

    Restores the previous settings afterwards.
    """
    from transformers.utils import logging as transformers_logging

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
