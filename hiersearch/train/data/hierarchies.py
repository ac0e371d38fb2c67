"""A hierarchy of texts, and its parting into what trains and what validates."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from hiersearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Hierarchy", "Split", "clean_text", "split", "split_hierarchies", "text_key"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Texts from general to specific, and for each a text that it does not hold true of.

    Attributes:
        positive: At least two texts; each is true of whatever the next is true of.
        negative: As many texts, `negative[i]` neither more general nor more specific than
            `positive[i]`; or none.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.positive) < 2:
            raise ValueError("a hierarchy has at least two tiers")
        if self.negative and len(self.negative) != len(self.positive):
            raise ValueError("a hierarchy has one negative for each tier, or none")

    @property
    def triples(self) -> tuple[tuple[str, str, str], ...]:
        """Parent, child, and negative of the parent's tier; none where there are no negatives."""
        if not self.negative:
            return ()
        return tuple(zip(self.positive, self.positive[1:], self.negative, strict=False))


@dataclass(frozen=True, slots=True)
class Split(Generic[Item]):
    """Items to train on and items to validate with, each in the order they came in."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]


def clean_text(text: str) -> str:
    """The text with single spaces, and none at its ends."""
    return " ".join(text.split())


def text_key(text: str) -> str:
    """What two texts have in common that differ in case, spacing or Unicode's form at most."""
    if text.isascii():  # much faster, and what most texts are
        return clean_text(text.lower())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return clean_text(folded)


def split(
    items: Iterable[Item], *, key: Callable[[Item], str], share: float, seed: int
) -> Split[Item]:
    """Part items so that those with one key stay together.

    A key's side hangs on the seed and on which keys there are, not on their order.

    Args:
        items: What to part.
        key: What must not stand on both sides.
        share: The part of the keys that goes to validation, from 0 to below 1; where it is above 0
            and there are two keys, at least one.
        seed: Other seeds choose other keys.

    Raises:
        UsageError: The share is out of its range.
    """
    if not 0 <= share < 1:
        raise UsageError(
            f"a validation share of {share} leaves nothing to train on",
            hint="Give a share from 0 to below 1",
        )
    keyed = [(key(item), item) for item in items]
    keys = sorted({k for k, _ in keyed}, key=lambda k: _draw(k, seed))
    count = min(len(keys) - 1, max(1, round(share * len(keys)))) if share and keys else 0
    chosen = set(keys[:count])
    return Split(
        train=tuple(item for k, item in keyed if k not in chosen),
        validation=tuple(item for k, item in keyed if k in chosen),
    )


def split_hierarchies(
    hierarchies: Sequence[Hierarchy], *, share: float = 0.05, seed: int
) -> Split[Hierarchy]:
    """Part hierarchies so that equal ones stay together, as do all of one most specific text.

    Args:
        hierarchies: What to part.
        share: As for `split`.
        seed: As for `split`.

    Raises:
        UsageError: The share is out of its range.
    """
    return split(hierarchies, key=lambda h: text_key(h.positive[-1]), share=share, seed=seed)


def _draw(key: str, seed: int) -> tuple[bytes, str]:
    content = f"{seed}\n{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest(), key
