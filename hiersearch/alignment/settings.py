"""Settings of a training run, and recipes: files of settings.

A recipe is TOML whose keys are the fields of `TrainingSettings`; `options` is a table. `extends`
names another recipe, relative to this one's folder, whose values are the defaults of this one.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from hiersearch.errors import UsageError

__all__ = [
    "LossChoice",
    "Schedule",
    "TrainingSettings",
    "read_recipe",
    "read_values",
    "require_types",
]

LossChoice: TypeAlias = Literal["radial-embedding", "entailment-cone", "rcme", "contrastive"]
Schedule: TypeAlias = Literal["constant", "linear", "one-cycle"]
RootName: TypeAlias = Literal["learned", "first", "mean", "origin", "parameter"]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides what a run computes.

    Attributes:
        data: A name or a path; see `load_data`.
        model: A name or a path; see `HierarchicalEncoder`.
        loss: Which loss; see `hiersearch.alignment.losses.LOSSES`.
        options: Arguments of the loss, such as regulariser, margin or slack.
        root: What angles are measured from.
        layers: How many of the text tower's last layers are trained, with what follows them;
            None for the whole tower, 0 for only the root.
        scratch: Whether the text tower starts from random weights.
        learning_rate: Of AdamW, above 0; None for one that suits the tower's size.
        betas: Of AdamW.
        weight_decay: Of AdamW, at least 0.
        schedule: How the learning rate changes; "one-cycle" starts below it and rises first.
        batch_size: Hierarchies in a batch, at least 1.
        steps: The number of batches; None to go by `epochs`.
        epochs: Passes through the data, if `steps` is None.
        tiers: See `load_data`.
        widest: See `load_data`.
        deepest: Train on only so many tiers of each hierarchy, at least 2; None for all.
        negatives: Whether negatives are used.
        photos: Whether the photos of the data are used, or the folder that they are in.
        exclude: Files of pairs of words that must not be learned; see `read_pairs`.
        validation: The share of the data kept for validation, from 0 to below 1.
        validate_every: Steps between validations; None for a tenth of the run.
        seed: The same seed on the same machine gives the same run.
    """

    data: str
    model: str = "mini"
    loss: LossChoice = "radial-embedding"
    options: Mapping[str, float | bool | str] = field(default_factory=dict)
    root: RootName = "learned"
    layers: int | None = None
    scratch: bool = False
    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    batch_size: int = 32
    steps: int | None = None
    epochs: float = 1.0
    tiers: int | None = None
    widest: float = 1.0
    deepest: int | None = None
    negatives: bool = True
    photos: bool | str = False
    exclude: tuple[str, ...] = ()
    validation: float = 0.05
    validate_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self)
        above = {
            "batch_size": self.batch_size,
            "steps": self.steps,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "validate_every": self.validate_every,
        }
        for name, number in above.items():
            if number is not None and not 0 < number < float("inf"):
                raise UsageError(f"{name} is {number}, which is not a number above 0")
        if self.layers is not None and self.layers < 0:
            raise UsageError(f"layers is {self.layers}, which is below 0")
        self._require_shares_and_layers()

    def _require_shares_and_layers(self) -> None:
        if self.layers == 0 and self.root != "parameter":
            raise UsageError(
                "with 0 layers there is nothing to train",
                hint="Train only the root with --root parameter, or train more layers",
            )
        if self.seed < 0 or self.weight_decay < 0:
            name = "seed" if self.seed < 0 else "weight_decay"
            raise UsageError(f"{name} is {getattr(self, name)}, which is below 0")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"betas are {self.betas}, which are not both from 0 to below 1")
        if not 0 <= self.validation < 1:
            raise UsageError(f"validation is {self.validation}, which is not from 0 to below 1")
        if not 0 <= self.widest <= 1:
            raise UsageError(f"widest is {self.widest}, which is not from 0 to 1")
        if self.deepest is not None and self.deepest < 2:
            raise UsageError(f"deepest is {self.deepest}, which is less than 2 tiers")

    def to_json(self) -> dict[str, Any]:
        """The settings as values of JSON."""
        return dataclasses.asdict(self) | {
            "options": dict(self.options),
            "betas": list(self.betas),
            "exclude": list(self.exclude),
        }


def read_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe.

    Args:
        path: A TOML file; see the top of this module.

    Returns:
        Arguments of `TrainingSettings`: those that the recipe sets.

    Raises:
        UsageError: It cannot be read, sets something unknown, or extends itself.
    """
    values = read_values(path, {field.name for field in dataclasses.fields(TrainingSettings)})
    if not isinstance(values.get("options", {}), dict):
        raise UsageError(
            f"the recipe {path} sets options to {values['options']!r}, which is not a table",
            hint="Write them as options = { regulariser = 10 }",
        )
    return values


def read_values(path: Path, known: Collection[str]) -> dict[str, Any]:
    """What a recipe and those that it extends set; lists become tuples.

    Args:
        path: A TOML file.
        known: The settings that there are.

    Raises:
        UsageError: It cannot be read, sets something unknown, or extends itself.
    """
    return _read(Path(path).resolve(), known, ())


def require_types(settings: Any) -> None:
    """Check that the fields of a dataclass hold values of their types.

    Raises:
        UsageError: One does not.
    """
    for name, hint in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if not _fits(value, hint):
            raise UsageError(f"{name} cannot be {value!r}", hint=_allowed(hint))


def _read(path: Path, known: Collection[str], below: tuple[Path, ...]) -> dict[str, Any]:
    if path in below:
        raise UsageError(f"the recipe {path} extends itself", hint="Remove one `extends`")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the recipe {path} cannot be read: {error}") from error
    base = values.pop("extends", None)
    for key, value in values.items():
        if key not in known:
            raise UsageError(
                f"the recipe {path} sets {key!r}, which is not a setting",
                hint=f"It may set {', '.join(sorted(known))}",
            )
        if isinstance(value, list):
            values[key] = tuple(value)
    if base is None:
        return values
    if not isinstance(base, str):
        raise UsageError(
            f"the recipe {path} extends {base!r}, which is not a file name",
            hint="Name one file",
        )
    beneath = _read((path.parent / base).resolve(), known, (*below, path))
    own, theirs = values.get("options", {}), beneath.get("options", {})
    if isinstance(own, dict) and isinstance(theirs, dict) and (own or theirs):
        values["options"] = {**theirs, **own}
    return beneath | values


def _fits(value: object, hint: Any) -> bool:
    """Whether a value has a field's type; an integer passes as a float."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        parts = get_args(hint)
        if parts[-1] is Ellipsis:
            parts = parts[:1] * len(value)
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if origin is not None:
        return isinstance(value, origin)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _allowed(hint: Any) -> str:
    return f"Choose one of {', '.join(get_args(hint))}" if get_origin(hint) is Literal else ""
