"""Vocabularies: read from files, or the built-in one."""

from __future__ import annotations

from hiersearch.concepts.formats import (
    BUILTIN,
    builtin_vocabulary,
    chosen_vocabulary,
    read_vocabulary,
)
from hiersearch.concepts.heads import head_of
from hiersearch.concepts.mentions import PEOPLE, Mentions
from hiersearch.concepts.naming import ConceptNames, Named
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = [
    "BUILTIN",
    "PEOPLE",
    "Concept",
    "ConceptNames",
    "Mentions",
    "Named",
    "Vocabulary",
    "builtin_vocabulary",
    "chosen_vocabulary",
    "head_of",
    "read_vocabulary",
]
