"""Vocabularies: read from files, or the built-in one."""

from __future__ import annotations

from hiersearch.concepts.builtin import BUILTIN, builtin_vocabulary, chosen_vocabulary
from hiersearch.concepts.formats import read_vocabulary
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = [
    "BUILTIN",
    "Concept",
    "Vocabulary",
    "builtin_vocabulary",
    "chosen_vocabulary",
    "read_vocabulary",
]
