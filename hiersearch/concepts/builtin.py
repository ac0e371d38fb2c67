"""The vocabulary that comes with hiersearch: things a camera can see, from WordNet 3.0.

`training/vocabulary` makes the file; WORDNET_LICENSE beside it is its notice.
"""

from __future__ import annotations

import functools
import gzip
from importlib import resources

from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = ["builtin_vocabulary"]


@functools.cache
def builtin_vocabulary() -> Vocabulary:
    """About 10,000 visible things with parents and familiarity, most familiar first.

    An id is "n" and the offset of a noun in WordNet 3.0 ("n02084071", dog), or "top:" and a
    word for the roots that WordNet has no one word for ("top:object").
    """
    packed = resources.files("hiersearch.concepts").joinpath("wordnet.tsv.gz").read_bytes()
    _, *lines = gzip.decompress(packed).decode().splitlines()
    return Vocabulary(map(_concept, lines), name="built-in")


def _concept(line: str) -> Concept:
    concept_id, name, parents, familiarity = line.split("\t")
    above = tuple(parents.split(",")) if parents else ()
    return Concept(concept_id, name, above, float(familiarity))
