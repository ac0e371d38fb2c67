"""Vocabularies: reading them from files, and the built-in one."""

from __future__ import annotations

from hiersearch.concepts.builtin import builtin_vocabulary
from hiersearch.concepts.formats import read_vocabulary
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = ["Concept", "Vocabulary", "builtin_vocabulary", "read_vocabulary"]
