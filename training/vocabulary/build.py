"""Make the built-in vocabulary out of WordNet 3.0 and counts of words in captions.

The same database and the same counts give the same bytes.

Usage: python -m training.vocabulary.build WORDNET_FOLDER hiersearch/concepts/wordnet.tsv.gz
(the folder of Debian's package `wordnet-base` is /usr/share/wordnet). It takes a few seconds.
"""

from __future__ import annotations

import gzip
import math
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from training.vocabulary import rules
from training.vocabulary.meanings import Meanings
from training.vocabulary.naming import Naming
from training.vocabulary.wordnet import WordNet

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 10_400

# From this many meanings below it on a word such as "plate" stands for no one thing.
BROAD = 12

# What familiarity adds up, in logarithms of counts.
BELOW_WEIGHT = 0.35  # uses of everything below, against the meaning's own
DEFINITION_WEIGHT = 0.5  # definitions that use the name as a whole
WORD_WEIGHT = 0.8  # how common the rarest word of the name is
SAID_WEIGHT = 0.6  # photos whose captions say one of its words
FURTHER_WORD = -1.2  # each word of the name after the first
COMPOUND_BOUND = 2.5  # two common words make no common name: "tulip bed"
KIND = {"animal": 0.7, "food": 0.7, "plant": -1.0}  # what photos show more and less of
PET = 1.5  # breeds: rare words, much photographed

# In how many photos people say what may stand above others in a chain without further ado.
SAID_OFTEN = 20


