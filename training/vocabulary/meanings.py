"""The meanings that may stand in the vocabulary: WordNet's tree, mended, and what of it is seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from training.vocabulary import rules
from training.vocabulary.wordnet import Taxonomy

if TYPE_CHECKING:
    from training.vocabulary.wordnet import WordNet


class Meanings:
    """WordNet with the mended tree, and the scope: the synsets that photos can show."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        self.taxonomy = Taxonomy(wordnet)
        self.merged: set[str] = set()
        self._mend()
        self.people = {self._person(word) for word in rules.PEOPLE}
        self.scope = self._scope()

    def offset(self, meaning: str) -> str:
        """The synset that rules.py writes as "word.lexfile" or "word.lexfile.rank"."""
        word, lexfile, rank = (*meaning.split("."), "1")[:3]
        return self.wordnet.find(word.replace("_", " "), lexfile, int(rank))

    def _mend(self) -> None:
        for source, target in rules.MERGE.items():
            self.taxonomy.merge(self.offset(source), self.offset(target))
            self.merged.add(self.offset(source))
        self.merged |= {self.offset(dropped) for dropped in rules.DROP}
        for child, parents in rules.HANG.items():
            self.taxonomy.set_parents(self.offset(child), [self.offset(p) for p in parents])

    def _scope(self) -> set[str]:
        synsets = self.wordnet.synsets
        physical = self.taxonomy.closure(self.wordnet.find("physical entity"))
        scope = {o for o in physical if synsets[o].lexfile in rules.VISIBLE_FILES}
        for family in rules.VISIBLE_FAMILIES:
            scope |= self.taxonomy.closure(self.offset(family))
        scope |= {self.offset(thing) for thing in rules.VISIBLE_THINGS}
        scope |= {self.offset(target) for target in rules.MERGE.values()}
        for family in rules.INVISIBLE_FAMILIES:
            below = self.taxonomy.closure(self.offset(family))
            # Beer is a drug to WordNet, but food first.
            scope -= {o for o in below if synsets[o].lexfile != "food"}
        scope = {o for o in scope if synsets[o].lexfile != "person"} | self.people
        return {o for o in scope - self.merged if self._wanted(o)}

    def _wanted(self, offset: str) -> bool:
        synset = self.wordnet.synsets[offset]
        words = {word for lemma in synset.lemmas for word in re.split("[ '-]", lemma.lower())}
        return not synset.is_instance and not words & rules.UNWANTED_WORDS

    def _person(self, word: str) -> str:
        if word == "person":
            return self.offset("person.tops")
        return self.offset(f"{word}.person")
