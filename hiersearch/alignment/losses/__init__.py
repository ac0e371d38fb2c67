"""Losses that align a text encoder with hierarchies, for `SentenceTransformerTrainer`.

A new loss is a new `Cost` of pairs (see `triples`), or new `Terms` (see `hierarchy_loss`), a class
that names it, and a line in `LOSSES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from sentence_transformers import SentenceTransformer

from hiersearch.alignment.losses.contrastive import ContrastiveLoss
from hiersearch.alignment.losses.entailment_cone import ConeCost, EntailmentConeLoss
from hiersearch.alignment.losses.hierarchy_loss import HierarchyLoss
from hiersearch.alignment.losses.radial_cross_modal import RadialCrossModalLoss
from hiersearch.alignment.losses.radial_embedding import AngleCost, RadialEmbeddingLoss
from hiersearch.alignment.losses.roots import Root
from hiersearch.alignment.losses.triples import Cost, TripleTerms
from hiersearch.errors import UsageError

__all__ = [
    "LOSSES",
    "AngleCost",
    "ConeCost",
    "ContrastiveLoss",
    "Cost",
    "EntailmentConeLoss",
    "HierarchyLoss",
    "RadialCrossModalLoss",
    "RadialEmbeddingLoss",
    "TripleTerms",
    "make_loss",
]

LOSSES: Mapping[str, type[HierarchyLoss]] = {
    "radial-embedding": RadialEmbeddingLoss,
    "entailment-cone": EntailmentConeLoss,
    "rcme": RadialCrossModalLoss,
    "contrastive": ContrastiveLoss,
}
"""The losses by the names that settings, recipes and the command line give them."""

GIVEN = ("model", "root", "negatives", "frozen")


def make_loss(
    name: str,
    model: SentenceTransformer,
    *,
    root: Root,
    negatives: bool,
    options: Mapping[str, float | bool | str],
) -> HierarchyLoss:
    """A loss whose vectors from before training come with each batch.

    Args:
        name: One of `LOSSES`.
        model: The model to train.
        root: What angles are measured from; the contrastive loss has no angles.
        negatives: Whether the batches hold negatives.
        options: The loss's own arguments.

    Raises:
        UsageError: There is no such loss, or it has no such argument, or not with that value.
    """
    if name not in LOSSES:
        raise UsageError(f"no loss is called {name}", hint=f"Choose one of {', '.join(LOSSES)}")
    kind = LOSSES[name]
    parameters = inspect.signature(kind).parameters
    own = [parameter for parameter in parameters if parameter not in GIVEN]
    for option, value in options.items():
        if option not in own:
            raise UsageError(
                f"the {name} loss has no option {option!r}", hint=f"It has {', '.join(own)}"
            )
        default = parameters[option].default
        if isinstance(value, str) != isinstance(default, str):
            raise UsageError(
                f"{option} of the {name} loss cannot be {value!r}",
                hint=f"Give something like {default!r}",
            )
    settings: dict[str, Any] = dict(options)
    if "root" in parameters:
        settings["root"] = root
    # The classes of LOSSES bring their terms themselves, which the base class is given.
    make: Any = kind
    loss: HierarchyLoss = make(model, negatives=negatives, frozen="given", **settings)
    return loss
