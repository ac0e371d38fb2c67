"""The nouns of WordNet 3.0, read from its database files (Debian: `wordnet-base`)."""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# The lexicographer files of nouns, by their numbers from 3 on.
LEXFILES = dict(
    enumerate(
        (
            *("tops", "act", "animal", "artifact", "attribute", "body", "cognition"),
            *("communication", "event", "feeling", "food", "group", "location", "motive"),
            *("object", "person", "phenomenon", "plant", "possession", "process", "quantity"),
            *("relation", "shape", "state", "substance", "time"),
        ),
        start=3,
    )
)


@dataclass(frozen=True)
class Synset:
    """One meaning: the words for it, how often each was tagged with it, and what is above it."""

    offset: str
    lemmas: tuple[str, ...]
    counts: tuple[int, ...]
    lexfile: str
    hypernyms: tuple[str, ...]
    is_instance: bool

    def count(self, word: str) -> int:
        """How often a word (in lower case) was tagged with this meaning."""
        return next(c for w, c in zip(self.lemmas, self.counts, strict=True) if w.lower() == word)


class WordNet:
    """Synsets by offset, offsets by word in the order of use, and counts of words."""

    def __init__(self, folder: Path) -> None:
        tagged, self.word_counts, self.noun_counts = _tag_counts(folder)
        self.synsets = {s.offset: s for s in _read_nouns(folder, tagged)}
        self.senses = dict(_read_index(folder))
        self.gloss_counts = _gloss_counts(folder)

    def find(self, word: str, lexfile: str | None = None, rank: int = 1) -> str:
        """The commonest meaning of a word, or the one of a rank, in one lexicographer file."""
        found = [
            offset
            for offset in self.senses.get(word.lower(), ())
            if lexfile is None or self.synsets[offset].lexfile == lexfile
        ]
        if len(found) < rank:
            raise KeyError(f"{word} ({lexfile}, {rank})")
        return found[rank - 1]


class Taxonomy:
    """What is above what. Starts as WordNet has it and is then mended."""

    def __init__(self, wordnet: WordNet) -> None:
        self.parents = {offset: list(s.hypernyms) for offset, s in wordnet.synsets.items()}

    @functools.cached_property
    def _children(self) -> dict[str, list[str]]:
        children = defaultdict(list)
        for offset, parents in self.parents.items():
            for parent in parents:
                children[parent].append(offset)
        return children

    @functools.cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        return {}

    def set_parents(self, offset: str, parents: list[str]) -> None:
        """Hang a synset elsewhere."""
        self.parents[offset] = parents
        self.__dict__.pop("_children", None)
        self.__dict__.pop("_ancestors", None)

    def merge(self, source: str, target: str) -> None:
        """Hang everything below one synset under another."""
        for child in list(self._children.get(source, ())):
            moved = [target if p == source else p for p in self.parents[child] if p != target]
            self.set_parents(child, [p for p in moved if p != child])

    def ancestors(self, offset: str) -> frozenset[str]:
        """Everything above a synset."""
        if offset not in self._ancestors:
            above: set[str] = set()
            for parent in self.parents[offset]:
                above |= {parent} | self.ancestors(parent)
            self._ancestors[offset] = frozenset(above)
        return self._ancestors[offset]

    def closure(self, offset: str) -> set[str]:
        """A synset and everything below it."""
        found = {offset}
        waiting = [offset]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found


def _lines(file: Path) -> Iterator[str]:
    """The lines of a database file below its notice."""
    with file.open(encoding="latin-1") as stream:
        for line in stream:
            if not line.startswith("  "):
                yield line


def _tag_counts(folder: Path) -> tuple[dict[str, int], Counter[str], Counter[str]]:
    """How often each sense key, each word, and each word as a noun was met in the tagged texts."""
    by_key: dict[str, int] = {}
    by_word: Counter[str] = Counter()
    by_noun: Counter[str] = Counter()
    for line in _lines(folder / "cntlist.rev"):
        key, _, count = line.split()
        by_key[key] = int(count)
        by_word[key.partition("%")[0].replace("_", " ")] += int(count)
        if key.partition("%")[2].startswith("1:"):
            by_noun[key.partition("%")[0].replace("_", " ")] += int(count)
    return by_key, by_word, by_noun


def _read_nouns(folder: Path, tagged: dict[str, int]) -> Iterator[Synset]:
    for line in _lines(folder / "data.noun"):
        fields = line.partition("|")[0].split()
        number, count = int(fields[1]), int(fields[3], 16)
        words = fields[4 : 4 + 2 * count : 2]
        lex_ids = [int(field, 16) for field in fields[5 : 4 + 2 * count : 2]]
        keys = [
            f"{word.lower()}%1:{number:02d}:{lex_id:02d}::"
            for word, lex_id in zip(words, lex_ids, strict=True)
        ]
        at = 4 + 2 * count
        pointers = [fields[i : i + 4] for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)]
        yield Synset(
            offset=fields[0],
            lemmas=tuple(word.replace("_", " ") for word in words),
            counts=tuple(tagged.get(key, 0) for key in keys),
            lexfile=LEXFILES[number],
            hypernyms=tuple(target for symbol, target, *_ in pointers if symbol in ("@", "@i")),
            is_instance=any(symbol == "@i" for symbol, *_ in pointers),
        )


def _read_index(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in _lines(folder / "index.noun"):
        fields = line.split()
        yield fields[0].replace("_", " "), tuple(fields[-int(fields[2]) :])


def singular(word: str) -> str:
    """A crude singular, good enough for counting."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _gloss_counts(folder: Path) -> Counter[str]:
    """In how many definitions each run of one to three words occurs: a corpus of plain English.

    A singular also counts for its plural.
    """
    counts: Counter[str] = Counter()
    for part in ("noun", "verb", "adj", "adv"):
        for line in _lines(folder / f"data.{part}"):
            gloss = line.partition("|")[2].lower()
            words = re.findall(r"[a-z'-]+", gloss)
            counts.update({*_runs(words), *_runs([singular(word) for word in words])})
    return counts


def _runs(words: list[str]) -> Iterable[str]:
    for length in (1, 2, 3):
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])
