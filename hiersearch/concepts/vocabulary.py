"""A vocabulary: concepts, and which is a kind of which.

The parents form a directed graph without cycles in which several parents are normal: a tomato
is a vegetable and a fruit.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hiersearch.errors import VocabularyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "MAX_DEPTH",
    "MAX_NAME",
    "Concept",
    "Vocabulary",
    "check_name",
    "cycle_error",
    "find_cycle",
]

MAX_NAME = 200
"""The longest name or id of a concept, in characters."""

MAX_DEPTH = 100
"""The longest line of descent from a root, in concepts."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A text that can name photos.

    Args:
        id: Identifies it in payloads and filters; unique in its vocabulary.
        name: The text that people and models read.
        parents: The ids of the more general concepts directly above it.
        familiarity: How common the word is, on any scale; larger is more familiar.
        synonyms: Other words for it, which a query may use. Models read the name alone.
    """

    id: str
    name: str
    parents: tuple[str, ...] = ()
    familiarity: float | None = None
    synonyms: tuple[str, ...] = ()


class Vocabulary:
    """An immutable set of concepts in a fixed order.

    Args:
        concepts: The concepts; their parents may come before or after them.
        name: What the vocabulary is called in messages, a file name for example.

    Raises:
        VocabularyError: There are no concepts; an id occurs twice; a name or id is empty, too
            long or holds control characters; a parent is unknown or given twice; the parents form
            a cycle, or more than `MAX_DEPTH` levels.
    """

    def __init__(self, concepts: Iterable[Concept], name: str) -> None:
        self._concepts = tuple(concepts)
        self._name = name
        self._positions = {concept.id: at for at, concept in enumerate(self._concepts)}
        self._check()

    def _check(self) -> None:
        if not self._concepts:
            raise VocabularyError(
                f"{self._name} holds no concepts", hint="Give it at least one concept"
            )
        if len(self._positions) < len(self._concepts):
            twice, _ = Counter(concept.id for concept in self._concepts).most_common(1)[0]
            raise VocabularyError(f"the concept {twice!r} occurs twice", hint="Remove one of them")
        for concept in self._concepts:
            self._check_concept(concept)
        deepest = self._depth()
        if deepest > MAX_DEPTH:
            raise VocabularyError(
                f"{self._name} is {deepest} levels deep",
                hint=f"Keep to {MAX_DEPTH} levels",
            )

    def _depth(self) -> int:
        """The levels of the deepest concept; raises where parents run in a circle."""
        parents = {concept.id: concept.parents for concept in self._concepts}
        depth: dict[str, int] = {}
        try:
            for one in TopologicalSorter(parents).static_order():
                depth[one] = 1 + max((depth[above] for above in parents[one]), default=0)
        except CycleError:
            raise cycle_error(find_cycle(parents)) from None
        return max(depth.values())

    def _check_concept(self, concept: Concept) -> None:
        check_name(concept.name)
        check_name(concept.id)
        for synonym in concept.synonyms:
            check_name(synonym)
        if len(set(concept.parents)) < len(concept.parents):
            raise VocabularyError(
                f"{concept.name!r} has the same parent twice", hint="Remove one of them"
            )
        for parent in concept.parents:
            if parent not in self._positions:
                raise VocabularyError(
                    f"{concept.name!r} has the unknown parent {parent!r}",
                    hint="Add the parent as a concept of its own, or correct its spelling",
                )
        if concept.familiarity is not None and not math.isfinite(concept.familiarity):
            raise VocabularyError(
                f"the familiarity of {concept.name!r} is not a finite number",
                hint="Give a number, or leave it out",
            )

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """The concepts in their order."""
        return self._concepts

    @property
    def name(self) -> str:
        """What the vocabulary is called."""
        return self._name

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits that change whenever a concept or their order does."""
        return hashlib.sha256(_dump(self._concepts).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts)

    def __contains__(self, concept_id: object) -> bool:
        return concept_id in self._positions

    def __getitem__(self, concept_id: str) -> Concept:
        return self._concepts[self._positions[concept_id]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._concepts == other._concepts

    def __hash__(self) -> int:
        return hash(self._concepts)

    def __repr__(self) -> str:
        return f"Vocabulary({self._name!r}, {len(self)} concepts)"

    def position(self, concept_id: str) -> int:
        """The position of a concept in the order, from 0. Raises KeyError if it is not there."""
        return self._positions[concept_id]

    @property
    def names(self) -> list[str]:
        """The names of the concepts in their order."""
        return [concept.name for concept in self._concepts]

    @property
    def has_parents(self) -> bool:
        """Whether any concept has a parent."""
        return any(concept.parents for concept in self._concepts)

    @cached_property
    def parent_positions(self) -> tuple[tuple[int, ...], ...]:
        """For each concept, the positions of its parents."""
        return tuple(tuple(self._positions[p] for p in c.parents) for c in self._concepts)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The ids of the concepts without parents."""
        return tuple(concept.id for concept in self._concepts if not concept.parents)

    @cached_property
    def _children(self) -> tuple[tuple[int, ...], ...]:
        below: list[list[int]] = [[] for _ in self._concepts]
        for at, parents in enumerate(self.parent_positions):
            for parent in parents:
                below[parent].append(at)
        return tuple(map(tuple, below))

    def children(self, concept_id: str) -> tuple[str, ...]:
        """The ids of the concepts directly below one."""
        return tuple(self._concepts[at].id for at in self._children[self._positions[concept_id]])

    def ancestors(self, concept_id: str) -> frozenset[str]:
        """The ids of all concepts above one, without itself."""
        found: set[str] = set()
        waiting = list(self[concept_id].parents)
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting.extend(self[parent].parents)
        return frozenset(found)

    def to_json(self) -> str:
        """The whole vocabulary as one JSON object, the same text for the same vocabulary."""
        name = json.dumps(self._name, ensure_ascii=False)
        return f'{{"name": {name}, "concepts": {_dump(self._concepts)}}}'

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read back what `to_json` wrote.

        Raises:
            VocabularyError: The text is something else.
        """
        try:
            content = json.loads(text)
            concepts = [_load(entry) for entry in content["concepts"]]
            name = str(content["name"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise VocabularyError(
                f"a stored vocabulary cannot be read: {error}", hint="Write it again"
            ) from error
        return cls(concepts, name)


def check_name(name: str, *, line: int | None = None) -> None:
    """Make sure that a text can be the name or id of a concept.

    Args:
        name: A name whose white space is already single spaces.
        line: Its line in a file, for the message.

    Raises:
        VocabularyError: It is empty, longer than `MAX_NAME`, or holds control characters.
    """
    if not name.strip():
        raise VocabularyError("a concept without a name", line=line, hint="Give it a name")
    if len(name) > MAX_NAME:
        raise VocabularyError(
            f"a name of {len(name)} characters ({name[:30]!r}...)",
            line=line,
            hint=f"Keep names to {MAX_NAME} characters",
        )
    if name.isprintable():
        return  # as nearly all are
    # Cc: control characters; Cs: halves of surrogate pairs, which no UTF-8 text can hold.
    odd = next((c for c in name if unicodedata.category(c) in ("Cc", "Cs")), None)
    if odd is not None:
        raise VocabularyError(
            f"the name {name[:30]!a} holds the character {odd!a}", line=line, hint="Remove it"
        )


def find_cycle(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """A cycle of parents, if there is one.

    Args:
        parents: For each id the ids of its parents; missing ids count as roots.

    Returns:
        The ids around the cycle, child before parent, the first not repeated; empty without one.
    """
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        general_first: list[str] = error.args[1]  # the first again at the end
        return general_first[:0:-1]
    return []


def cycle_error(cycle: Sequence[str], *, line: int | None = None) -> VocabularyError:
    """The error for a cycle of parents, which it shows."""
    shown = [*cycle[:6], "..."] if len(cycle) > 6 else list(cycle)
    circle = " -> ".join([*shown, cycle[0]])
    return VocabularyError(
        f"parents run in a circle: {circle}", line=line, hint="Remove one of these parents"
    )


def _dump(concepts: Iterable[Concept]) -> str:
    entries = []
    for concept in concepts:
        entry: dict[str, Any] = {"id": concept.id, "name": concept.name}
        if concept.parents:
            entry["parents"] = list(concept.parents)
        if concept.familiarity is not None:
            entry["familiarity"] = concept.familiarity
        if concept.synonyms:
            entry["synonyms"] = list(concept.synonyms)
        entries.append(json.dumps(entry, ensure_ascii=False))
    return "[" + ",\n".join(entries) + "]"


def _load(entry: Any) -> Concept:
    if not isinstance(entry, dict):
        raise TypeError("a concept is an object")
    familiarity = entry.get("familiarity")
    parents, synonyms = entry.get("parents", []), entry.get("synonyms", [])
    if not isinstance(parents, list) or not isinstance(synonyms, list):
        raise TypeError("parents and synonyms are lists")
    texts = [entry["id"], entry["name"], *parents, *synonyms]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("ids, names, parents and synonyms are strings")
    return Concept(
        id=entry["id"],
        name=entry["name"],
        parents=tuple(parents),
        familiarity=None if familiarity is None else float(familiarity),
        synonyms=tuple(synonyms),
    )