class Builder:
    """Familiarity, choice, and parents."""

    def __init__(self, wordnet: WordNet) -> None:
        self.meanings = Meanings(wordnet)
        self.naming = Naming(self.meanings)
        self.wordnet = wordnet
        self.taxonomy = self.meanings.taxonomy
        self.offset = self.meanings.offset
        self.scope = self.meanings.scope
        self.names = self.naming.names
        self.words = {offset: self.naming.words(offset) for offset in sorted(self.names)}
        self.said = {o: sum(map(self.naming.said, own)) for o, own in self.words.items()}
        self.meant = set(self.meanings.meant.values()) | self.meanings.people
        self.tagged = {offset: sum(wordnet.synsets[offset].counts) for offset in self.scope}
        self.pets = self.offset("domestic_animal.animal")
        self.familiarity = self._familiarity()

    def _familiarity(self) -> dict[str, float]:
        below = dict.fromkeys(self.scope, 0)
        for offset in self.scope:
            for upper in {offset} | self.taxonomy.ancestors(offset):
                if upper in below:
                    below[upper] += self.tagged[offset]
        return {
            offset: math.log(1 + self.tagged[offset])
            + BELOW_WEIGHT * math.log(1 + below[offset])
            + DEFINITION_WEIGHT * math.log(1 + self.naming.in_definitions(name))
            + WORD_WEIGHT * self._word_weight(name)
            + SAID_WEIGHT * math.log(1 + self.said[offset])
            + FURTHER_WORD * (len(re.split("[ -]", name)) - 1)
            + KIND.get(self.wordnet.synsets[offset].lexfile, 0)
            + PET * (self.pets in self.taxonomy.ancestors(offset))
            for offset, name in self.names.items()
            if not self._is_scaffolding(offset)
        }

    def _word_weight(self, name: str) -> float:
        # 4: a word that some fifty definitions use weighs nothing, and rarer ones less.
        commonness = self.naming.commonness(name)
        return (min(commonness, COMPOUND_BOUND) if " " in name else commonness) - 4

    def _is_scaffolding(self, offset: str) -> bool:
        if offset in self.meant:
            return False
        names = {self.names[offset], self.wordnet.synsets[offset].lemmas[0]}
        if names & rules.SCAFFOLDING_WHERE_BROAD:
            return len(self.taxonomy.closure(offset) & self.scope) >= BROAD
        return bool(names & rules.SCAFFOLDING)

    # --- choice ---

    def _readable(self, offset: str, below: list[str]) -> bool:
        """Whether a concept may stand above others in a chain."""
        name = self.names[offset]
        return (
            offset in self.meant
            or self.said[offset] >= SAID_OFTEN
            or (self.naming.commonness(name) >= math.log(15) and " " not in name)
            or self.tagged[offset] >= 1
            or self.naming.in_definitions(name) >= 5
            or self.familiarity[offset] >= max(self.familiarity[o] for o in below)
        )

    def choose(self) -> set[str]:
        """The most familiar meanings, without unreadable ones above others."""
        roots = {self.offset(meaning) for meaning in rules.ROOT_SYNSETS.values()}
        order = sorted(self.familiarity, key=lambda o: (-self.familiarity[o], o))
        said = {offset for offset in order if self.said[offset]}
        chosen = roots | (self.meant & set(self.familiarity)) | said
        chosen |= set(order[: SIZE - len(chosen)])
        for _ in range(2):
            below: defaultdict[str, list[str]] = defaultdict(list)
            for offset in chosen:
                for upper in self.taxonomy.ancestors(offset) & chosen:
                    below[upper].append(offset)
            unreadable = {o for o in below if not self._readable(o, below[o])} - roots
            chosen -= unreadable
            for offset in order:
                if len(chosen) >= SIZE:
                    break
                if offset not in unreadable:
                    chosen.add(offset)
        return chosen

    def parents(self, chosen: set[str]) -> dict[str, list[str]]:
        """The nearest chosen concepts above each, or its root."""
        tops = {name: f"top:{name}" for name in rules.ROOTS}
        tops |= {name: self.offset(meaning) for name, meaning in rules.ROOT_SYNSETS.items()}
        found: dict[str, list[str]] = {top: [] for top in tops.values()}
        for offset in chosen - set(tops.values()):
            above = self.taxonomy.ancestors(offset) & chosen
            nearest = {o for o in above if not any(o in self.taxonomy.ancestors(x) for x in above)}
            found[offset] = sorted(nearest) or [tops[self._root(offset)]]
        for name, top in tops.items():
            self.names.setdefault(top, name)
            self.familiarity.setdefault(top, 9.0)
        return found

    def _root(self, offset: str) -> str:
        lineage = {offset} | self.taxonomy.ancestors(offset)
        for placed in [offset, *sorted(lineage)]:
            if placed in self.meanings.placed:
                return self.meanings.placed[placed]
        lexfile = self.wordnet.synsets[offset].lexfile
        for meaning, root in rules.ROOT_BELOW.items():
            if self.offset(meaning) in lineage:
                return root
        if lexfile in ("food", "animal", "plant", "body", "act", "event", "group", "location"):
            return rules.ROOT_OF_FILE[lexfile]
        for meaning, root in rules.ROOT_BELOW_LATER.items():
            if self.offset(meaning) in lineage:
                return root
        return rules.ROOT_OF_FILE.get(lexfile, "nature")

    def one_name_each(self, parents: dict[str, list[str]]) -> dict[str, list[str]]:
        """Of concepts with the same name keep the most familiar; children of others move up."""
        kept: dict[str, str] = {}
        for offset in sorted(parents, key=lambda o: (-self.familiarity[o], o)):
            if kept.setdefault(self.names[offset].lower(), offset) == offset:
                continue
            above = parents.pop(offset)
            for child, uppers in parents.items():
                if offset in uppers:
                    parents[child] = [u for p in uppers for u in (above if p == offset else [p])]
        return {offset: sorted(set(uppers)) for offset, uppers in parents.items()}

    def synonyms(self, chosen: Iterable[str]) -> dict[str, list[str]]:
        """The other words of each concept that are neither a name nor another's."""
        order = sorted(chosen, key=lambda o: (-self.familiarity[o], o))
        taken = {self.names[offset].lower() for offset in order}
        found: dict[str, list[str]] = {}
        for offset in order:
            own = self.words.get(offset, [])
            found[offset] = [word for word in own if word.lower() not in taken]
            taken |= {word.lower() for word in found[offset]}
        return found

    def table(self) -> str:
        """The vocabulary as tab-separated text, most familiar first."""
        parents = self.one_name_each(self.parents(self.choose()))
        synonyms = self.synonyms(parents)
        lines = ["id\tname\tparents\tfamiliarity\tsynonyms"]
        for offset in sorted(parents, key=lambda o: (-self.familiarity[o], o)):
            above = ",".join(map(concept_id, parents[offset]))
            familiarity = f"{self.familiarity[offset]:.3f}"
            others = ",".join(synonyms[offset])
            lines.append(
                "\t".join([concept_id(offset), self.names[offset], above, familiarity, others])
            )
        return "\n".join(lines) + "\n"


def concept_id(offset: str) -> str:
    return offset if ":" in offset else f"n{offset}"


def main() -> None:
    folder, output = map(Path, sys.argv[1:3])
    table = Builder(WordNet(folder)).table()
    output.write_bytes(gzip.compress(table.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
