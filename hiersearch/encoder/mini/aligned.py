"""The offline model after alignment: its text tower moved by a small file of differences.

The differences are made by `training/recipes/mini-aligned.toml` on the built-in vocabulary's own
hierarchy; `training/mini_aligned.py` writes them. The image tower is the offline model's own.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load
from sentence_transformers import SentenceTransformer

from hiersearch.encoder.mini.recipe import MINI_ID, mini_folder
from hiersearch.encoder.model_folder import built_folder, quiet, sidecar_of, write_sidecar
from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = [
    "DIFFERENCES",
    "MINI_ALIGNED_TEMPERATURE",
    "add_differences",
    "differences",
    "mini_aligned_folder",
]

DIFFERENCES = "mini_aligned.safetensors"

MINI_ALIGNED_TEMPERATURE = 0.047
"""T of the posterior descent; see `hiersearch.encoder.mini.recipe.MINI_TEMPERATURE`."""


def mini_aligned_folder(cache: Path) -> Path:
    """The aligned offline model's folder, built if it is not there yet; see `built_folder`.

    Args:
        cache: The cache folder.

    Returns:
        A folder that `SentenceTransformer` opens.

    Raises:
        ModelNotFoundError: If a package that it is made from is not installed.
        ModelError: If such a package is damaged, or the cache folder cannot be written to.
    """
    content = resources.files("hiersearch.encoder.mini").joinpath(DIFFERENCES).read_bytes()
    name = hashlib.sha256(content).hexdigest()[:12]
    model_id = f"mini-aligned-{name}-{MINI_ID}"

    def build(folder: Path) -> None:
        with quiet():
            model = SentenceTransformer(
                str(mini_folder(cache)), device="cpu", local_files_only=True
            )
            add_differences(model, load(content))
            folder.mkdir(parents=True)
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
    """What a model's weights differ by from another's, rounded to half precision.

    Args:
        model: The trained model.
        base: The model that it was made from.

    Returns:
        By name, of the weights that differ; half precision rounds a difference, which is small, by
        less than a thousandth of itself.
    """
    before = base.state_dict()
    return {
        name: (value.float() - before[name].float()).half().contiguous()
        for name, value in model.state_dict().items()
        if value.is_floating_point() and not value.equal(before[name])
    }


def add_differences(model: SentenceTransformer, moved: Mapping[str, torch.Tensor]) -> None:
    """Move a model's weights.

    Args:
        model: Changed in place.
        moved: As `differences` gives them.

    Raises:
        ModelError: The model has no such weights.
    """
    state = model.state_dict()
    for name, value in moved.items():
        if name not in state or state[name].shape != value.shape:
            raise ModelError(
                f"the offline model has no weights {name} of this shape",
                hint="Install hiersearch again",
            )
        state[name].add_(value.float())
