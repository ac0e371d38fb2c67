"""The meanings that may stand in the vocabulary: WordNet's tree, mended, and what of it is seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from training.vocabulary import rules, words
from training.vocabulary.extras import EXTRA, Extra
from training.vocabulary.wordnet import Synset, Taxonomy

if TYPE_CHECKING:
    from training.vocabulary.wordnet import WordNet


class Meanings:
    """WordNet with the mended tree, and the scope: the synsets that photos can show."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        for key, extra in EXTRA.items():
            wordnet.synsets[key] = self._extra(key, extra)
        self.taxonomy = Taxonomy(wordnet)
        self.merged: set[str] = set()
        self._mend()
        self.meant = self._meant()
        """Words whose meaning is judged by hand, in lower case, and that meaning."""
        self.placed = {self.offset(meaning): root for meaning, root in rules.PLACED.items()}
        self.placed |= {key: x.parent for key, x in EXTRA.items() if "." not in x.parent}
        self.people = {self.meant[word.replace("_", " ")] for word in rules.PEOPLE}
        self.people |= {o for o in self.meant.values() if self._lexfile(o) == "person"}
        self.scope = self._scope()
        for placed in self.placed:
            self.taxonomy.set_parents(placed, [])

    def offset(self, meaning: str) -> str:
        """The synset that rules.py writes as "word.lexfile" or "word.lexfile.rank"."""
        if meaning in EXTRA:
            return meaning
        word, lexfile, rank = (*meaning.split("."), "1")[:3]
        return self.wordnet.find(word.replace("_", " "), lexfile, int(rank))

    def _lexfile(self, offset: str) -> str:
        return self.wordnet.synsets[offset].lexfile

    def _extra(self, key: str, extra: Extra) -> Synset:
        """A meaning that WordNet lacks, beside those that it has."""
        lemmas = (extra.name, *extra.synonyms)
        above = (self.offset(extra.parent),) if "." in extra.parent else ()
        lexfile = self._lexfile(above[0]) if above else "artifact"
        return Synset(key, lemmas, (0,) * len(lemmas), lexfile, above, is_instance=False)

    def _meant(self) -> dict[str, str]:
        meant = {word.replace("_", " "): self._person(word) for word in rules.PEOPLE}
        meant |= {word: self.offset(meaning) for word, meaning in words.MEANS.items()}
        meant |= {name.lower(): self.offset(meaning) for meaning, name in words.NAMES.items()}
        for key, extra in EXTRA.items():
            meant |= dict.fromkeys((extra.name, *extra.synonyms), key)
        return meant

    def _mend(self) -> None:
        for source, target in rules.MERGE.items():
            self.taxonomy.merge(self.offset(source), self.offset(target))
            self.merged.add(self.offset(source))
        self.merged |= {self.offset(dropped) for dropped in rules.DROP}
        for child, parents in rules.HANG.items():
            self.taxonomy.set_parents(self.offset(child), [self.offset(p) for p in parents])
        for leaf in rules.LEAVES:
            self.taxonomy.merge(self.offset(leaf), self.wordnet.find("object", "tops"))

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
        wanted = {o for o in scope - self.merged if self._wanted(o)}
        return wanted | set(self.meant.values())

    def _wanted(self, offset: str) -> bool:
        synset = self.wordnet.synsets[offset]
        words = {word for lemma in synset.lemmas for word in re.split("[ '-]", lemma.lower())}
        return not synset.is_instance and not words & rules.UNWANTED_WORDS

    def _person(self, word: str) -> str:
        """The commonest kind of person that a word means: no person of that name."""
        if word == "person":
            return self.offset("person.tops")
        rank = 1
        while self.wordnet.synsets[self.offset(f"{word}.person.{rank}")].is_instance:
            rank += 1
        return self.offset(f"{word}.person.{rank}")
