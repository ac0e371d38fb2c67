"""From a folder to a model that is ready to use, without the noise of the model libraries."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from hiersearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["load_model", "quiet"]

LOAD_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    SafetensorError,
)
"""What the model libraries raise on a folder that they cannot read."""


def load_model(folder: Path, device: str | None = None) -> SentenceTransformer:
    """Loads a model in single precision, always with the same weights.

    Args:
        folder: The model's folder.
        device: Where to compute, as torch names it; by default the fastest there is.

    Raises:
        ModelError: The folder holds no model that can be loaded.
    """
    try:
        # Weights that the folder leaves out, such as an unused pooler, are drawn at random: always
        # the same ones, so that the model's fingerprint is, too.
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            # Half-precision weights are slow on a CPU, and mini's head needs float32.
            return SentenceTransformer(str(folder), device=device, local_files_only=True).float()
    except LOAD_ERRORS as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"the model in {folder} cannot be loaded: {reason[0]}",
            hint="Delete this folder if it was downloaded or built, and run the command again",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silences transformers' progress bars, its notices below errors, and Python warnings.

    Restores the previous settings afterwards.
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
