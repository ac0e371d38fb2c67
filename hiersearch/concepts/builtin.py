"""The vocabulary that comes with hiersearch, `builtin`: things a camera can see, from WordNet 3.0.

`training/vocabulary` makes the file; WORDNET_LICENSE beside it is its licence.
"""

from __future__ import annotations

import functools
import gzip
from importlib import resources
from pathlib import Path

from hiersearch.concepts.formats import read_vocabulary
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = ["BUILTIN", "builtin_vocabulary", "chosen_vocabulary"]

BUILTIN = "builtin"
"""What the vocabulary is called, on the command line too."""


@functools.cache
def builtin_vocabulary() -> Vocabulary:
    """About 10,000 visible things with parents and familiarity, most familiar first.

    An id is "n" and the offset of a noun in WordNet 3.0 ("n02084071", dog), or "top:" and a
    word for the roots for which WordNet has no single synset ("top:object").
    """
    packed = resources.files("hiersearch.concepts").joinpath("wordnet.tsv.gz").read_bytes()
    _, *lines = gzip.decompress(packed).decode().splitlines()
    return Vocabulary(map(_concept, lines), name=BUILTIN)


def chosen_vocabulary(concepts: str | Path | Vocabulary) -> Vocabulary:
    """The vocabulary that a user means.

    Args:
        concepts: `BUILTIN`, a file as for `read_vocabulary`, or a vocabulary, which is returned as
            it is. `~` is the home folder.

    Raises:
        VocabularyError: The file cannot be read or breaks a rule.
    """
    if isinstance(concepts, Vocabulary):
        return concepts
    if str(concepts) == BUILTIN:
        return builtin_vocabulary()
    return read_vocabulary(Path(concepts).expanduser())


def _concept(line: str) -> Concept:
    concept_id, name, parents, familiarity = line.split("\t")
    above = tuple(parents.split(",")) if parents else ()
    return Concept(concept_id, name, above, float(familiarity))
