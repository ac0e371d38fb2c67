"""The ranks of living things, and how a name at a rank is put into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

__all__ = ["RANKS", "Texts", "rank_texts", "with_genus"]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

Texts: TypeAlias = Literal["path", "name"]
"""How a rank is put into words: "path", all names from the first rank on; "name", its own alone."""


def with_genus(species: str, genus: str) -> str:
    """The name of a species; one given by its epithet alone gets its genus, if any, before it."""
    return f"{genus} {species}" if genus and species and " " not in species else species


def rank_texts(names: Sequence[str], ranks: Sequence[str], how: Texts = "path") -> tuple[str, ...]:
    """A text for each rank.

    Args:
        names: At each rank, general to specific; without surrounding blanks.
        ranks: What the names are names of, as many.
        how: "path" for "Animalia Chordata Aves", "name" for "Aves". The genus stands once in a
            path, though it is part of the species' name.
    """
    if how == "name":
        return tuple(names)
    found: list[str] = []
    for at, name in enumerate(names):
        genus = f"{names[at - 1]} " if at and ranks[at] == "species" else ""
        own = name.removeprefix(genus)
        found.append(f"{found[-1]} {own}" if found else own)
    return tuple(found)
