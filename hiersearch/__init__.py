"""Search photos from general to specific.

Importing the package imports neither torch nor Qdrant; the names below are loaded when first used.
Some need an extra: `pip install "hiersearch[mini]"` brings the offline model,
`"hiersearch[models]"` all others and PyTorch, `"hiersearch[train]"` the losses and training,
`"hiersearch[eval]"` the benchmarks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hiersearch.errors import require

if TYPE_CHECKING:
    from hiersearch.alignment import PairSettings, TrainingSettings, train, train_pairs
    from hiersearch.alignment.losses import (
        ContrastiveLoss,
        EntailmentConeLoss,
        RadialCrossModalLoss,
        RadialEmbeddingLoss,
    )
    from hiersearch.concepts import Concept, Vocabulary, builtin_vocabulary, read_vocabulary
    from hiersearch.encoder import HierarchicalEncoder
    from hiersearch.errors import HiersearchError, MissingPackageError
    from hiersearch.evaluation import evaluate
    from hiersearch.index import (
        CopySummary,
        ModelCheck,
        MoveSummary,
        PhotoIndex,
        TextModel,
        copy_index,
        move_index,
    )
    from hiersearch.index.results import Answer, IndexInfo, IngestSummary, Level, PhotoHit
    from hiersearch.qdrant import (
        AsyncHierarchicalCollection,
        AttachSummary,
        CollectionOptions,
        EdgeClient,
        Filter,
        HierarchicalCollection,
        Hit,
        all_of,
        any_of,
        between,
        equals,
        none_of,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncHierarchicalCollection",
    "AttachSummary",
    "CollectionOptions",
    "Concept",
    "ContrastiveLoss",
    "CopySummary",
    "EdgeClient",
    "EntailmentConeLoss",
    "Filter",
    "HierarchicalCollection",
    "HierarchicalEncoder",
    "HiersearchError",
    "Hit",
    "IndexInfo",
    "IngestSummary",
    "Level",
    "MissingPackageError",
    "ModelCheck",
    "MoveSummary",
    "PairSettings",
    "PhotoHit",
    "PhotoIndex",
    "RadialCrossModalLoss",
    "RadialEmbeddingLoss",
    "TextModel",
    "TrainingSettings",
    "Vocabulary",
    "all_of",
    "any_of",
    "between",
    "builtin_vocabulary",
    "copy_index",
    "equals",
    "evaluate",
    "move_index",
    "none_of",
    "read_vocabulary",
    "train",
    "train_pairs",
]

_MODULES = {
    "hiersearch.alignment": ("PairSettings", "TrainingSettings", "train", "train_pairs"),
    "hiersearch.alignment.losses": (
        "ContrastiveLoss",
        "EntailmentConeLoss",
        "RadialCrossModalLoss",
        "RadialEmbeddingLoss",
    ),
    "hiersearch.concepts": ("Concept", "Vocabulary", "builtin_vocabulary", "read_vocabulary"),
    "hiersearch.encoder": ("HierarchicalEncoder",),
    "hiersearch.errors": ("HiersearchError", "MissingPackageError"),
    "hiersearch.evaluation": ("evaluate",),
    "hiersearch.index": (
        "CopySummary",
        "ModelCheck",
        "MoveSummary",
        "PhotoIndex",
        "TextModel",
        "copy_index",
        "move_index",
    ),
    "hiersearch.index.results": ("Answer", "IndexInfo", "IngestSummary", "Level", "PhotoHit"),
    "hiersearch.qdrant": (
        "AsyncHierarchicalCollection",
        "AttachSummary",
        "CollectionOptions",
        "EdgeClient",
        "Filter",
        "HierarchicalCollection",
        "Hit",
        "all_of",
        "any_of",
        "between",
        "equals",
        "none_of",
    ),
}

_NEEDS = {
    **dict.fromkeys(("train", "train_pairs", *_MODULES["hiersearch.alignment.losses"]), "train"),
    "evaluate": "eval",
}
"""The extra that brings the model libraries for a name, where the base install is not enough."""


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            if name in _NEEDS:
                require("sentence_transformers", extra=_NEEDS[name], purpose=name)
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
