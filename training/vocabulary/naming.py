"""One everyday word for each meaning, and one meaning for each word."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from training.vocabulary import rules, words
from training.vocabulary.caption_counts import read_counts
from training.vocabulary.extras import EXTRA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.vocabulary.meanings import Meanings

# Least shares of a word's uses, as a noun and in all, that must fall on the meaning it names.
NOUN_SHARE = 0.2
SHARE = 0.1

# The same for a word that is no name but a synonym: a query's word must not be led astray.
SYNONYM_SHARE = 0.5


class Naming:
    """Names of the meanings in scope, by offset."""

    def __init__(self, meanings: Meanings) -> None:
        self.wordnet = meanings.wordnet
        self.taxonomy = meanings.taxonomy
        self.scope = meanings.scope
        self.offset = meanings.offset
        self.meant = meanings.meant
        self.photos = read_counts()
        self.animals = self.taxonomy.closure(self.offset("animal.tops"))
        self._owners: dict[str, str | None] = dict(self.meant)
        self.owned = {offset: list(self._owned(offset)) for offset in sorted(self.scope)}
        self.names = self._names()

    def _owner(self, word: str) -> str | None:
        """The one meaning that may bear a word as its name."""
        senses = self.wordnet.senses.get(word, ())
        candidates = [o for o in senses if o in self.scope]
        if word in rules.TREES:
            tree = self.wordnet.find("tree")
            trees = [o for o in candidates if tree in self.taxonomy.ancestors(o)]
            candidates = trees or candidates
        if not candidates:
            return None
        synsets = self.wordnet.synsets

        def rank(offset: str) -> tuple[int, int, int]:
            alive = 2 * (offset in self.animals) + (synsets[offset].lexfile == "food")
            first = 0 if word in rules.NOT_ANIMALS else alive
            return synsets[offset].count(word), first, -senses.index(offset)

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
        parts = name.split()
        if name.lower() in words.NO_NAMES or "," in name:
            return False
        if self.meant.get(name.lower()) == offset:
            return True
        return (
            3 <= len(name) <= 26
            and len(parts) <= 3
            and not re.search(r"[0-9./]", name)
            and not (name[0].isupper() and len(parts) == 1 and not self._brand(name, offset))
            and not (parts[-1][0].isupper() and synset.lexfile != "food" and len(parts) > 1)
            and parts[0] not in ("genus", "family", "order", "class")
            and not self._plural(name.lower())
        )

    def _plural(self, name: str) -> bool:
        """Whether a word is first of all the plural of another: "cows" for cattle."""
        *before, last = name.split()
        if last in words.PLURALS or len(last) < 4 or last.endswith("ss") or last[-1] != "s":
            return False
        senses = self.wordnet.senses.get(" ".join([*before, last[:-1]]), ())
        return bool(senses)

    def _brand(self, name: str, offset: str) -> bool:
        """Whether a single word in capitals is a breed or a make, and nothing else."""
        synset = self.wordnet.synsets[offset]
        bred = self.offset("domestic_animal.animal") in self.taxonomy.ancestors(offset)
        return (
            name == synset.lemmas[0]
            and len(self.wordnet.senses[name.lower()]) == 1
            and (bred or synset.lexfile in ("food", "artifact"))
        )

    def _owned(self, offset: str) -> Iterator[tuple[str, int]]:
        """The words that may name a meaning, and how often each was tagged with it."""
        synset = self.wordnet.synsets[offset]
        for lemma, count in zip(synset.lemmas, synset.counts, strict=True):
            word = lemma.lower()
            if word not in self._owners:
                self._owners[word] = self._owner(word)
            if self._owners[word] == offset and self._usable(lemma, offset):
                yield lemma, count

    def _names(self) -> dict[str, str]:
        names = {self.offset(meaning): name for meaning, name in words.NAMES.items()}
        names |= {key: extra.name for key, extra in EXTRA.items()}
        for offset in sorted(self.scope - set(names)):
            if self.owned[offset]:
                names[offset] = self._best_name(offset, self.owned[offset])
        used = {name.lower() for name in names.values()}
        # A meaning without a word of its own may take its first one, unless that means
        # something else first.
        for offset in sorted(self.scope - set(names)):
            lemma = self.wordnet.synsets[offset].lemmas[0]
            word = lemma.lower()
            if (
                self._usable(lemma, offset)
                and word not in used
                and word not in self.meant
                and self._owners.get(word) is not None
                and self.wordnet.senses[word].index(offset) < 3
            ):
                names[offset] = lemma
                used.add(word)
        return names

    def _best_name(self, offset: str, owned: list[tuple[str, int]]) -> str:
        """The first word, unless another is clearly commoner in captions, texts or definitions."""
        first, first_count = owned[0]
        said = max((word for word, _ in owned), key=self.said)
        if self.said(said) > 2 * self.said(first):
            return said
        commonest, count = max(owned, key=lambda pair: pair[1])
        if count >= first_count + 3 and self.said(first) == 0:
            return commonest
        # Definitions do not tell meanings apart: only words that mean this before all else.
        plain = [w for w, _ in owned if self.wordnet.senses.get(w.lower(), ("",))[0] == offset]
        used = max(plain, key=self.in_definitions, default=first)
        commoner = self.in_definitions(used) >= 2 * self.in_definitions(first) + 3
        return used if commoner and self.said(first) == 0 else first

    def said(self, word: str) -> int:
        """In how many photos a word is said."""
        return self.photos.get(word.lower(), 0)

    def words(self, offset: str) -> list[str]:
        """All words that stand for a meaning and for no other, its name first."""
        name = self.names[offset]
        found = {name.lower(): name}
        for word, _ in self.owned.get(offset, ()):
            if self._first_meant(word.lower(), offset):
                found.setdefault(word.lower(), word)
        for word, meant in self.meant.items():
            if meant == offset:
                found.setdefault(word, word)
        return list(found.values())

    def _first_meant(self, word: str, offset: str) -> bool:
        """Whether a word means this before all else, unseen things and verbs included."""
        count = self.wordnet.synsets[offset].count(word)
        of_all = (count + 1) / (self.wordnet.word_counts[word] + 1)
        return self.wordnet.senses.get(word, ("",))[0] == offset and of_all >= SYNONYM_SHARE

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
