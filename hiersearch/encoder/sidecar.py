"""What a model folder says about itself beyond what SentenceTransformer reads: `hiersearch.json`.

    {"version": 1, "root": [...], "temperature": 0.04, "id": "...", "weights": "..."}

Every entry but the version may be missing. `id` and `temperature` are facts about one set of
weights. `weights` is the fingerprint of that set, so that a folder whose weights were trained
further no longer passes for the model that it was made from.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIDECAR_NAME", "Sidecar", "fingerprint", "read_sidecar", "write_sidecar"]

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
