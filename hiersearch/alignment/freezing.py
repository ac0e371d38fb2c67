"""Which weights are trained: the whole text tower, or its last layers.

Freezing is not saved with a model: it is set after each load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Router
from torch import nn
from transformers import PreTrainedModel

from hiersearch.errors import UsageError

__all__ = ["Trained", "reset_weights", "suitable_learning_rate", "text_tower", "train_last_layers"]

REFERENCE_WEIGHTS = 3.7e6
REFERENCE_RATE = 1e-4
SLOWEST_RATE = 1e-7

IMAGE_PARTS = ("vision_model", "visual_projection", "image_model", "vision_tower")
"""Names that transformers gives to the image halves of dual encoders."""


@dataclass(frozen=True)
class Trained:
    """What is trained.

    Attributes:
        weights: The number of trained weights, without token embeddings: lookups say nothing about
            how fast a tower can be moved.
        layers: The number of trained layers.
        of: The number of layers of the tower.
    """

    weights: int
    layers: int
    of: int


def text_tower(model: SentenceTransformer) -> list[nn.Module]:
    """The modules that only texts go through, from tokens to the last projection.

    Args:
        model: A text encoder, or a dual encoder: a Router with a text route, or one model of
            transformers with two halves.
    """
    tower: list[nn.Module] = []
    for module in model.children():
        if isinstance(module, Router):
            tower += list(module.sub_modules["text"].children())
        else:
            inner = getattr(module, "model", module)
            halves = [child for name, child in inner.named_children() if name not in IMAGE_PARTS]
            dual = len(halves) < len(list(inner.named_children()))
            tower += halves if dual else [module]
    return tower


def train_last_layers(model: SentenceTransformer, layers: int | None) -> Trained:
    """Freeze everything except the text tower, or except its last layers and what follows them.

    Args:
        model: Changed in place.
        layers: How many; None for the whole tower, 0 for none.

    Returns:
        What is left to train.

    Raises:
        UsageError: The tower has fewer layers.
    """
    model.requires_grad_(False)
    tower = nn.ModuleList(text_tower(model))
    blocks = _blocks(tower)
    if layers is not None and layers > len(blocks):
        raise UsageError(
            f"the text tower has {len(blocks)} layers, not {layers}",
            hint="Ask for fewer, or leave --layers out for the whole tower",
        )
    chosen = _whole(tower) if layers is None else _last(tower, blocks, layers)
    for parameter in chosen:
        parameter.requires_grad_(True)
    return Trained(
        weights=sum(p.numel() for p in _without_lookups(tower) if p.requires_grad),
        layers=len(blocks) if layers is None else layers,
        of=len(blocks),
    )


def suitable_learning_rate(weights: int) -> float:
    """A learning rate for so many trained weights.

    1e-4 · (3.7e6 / weights)^1.5, from 1e-7 to 1e-4. Measured on the offline
    model only: 1e-4 suits its last two layers (3.7 million weights), 2e-5 all six (10.6 million).
    For CLIP-B (38 million) that gives 2.8e-6, where Alper & Averbuch-Elor 2024 use 1e-7 for an
    epoch of 9,000 small steps.

    Args:
        weights: As `Trained` counts them.
    """
    rate: float = REFERENCE_RATE * (REFERENCE_WEIGHTS / max(weights, 1)) ** 1.5
    return min(REFERENCE_RATE, max(SLOWEST_RATE, rate))


def reset_weights(model: SentenceTransformer) -> None:
    """Give the text tower random weights, from torch's generator."""
    for module in text_tower(model):
        inner: Any = getattr(module, "model", module)
        if isinstance(inner, PreTrainedModel):
            # Its own initialisation skips weights that were loaded; a new model has none.
            fresh = type(inner)(inner.config)
            inner.load_state_dict(fresh.state_dict())
            continue
        for part in inner.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()


def _blocks(tower: nn.Module) -> nn.ModuleList | list[nn.Module]:
    """The longest run of layers of one kind; empty if there is none."""
    found: nn.ModuleList | list[nn.Module] = []
    for module in tower.modules():
        if module is tower or not isinstance(module, nn.ModuleList):
            continue
        if len({type(part) for part in module}) == 1 and len(module) > len(found):
            found = module
    return found


def _whole(tower: nn.Module) -> list[nn.Parameter]:
    return list(tower.parameters())


def _last(
    tower: nn.Module, blocks: nn.ModuleList | list[nn.Module], layers: int
) -> list[nn.Parameter]:
    """Parameters of the last layers, and of whatever follows them in the tower."""
    if layers == 0:
        return []
    earlier = {id(p) for block in list(blocks)[: len(blocks) - layers] for p in block.parameters()}
    ordered = list(tower.parameters())
    inside = {id(p) for block in blocks for p in block.parameters()}
    first = next(at for at, p in enumerate(ordered) if id(p) in inside)
    return [p for p in ordered[first:] if id(p) not in earlier]


def _without_lookups(tower: nn.Module) -> list[nn.Parameter]:
    lookups = {
        id(p) for m in tower.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    return [p for p in tower.parameters() if id(p) not in lookups]
