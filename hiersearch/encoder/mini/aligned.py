"""The offline model after alignment: `mini` plus a small file of differences in its text tower.

The differences come from training with `training/recipes/mini-aligned.toml` on the built-in
vocabulary's hierarchy; `training/mini_aligned.py` writes them. The image tower is that of `mini`.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load

from hiersearch.encoder.mini.recipe import MINI_ID, mini_folder
from hiersearch.encoder.model_folder import (
    built_folder,
    load_model,
    quiet,
    sidecar_of,
    write_sidecar,
)
from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from sentence_transformers import SentenceTransformer

__all__ = [
    "DIFFERENCES",
    "MINI_ALIGNED_TEMPERATURE",
    "add_differences",
    "differences",
    "mini_aligned_folder",
]

DIFFERENCES = "mini_aligned.safetensors"
"""The file beside this module."""

MINI_ALIGNED_TEMPERATURE = 0.047
"""T of the posterior descent; see `hiersearch.encoder.mini.recipe.MINI_TEMPERATURE`."""


def mini_aligned_folder(cache: Path) -> Path:
    """The folder of `mini-aligned`, built if it is missing; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        MissingPackageError: A package that it is built from is not installed.
        ModelError: Such a package is damaged, or the cache folder cannot be written to.
    """
    content = resources.files("hiersearch.encoder.mini").joinpath(DIFFERENCES).read_bytes()
    name = hashlib.sha256(content).hexdigest()[:12]
    model_id = f"mini-aligned-{name}-{MINI_ID}"

    def build(folder: Path) -> None:
        model = load_model(mini_folder(cache), "cpu")
        add_differences(model, load(content))
        folder.mkdir(parents=True)
        with quiet():
            model.save(str(folder), create_model_card=False)
        state = model.state_dict()
        write_sidecar(
            folder,
            sidecar_of(folder, state, model_id=model_id, temperature=MINI_ALIGNED_TEMPERATURE),
        )

    return built_folder(
        cache / "models" / f"mini-aligned-{name}",
        model_id=model_id,
        temperature=MINI_ALIGNED_TEMPERATURE,
        build=build,
    )


def differences(model: SentenceTransformer, base: SentenceTransformer) -> dict[str, torch.Tensor]:
    """The differences between the weights of two models, in half precision.

    Args:
        model: The trained model.
        base: The model that it was trained from.

    Returns:
        The differences by name, of the weights that differ. Half precision is exact to a thousandth
        of a difference.
    """
    before = base.state_dict()
    return {
        name: (value.float() - before[name].float()).half().contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point() and not value.equal(before[name])
    }


def add_differences(model: SentenceTransformer, moved: Mapping[str, torch.Tensor]) -> None:
    """Adds differences to a model's weights.

    Args:
        model: Changed in place.
        moved: As returned by `differences`.

    Raises:
        ModelError: The model has no weights of these names and shapes.
    """
    state = model.state_dict()
    for name, value in moved.items():
        if name not in state or state[name].shape != value.shape:
            raise ModelError(
                f"the offline model has no weights {name} of this shape",
                hint="Install hiersearch again",
            )
        state[name].add_(value.float())
