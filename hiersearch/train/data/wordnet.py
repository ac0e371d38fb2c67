"""WordNet's own database files as a taxonomy: all nouns and verbs, each word a name.

The files are `data.noun` and `data.verb` of WordNet 3 (Debian's package `wordnet-base` lays them in
/usr/share/wordnet). Their format is described in WordNet's manual page wndb(5).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hiersearch.concepts import Concept, Vocabulary
from hiersearch.concepts.vocabulary import find_cycle
from hiersearch.errors import UsageError, VocabularyError
from hiersearch.train.data.hierarchies import text_key
from hiersearch.train.data.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["find_wordnet", "read_wordnet"]

USUAL_FOLDERS = ("/usr/share/wordnet", "/usr/share/wordnet/dict", "/usr/local/WordNet-3.0/dict")
PARTS = {"noun": "n", "verb": "v"}
HYPERNYMS = ("@", "@i")

Synset: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""A synset's names, and the ids of what is above it."""


def find_wordnet(environ: Mapping[str, str]) -> Path | None:
    """The folder of WordNet's files, where they are on this machine.

    Args:
        environ: The environment; `WNSEARCHDIR` and `WNHOME` name the folder or the one above it,
            as they do for WordNet's own programs.
    """
    named = [environ.get("WNSEARCHDIR", ""), environ.get("WNHOME", "")]
    folders = [Path(name) / inside for name in named if name for inside in ("", "dict")]
    folders += map(Path, USUAL_FOLDERS)
    return next((folder for folder in folders if (folder / "data.noun").is_file()), None)


def read_wordnet(folder: Path, *, parts: Sequence[str] = ("noun", "verb")) -> Taxonomy:
    """Read WordNet.

    A concept is a synset, its id "n" or "v" and the synset's offset; its names are its words. What
    WordNet has above it, as a kind or as an instance, is its parents. Where they run in a circle,
    as two verbs of version 3.0 do, the link that closes it is left out.

    Args:
        folder: The folder of the files.
        parts: "noun", "verb" or both.

    Raises:
        UsageError: A file is missing or is none of WordNet's.
    """
    synsets: dict[str, Synset] = {}
    for part in parts:
        synsets.update(_synsets(folder / f"data.{part}", PARTS[part]))
    parents = {concept: list(above) for concept, (_, above) in synsets.items()}
    while cycle := find_cycle(parents):
        parents[cycle[-1]].remove(cycle[0])
    concepts = (Concept(c, names[0], tuple(parents[c])) for c, (names, _) in synsets.items())
    try:
        vocabulary = Vocabulary(concepts, name="WordNet")
    except VocabularyError as error:
        raise UsageError(f"{folder}: {error.message}", hint="Give a whole WordNet 3") from error
    return Taxonomy(vocabulary, {c: names[1:] for c, (names, _) in synsets.items() if names[1:]})


def _synsets(path: Path, letter: str) -> Iterator[tuple[str, Synset]]:
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="Install WordNet 3 (Debian: wordnet-base), or set WNSEARCHDIR to its folder",
        ) from error
    for at, line in enumerate(lines, start=1):
        if line.startswith("  "):  # the licence
            continue
        try:
            yield _synset(line, letter)
        except (ValueError, IndexError) as error:
            raise UsageError(
                f"line {at} of {path} is no line of WordNet's", hint="Give a whole WordNet 3"
            ) from error


def _synset(line: str, letter: str) -> tuple[str, Synset]:
    fields = line.partition("|")[0].split()
    count = int(fields[3], 16)
    names: dict[str, str] = {}
    for word in fields[4 : 4 + 2 * count : 2]:
        name = word.replace("_", " ")
        names.setdefault(text_key(name), name)  # "Sun" and "sun" are one name
    at = 4 + 2 * count
    pointers = [fields[i : i + 4] for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)]
    above = {
        f"{letter}{target}": None
        for symbol, target, part, _ in pointers
        if symbol in HYPERNYMS and part == letter
    }
    return f"{letter}{int(fields[0]):08d}", (tuple(names.values()), tuple(above))
