"""`mini`, the offline model: its folder, written from the files that come with hiersearch.

A photo passes through EfficientNet-Lite0 and a small head, a text through MiniLM; both were trained
further, on captioned photos and on hierarchies, by `training/recipes/mini-head.toml` and then
`mini-eye.toml`. The model's card says on what, and what it sees.

The files lie beside this module as `SentenceTransformer` would save them, but for the weights: all
are in one file, in half precision. Writing them out needs no torch.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiersearch.encoder.graphs.graph_folder import NOTES
from hiersearch.encoder.model_folder import (
    SIDECAR_NAME,
    built_folder,
    read_sidecar,
    sizes,
    write_sidecar,
)
from hiersearch.errors import ModelError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WEIGHTS", "concept_vectors_file", "mini_folder", "packed_folder", "write_folder"]

WEIGHTS = "weights.safetensors"
"""All weights, in half precision; a tensor of `PATH/model.safetensors` is called `PATH/NAME`."""

MODULE_WEIGHTS = "model.safetensors"

NOT_COPIED = (".npy", ".onnx", ".safetensors")
"""Files that are read where they are, or written anew: statistics, too, for newer ones may come
with the same weights."""


def packed_folder() -> Path:
    """The folder of the files that come with hiersearch."""
    return Path(str(resources.files("hiersearch.encoder.mini") / "second"))


def concept_vectors_file(vocabulary_id: str) -> Path:
    """The file of a vocabulary's vectors, which is there for the built-in one.

    It holds (n, dim) float16, a row per concept, each of about length 1.

    Args:
        vocabulary_id: The vocabulary's id.
    """
    return packed_folder() / f"concepts-{vocabulary_id}.npy"


def mini_folder(cache: Path) -> Path:
    """The folder of `mini`, written if it is missing; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        ModelError: hiersearch is damaged, or the cache folder cannot be written to.
        MissingPackageError: The package that writes weights is not installed.
    """
    packed = packed_folder()
    stated = read_sidecar(packed)
    if stated.id is None:
        raise ModelError("the offline model is missing", hint="Install hiersearch again")
    return built_folder(
        cache / "models" / stated.id,
        model_id=stated.id,
        temperature=stated.temperature,
        build=lambda folder: write_folder(packed, folder),
    )


def write_folder(packed: Path, folder: Path) -> None:
    """Write a model's folder in single precision.

    Args:
        packed: The folder of the files that come with hiersearch, or one like it.
        folder: The folder to make; must not exist yet.

    Raises:
        MissingPackageError: The package that writes weights is not installed.
        ModelError: The weights are damaged.
        OSError: The folder cannot be written.
    """
    safetensors: Any = require("safetensors.numpy", extra="mini", purpose="the offline model")
    from safetensors import SafetensorError

    try:
        weights = safetensors.load_file(packed / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the offline model's weights cannot be read: {packed / WEIGHTS}: {error}",
            hint="Install hiersearch again",
        ) from error
    others = [path for path in packed.rglob("*") if path.is_file()]
    for path in sorted(others):
        if path.suffix in NOT_COPIED or path.name in (SIDECAR_NAME, NOTES):
            continue
        target = folder / path.relative_to(packed)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    modules: defaultdict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    for name, value in weights.items():
        module, _, own = name.partition("/")
        single = value.astype(np.float32) if value.dtype == np.float16 else value
        modules[module][own] = single
    for module, tensors in modules.items():
        path = folder / module / MODULE_WEIGHTS
        try:
            safetensors.save_file(tensors, path, {"format": "pt"})
        except SafetensorError as error:  # a full disk, for one
            raise OSError(f"{path.name}: {error}") from error
    write_sidecar(folder, replace(read_sidecar(packed), files=sizes(folder)))
