"""Which model and which vocabulary are meant by what a user gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hiersearch.concepts import Vocabulary, builtin_vocabulary, read_vocabulary
from hiersearch.config import read_settings
from hiersearch.encoder import default_model
from hiersearch.errors import ModelMismatchError
from hiersearch.index.storage import IndexStore

if TYPE_CHECKING:
    from hiersearch.encoder import HierarchicalEncoder

__all__ = ["check_encoder", "chosen_vocabulary", "load_encoder", "user_model"]


def load_encoder(model: str | HierarchicalEncoder) -> HierarchicalEncoder:
    """The encoder of a name or a folder; one that is loaded is given back.

    Raises:
        ModelNotFoundError: The model is not on this machine.
    """
    from hiersearch.encoder import HierarchicalEncoder  # imports torch

    return model if isinstance(model, HierarchicalEncoder) else HierarchicalEncoder(model)


def user_model(environ: Mapping[str, str]) -> str:
    """The model for new indexes where none is named."""
    return read_settings(environ).model or default_model(environ)[0]


def check_encoder(encoder: HierarchicalEncoder, store: IndexStore) -> HierarchicalEncoder:
    """The encoder, if it is the one that an index was made with.

    Raises:
        ModelMismatchError: It is another one.
    """
    made_with = store.manifest
    if encoder.id == made_with.model_id:
        return encoder
    raise ModelMismatchError(
        f"the index at {store.place} was made with {made_with.model} ({made_with.model_id}), "
        f"not with {encoder.name} ({encoder.id})",
        hint="Leave --model out, or index the photos into another store",
    )


def chosen_vocabulary(concepts: str | Path | Vocabulary) -> Vocabulary:
    """The vocabulary of a file, or the built-in one; one that was read is given back.

    Raises:
        VocabularyError: It breaks a rule.
    """
    if isinstance(concepts, Vocabulary):
        return concepts
    if str(concepts) == "builtin":
        return builtin_vocabulary()
    return read_vocabulary(Path(concepts).expanduser())
