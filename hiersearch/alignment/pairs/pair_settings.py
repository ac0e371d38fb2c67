"""Settings of training on captioned photos, and their recipes.

A recipe is TOML whose keys are the fields of `PairSettings`; see `hiersearch.alignment.settings`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hiersearch.alignment.settings import read_values, require_types
from hiersearch.errors import UsageError

__all__ = ["PairLoss", "PairSettings", "read_pair_recipe"]

PairLoss: TypeAlias = Literal["infonce", "siglip"]


@dataclass(frozen=True, kw_only=True)
class PairSettings:
    """Everything that decides what a run on captioned photos computes.

    Weights of parts of the loss are at least 0; a part of weight 0 is not computed.

    Attributes:
        data: A CSV file with the columns file and caption; see `read_captioned`.
        photos: The folder that its paths are relative to.
        model: A name or a path; see `HierarchicalEncoder`.
        loss: How photos and captions are compared.
        temperature: Of that comparison, above 0.
        head: Hidden units of a new head for the image tower; None keeps the model's own.
        class_texts: A file with a text on each line: those of the classes of a classifier that the
            model reads photos through. The head's units for them stay as they are, and are read as
            what the text tower makes of these texts. "" if there are none.
        image_blocks: How many of the last blocks of an image tower like that of `mini` are trained;
            0 for the head alone. Other models have no such head: with 0 their image side is locked,
            else the whole of it is trained.
        lock_image: Whether the image side is locked, head and all.
        text_layers: How many of the text tower's last layers are trained; 0 locks it.
        views: How many views of each photo are computed; see `make_views`.
        words: Weight of the words for what captions name, at every level.
        word_temperature: Of their comparison with photos, above 0.
        word_count: The most words in a batch.
        leave_out: Names of concepts that captions mostly mean something else by.
        hierarchies: Data to align the text tower with; see `load_data`.
        hierarchy: Weight of the Radial Embedding loss of these hierarchies.
        hierarchy_count: Hierarchies in a batch, from each data.
        classes: Weight of what keeps the shares of these classes as they were.
        reading: Weight of what keeps a photo's vector reading as these classes alone did; see
            `kept_words`.
        regulariser: Weight of the texts' drift from before training.
        balance: Weight of what keeps the learned part of a photo's vector about as long as the part
            that comes from these classes.
        batch_size: Photos in a batch, at least 2.
        epochs: Passes over the photos.
        head_rate: Learning rate of the head.
        image_rate: Of the image tower.
        text_rate: Of the text tower.
        weight_decay: Of AdamW.
        mix: How far the weights of the towers and the head go from those before training to the
            trained ones, above 0 and at most 1. Halfway, a model has learned most of what is new
            and forgotten least: Wortsman et al. 2022 (WiSE-FT), https://arxiv.org/abs/2109.01903.
        exclude: Files of pairs of words that must not be learned; see `read_pairs`.
        bf16: Whether towers compute in bfloat16: twice as fast on processors that have it.
        checkpoint_every: Steps between checkpoints.
        seed: The same seed on the same machine gives the same run.
    """

    data: str
    photos: str
    model: str = "mini"
    loss: PairLoss = "infonce"
    temperature: float = 0.05
    head: int | None = None
    class_texts: str = ""
    image_blocks: int = 0
    lock_image: bool = False
    text_layers: int = 0
    views: int = 1
    words: float = 0.0
    word_temperature: float = 0.07
    word_count: int = 128
    leave_out: tuple[str, ...] = ()
    hierarchies: tuple[str, ...] = ()
    hierarchy: float = 0.3
    hierarchy_count: int = 16
    classes: float = 0.0
    reading: float = 0.0
    regulariser: float = 0.0
    balance: float = 0.0
    batch_size: int = 512
    epochs: float = 10.0
    head_rate: float = 5e-4
    image_rate: float = 3e-4
    text_rate: float = 5e-5
    weight_decay: float = 0.1
    mix: float = 1.0
    exclude: tuple[str, ...] = ()
    bf16: bool = False
    checkpoint_every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self)
        self._require_ranges()
        self._require_something_to_train()

    def _require_ranges(self) -> None:
        for name in ("temperature", "word_temperature", "epochs", "head_rate", "image_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}, which is not a number above 0")
        for name in ("views", "word_count", "hierarchy_count", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, which is below 1")
        for name in (
            "words",
            "hierarchy",
            "classes",
            "reading",
            "regulariser",
            "balance",
            "image_blocks",
            "text_layers",
            "seed",
        ):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}, which is below 0")
        if not 0 < self.mix <= 1:
            raise UsageError(f"mix is {self.mix}, which is not above 0 and at most 1")
        if self.batch_size < 2:
            raise UsageError("a batch of one photo has nothing to tell it from")

    def _require_something_to_train(self) -> None:
        if self.mix < 1 and self.head is not None:
            raise UsageError(
                "a new head has no weights before training to mix the trained ones with",
                hint="Leave out mix, or mix in a second run, from the model that this one gives",
            )
        if self.lock_image and (self.head is not None or self.image_blocks or self.class_texts):
            raise UsageError(
                "the image side cannot be locked and trained",
                hint="Leave out lock_image, or head, image_blocks and class_texts",
            )
        if self.reading and not self.class_texts:
            raise UsageError(
                "reading keeps what a photo's classes read, and there are none",
                hint="Name the file of the classes' texts as class_texts",
            )
        if self.lock_image and not self.text_layers:
            raise UsageError(
                "both towers are locked", hint="Train some layers of the text tower with --layers"
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as values of JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def read_pair_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe of training on captioned photos.

    Returns:
        Arguments of `PairSettings`: those that the recipe sets.

    Raises:
        UsageError: It cannot be read, sets something unknown, or extends itself.
    """
    return read_values(path, {field.name for field in dataclasses.fields(PairSettings)})
