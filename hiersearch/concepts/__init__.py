"""Vocabularies: read from files, or the built-in one."""

from __future__ import annotations

from hiersearch.concepts.formats import (
    BUILTIN,
    builtin_vocabulary,
    chosen_vocabulary,
    read_vocabulary,
)
from hiersearch.concepts.mentions import PEOPLE, Mentions
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = [
    "BUILTIN",
    "PEOPLE",
    "Concept",
    "Mentions",
    "Vocabulary",
    "builtin_vocabulary",
    "chosen_vocabulary",
    "read_vocabulary",
]
