"""WordNet's own database files as a concept graph: all nouns and verbs, each word a name.

The files are `data.noun` and `data.verb` of WordNet 3 (Debian's package `wordnet-base` puts them in
/usr/share/wordnet); wndb(5) describes their format. `cntlist.rev` counts how often each word stands
for each of its meanings in texts annotated by people; see cntlist(5).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.concepts.vocabulary import find_cycle
from hiersearch.data.hierarchies import ConceptGraph, text_key
from hiersearch.errors import UsageError, VocabularyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["find_wordnet", "read_wordnet"]

USUAL_FOLDERS = ("/usr/share/wordnet", "/usr/share/wordnet/dict", "/usr/local/WordNet-3.0/dict")
PARTS = {"noun": "n", "verb": "v"}
LETTERS = {"1": "n", "2": "v"}
HYPERNYMS = ("@", "@i")

COUNTS = "cntlist.rev"

Sense: TypeAlias = tuple[str, str, int, int]
"""A word in one meaning: the word, "n" or "v", and the two numbers by which WordNet knows it."""

Synset: TypeAlias = tuple[dict[str, tuple[Sense, ...]], tuple[str, ...]]
"""A synset's names, each with the senses that it stands for, and the ids of its hypernyms."""


def find_wordnet(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of WordNet's files; None if they are not on this machine.

    Args:
        environ: The environment; `WNSEARCHDIR` and `WNHOME` name the folder or the one above it,
            as they do for WordNet's own programs.
    """
    named = [environ.get("WNSEARCHDIR", ""), environ.get("WNHOME", "")]
    folders = [Path(name) / inside for name in named if name for inside in ("", "dict")]
    folders += map(Path, USUAL_FOLDERS)
    return next((folder for folder in folders if (folder / "data.noun").is_file()), None)


def read_wordnet(folder: Path, *, parts: Sequence[str] = ("noun", "verb")) -> ConceptGraph:
    """Read WordNet.

    A concept is a synset, its id "n" or "v" and the synset's offset; its names are its words, its
    parents its hypernyms, of kinds and of instances. If they form a cycle, as two verbs of version
    3.0 do, the link that closes it is left out. Without the file of counts nothing is known about
    how much the words are used.

    Args:
        folder: The folder of the files.
        parts: "noun", "verb" or both.

    Raises:
        UsageError: A file is missing or malformed.
    """
    synsets: dict[str, Synset] = {}
    for part in parts:
        synsets.update(_synsets(folder / f"data.{part}", PARTS[part]))
    parents = {concept: list(above) for concept, (_, above) in synsets.items()}
    while cycle := find_cycle(parents):
        parents[cycle[-1]].remove(cycle[0])
    names = {concept: tuple(found) for concept, (found, _) in synsets.items()}
    concepts = (Concept(c, own[0], tuple(parents[c])) for c, own in names.items())
    try:
        vocabulary = Vocabulary(concepts, name="WordNet")
    except VocabularyError as error:
        raise UsageError(f"{folder}: {error.message}", hint="Use a complete WordNet 3") from error
    counts = _counts(folder / COUNTS)
    uses = {
        concept: tuple(sum(counts.get(sense, 0) for sense in own) for own in found.values())
        for concept, (found, _) in synsets.items()
    }
    return ConceptGraph(
        vocabulary,
        synonyms={concept: own[1:] for concept, own in names.items() if own[1:]},
        uses={concept: own for concept, own in uses.items() if any(own)},
    )


def _counts(path: Path) -> dict[Sense, int]:
    """How often each sense occurs; empty if there is no such file."""
    found: dict[Sense, int] = {}
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except FileNotFoundError:
        return found
    except OSError as error:
        raise _unreadable(path, error) from error
    for at, line in enumerate(lines, start=1):
        try:
            key, _, count = line.split()
            word, _, where = key.rpartition("%")
            kind, file, number = where.split(":")[:3]
            if kind in LETTERS:
                found[word, LETTERS[kind], int(file), int(number)] = int(count)
        except ValueError as error:
            raise _malformed(path, at) from error
    return found


def _synsets(path: Path, letter: str) -> Iterator[tuple[str, Synset]]:
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise _unreadable(path, error) from error
    for at, line in enumerate(lines, start=1):
        if line.startswith("  "):  # the licence
            continue
        try:
            yield _synset(line, letter)
        except (ValueError, IndexError) as error:
            raise _malformed(path, at) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be read: {error.strerror or error}",
        hint="Install WordNet 3 (Debian: wordnet-base), or set WNSEARCHDIR to its folder",
    )


def _malformed(path: Path, line: int) -> UsageError:
    return UsageError(
        f"line {line} of {path} is not in WordNet's format", hint="Use a complete WordNet 3"
    )


def _synset(line: str, letter: str) -> tuple[str, Synset]:
    fields = line.partition("|")[0].split()
    end = 4 + 2 * int(fields[3], 16)
    names: dict[str, str] = {}
    senses: dict[str, tuple[Sense, ...]] = {}
    for word, number in zip(fields[4:end:2], fields[5:end:2], strict=True):
        spelled = word.replace("_", " ")
        name = names.setdefault(text_key(spelled), spelled)
        # "Sun" and "sun" are one name of two senses.
        sense = (word.lower(), letter, int(fields[1]), int(number, 16))
        senses[name] = (*senses.get(name, ()), sense)
    if not senses:
        raise ValueError("no word")
    links = range(end + 1, end + 1 + 4 * int(fields[end]), 4)
    pointers = [fields[i : i + 4] for i in links]
    above = {
        f"{letter}{target}": None
        for symbol, target, part, _ in pointers
        if symbol in HYPERNYMS and part == letter
    }
    return f"{letter}{int(fields[0]):08d}", (senses, tuple(above))
