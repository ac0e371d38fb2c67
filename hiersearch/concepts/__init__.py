"""Vocabularies: reading them from files, the built-in one, and their vectors."""

from __future__ import annotations

from hiersearch.concepts.builtin import builtin_vocabulary
from hiersearch.concepts.embedding import embed_vocabulary
from hiersearch.concepts.reading import read_vocabulary
from hiersearch.concepts.vocabulary import Concept, Vocabulary

__all__ = ["Concept", "Vocabulary", "builtin_vocabulary", "embed_vocabulary", "read_vocabulary"]
