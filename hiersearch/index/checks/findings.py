"""What a check of an index finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["EXAMPLES", "CheckReport", "Finding", "Findings"]

EXAMPLES = 3
"""Things that are named of each kind of finding."""


@dataclass(frozen=True)
class Finding:
    """One kind of damage, or of what is worth knowing.

    Attributes:
        kind: What is wrong, in words.
        count: How many things it is wrong with.
        examples: The first of them.
        is_damage: Whether the index is not whole by it; False of what is amiss around it.
        mended: Whether it was put right.
        advice: What the user can do; empty if nothing is left to do.
    """

    kind: str
    count: int
    examples: tuple[str, ...] = ()
    is_damage: bool = True
    mended: bool = False
    advice: str = ""


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        store: Where the index lies.
        photos: Number of different photos, counted one by one.
        files: Number of their files.
        concepts: Number of concepts of the vocabulary.
        findings: What is wrong; empty if nothing is.
    """

    store: str
    photos: int
    files: int
    concepts: int
    findings: tuple[Finding, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether no damage is left. Files that are missing are no damage of the index."""
        return all(one.mended or not one.is_damage for one in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "version": 1,
            "store": self.store,
            "whole": self.is_whole,
            "photos": self.photos,
            "files": self.files,
            "concepts": self.concepts,
            "findings": [{**vars(one), "examples": list(one.examples)} for one in self.findings],
        }


class Findings:
    """Gathers what is wrong with many things, of which only the first are kept."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, thing: str) -> None:
        """Notes that something is wrong with a thing."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(thing)

    def count(self, kind: str) -> int:
        """How many things have it."""
        return self._counts.get(kind, 0)

    def finding(self, kind: str, **more: Any) -> list[Finding]:
        """The finding of a kind; none if nothing has it."""
        if not self.count(kind):
            return []
        return [Finding(kind, self.count(kind), tuple(self._examples[kind]), **more)]
