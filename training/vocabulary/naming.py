"""One everyday word for each meaning, and one meaning for each word."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from training.vocabulary import rules

if TYPE_CHECKING:
    from training.vocabulary.meanings import Meanings

# Least shares of a word's uses, as a noun and in all, that must fall on the meaning it names.
NOUN_SHARE = 0.2
SHARE = 0.1


class Naming:
    """Names of the meanings in scope, by offset."""

    def __init__(self, meanings: Meanings) -> None:
        self.wordnet = meanings.wordnet
        self.taxonomy = meanings.taxonomy
        self.scope = meanings.scope
        self.offset = meanings.offset
        self.names = self._names()

    def _owner(self, word: str) -> str | None:
        """The one meaning that may bear a word as its name."""
        senses = self.wordnet.senses.get(word, ())
        candidates = [o for o in senses if o in self.scope]
        if word in rules.MEANS:
            meant = self.offset(rules.MEANS[word])
            return meant if meant in self.scope else None
        if word in rules.TREES:
            tree = self.wordnet.find("tree")
            trees = [o for o in candidates if tree in self.taxonomy.ancestors(o)]
            candidates = trees or candidates
        if not candidates:
            return None
        synsets = self.wordnet.synsets

        def rank(offset: str) -> tuple[int, bool, int]:
            living = synsets[offset].lexfile in ("animal", "food") and word not in rules.NOT_ANIMALS
            return synsets[offset].count(word), living, -senses.index(offset)

        best = max(candidates, key=rank)
        # A word that mostly means something unseen would draw photos to the wrong vector.
        count = synsets[best].count(word)
        # "china" is first of all a country, and its vector lies there.
        before = [synsets[o] for o in senses[: senses.index(best)]]
        if any(s.is_instance and s.lexfile == "location" for s in before):
            return None
        of_nouns = (count + 1) / (self.wordnet.noun_counts[word] + 1)
        of_all = (count + 1) / (self.wordnet.word_counts[word] + 1)
        return best if of_nouns >= NOUN_SHARE and of_all >= SHARE else None

    def _usable(self, name: str, offset: str) -> bool:
        synset = self.wordnet.synsets[offset]
        words = name.split()
        return (
            name not in rules.NO_NAMES
            and 3 <= len(name) <= 26
            and len(words) <= 3
            and not re.search(r"[0-9./]", name)
            and not (name[0].isupper() and len(words) == 1 and not self._brand(name, offset))
            and not (words[-1][0].isupper() and synset.lexfile != "food" and len(words) > 1)
            and words[0] not in ("genus", "family", "order", "class")
        )

    def _brand(self, name: str, offset: str) -> bool:
        """Whether a single word in capitals is a breed or a make, and nothing else."""
        synset = self.wordnet.synsets[offset]
        bred = self.offset("domestic_animal.animal") in self.taxonomy.ancestors(offset)
        return (
            name == synset.lemmas[0]
            and len(self.wordnet.senses[name.lower()]) == 1
            and (bred or synset.lexfile in ("food", "artifact"))
        )

    def _names(self) -> dict[str, str]:
        names = {self.offset(meaning): name for meaning, name in rules.NAMES.items()}
        owners: dict[str, str | None] = {name: offset for offset, name in names.items()}
        for offset in sorted(self.scope - set(names)):
            synset = self.wordnet.synsets[offset]
            owned = []
            for lemma, count in zip(synset.lemmas, synset.counts, strict=True):
                word = lemma.lower()
                if word not in owners:
                    owners[word] = self._owner(word)
                if self._usable(lemma, offset) and owners[word] == offset:
                    owned.append((lemma, count))
            if owned:
                names[offset] = self._best_name(offset, owned)
        used = {name.lower() for name in names.values()}
        # A meaning without a word of its own may take its first one, unless that means
        # something else first.
        for offset in sorted(self.scope - set(names)):
            lemma = self.wordnet.synsets[offset].lemmas[0]
            word = lemma.lower()
            if (
                self._usable(lemma, offset)
                and word not in used
                and owners.get(word) is not None
                and self.wordnet.senses[word].index(offset) < 3
            ):
                names[offset] = lemma
                used.add(word)
        return names

    def _best_name(self, offset: str, owned: list[tuple[str, int]]) -> str:
        """The first word, unless another is clearly commoner in texts or in definitions."""
        first, first_count = owned[0]
        commonest, count = max(owned, key=lambda pair: pair[1])
        if count >= first_count + 3:
            return commonest
        # Definitions do not tell meanings apart: only words that mean this before all else.
        plain = [word for word, _ in owned if self.wordnet.find(word) == offset]
        used = max(plain, key=self.in_definitions, default=first)
        return used if self.in_definitions(used) >= 2 * self.in_definitions(first) + 3 else first

    def commonness(self, name: str) -> float:
        """The logarithm of how often the rarest word of a name occurs in definitions and texts."""
        wordnet = self.wordnet
        return min(
            math.log(1 + wordnet.gloss_counts[w] + 3 * wordnet.word_counts[w])
            for w in name.lower().split()
        )

    def in_definitions(self, name: str) -> int:
        """In how many definitions a name occurs as a whole, less the one that may be its own."""
        return max(0, self.wordnet.gloss_counts[name.lower()] - 1)
