"""Make the built-in vocabulary: python -m training.vocabulary.build WORDNET_FOLDER OUTPUT."""

from __future__ import annotations

import gzip
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

from training.vocabulary import rules
from training.vocabulary.wordnet import Taxonomy, WordNet

SIZE = 10_000

# Least share of a word's uses as a noun that must fall on the meaning it names.
SHARE = 0.2

# From this many meanings below it on a word such as "plate" stands for no one thing.
BROAD = 12


class Builder:
    """One run: scope, names, familiarity, choice, parents."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        self.taxonomy = Taxonomy(wordnet)
        self.merged: set[str] = set()
        self._mend()
        self.scope = self._scope()
        self.names = self._names()
        self.tagged = {offset: sum(wordnet.synsets[offset].counts) for offset in self.scope}
        self.familiarity = self._familiarity()

    def offset(self, meaning: str) -> str:
        """The synset that rules.py writes as "word.lexfile"."""
        word, _, lexfile = meaning.partition(".")
        return self.wordnet.find(word.replace("_", " "), lexfile)

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
        self.people = {self._person(word) for word in rules.PEOPLE}
        scope = {o for o in scope if synsets[o].lexfile != "person"} | self.people
        return {o for o in scope - self.merged if self._wanted(o)}

    def _wanted(self, offset: str) -> bool:
        synset = self.wordnet.synsets[offset]
        words = {word for lemma in synset.lemmas for word in lemma.lower().split()}
        return not synset.is_instance and not words & rules.UNWANTED_WORDS

    def _person(self, word: str) -> str:
        if word == "person":
            return self.offset("person.tops")
        return self.offset(f"{word}.person")

    # --- names ---

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
        share = (synsets[best].count(word) + 1) / (self.wordnet.noun_counts[word] + 1)
        return best if share >= SHARE else None

    def _usable(self, name: str, offset: str) -> bool:
        synset = self.wordnet.synsets[offset]
        words = name.split()
        return (
            3 <= len(name) <= 26
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
        used = max(plain, key=self._in_definitions, default=first)
        return used if self._in_definitions(used) >= 2 * self._in_definitions(first) + 3 else first

    # --- familiarity ---

    def commonness(self, name: str) -> float:
        """The logarithm of how often the rarest word of a name occurs in definitions and texts."""
        wordnet = self.wordnet
        return min(
            math.log(1 + wordnet.gloss_counts[w] + 3 * wordnet.word_counts[w])
            for w in name.lower().split()
        )

    def _in_definitions(self, name: str) -> int:
        # Its own definition's examples do not count.
        return max(0, self.wordnet.gloss_counts[name.lower()] - 1)

    def _familiarity(self) -> dict[str, float]:
        below = dict.fromkeys(self.scope, 0)
        for offset in self.scope:
            for upper in {offset} | self.taxonomy.ancestors(offset):
                if upper in below:
                    below[upper] += self.tagged[offset]
        found = {}
        for offset, name in self.names.items():
            synset = self.wordnet.synsets[offset]
            if self._is_scaffolding(offset):
                continue
            found[offset] = (
                math.log(1 + self.tagged[offset])
                + 0.35 * math.log(1 + below[offset])
                + 0.5 * math.log(1 + self._in_definitions(name))
                + 0.8 * (self.commonness(name) - 4)
                - 1.2 * (len(re.split("[ -]", name)) - 1)
                + {"animal": 0.7, "food": 0.7, "plant": -1.0}.get(synset.lexfile, 0)
            )
        return found

    def _is_scaffolding(self, offset: str) -> bool:
        names = {self.names[offset], self.wordnet.synsets[offset].lemmas[0]}
        if names & rules.SCAFFOLDING_WHERE_BROAD:
            return len(self.taxonomy.closure(offset) & self.scope) >= BROAD
        return bool(names & rules.SCAFFOLDING)

    # --- choice ---

    def _readable(self, offset: str, below: list[str]) -> bool:
        """Whether a concept may stand above others in a chain."""
        name = self.names[offset]
        return (
            (self.commonness(name) >= math.log(15) and " " not in name)
            or self.tagged[offset] >= 1
            or self._in_definitions(name) >= 5
            or self.familiarity[offset] >= max(self.familiarity[o] for o in below)
        )

    def choose(self) -> set[str]:
        """The most familiar meanings, without unreadable ones above others."""
        roots = {self.offset(meaning) for meaning in rules.ROOT_SYNSETS.values()}
        order = sorted(self.familiarity, key=lambda o: (-self.familiarity[o], o))
        chosen = roots | (self.people & set(self.familiarity)) | set(order[:SIZE])
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

    def table(self) -> str:
        """The vocabulary as tab-separated text, most familiar first."""
        parents = self.one_name_each(self.parents(self.choose()))
        lines = ["id\tname\tparents\tfamiliarity"]
        for offset in sorted(parents, key=lambda o: (-self.familiarity[o], o)):
            above = ",".join(map(concept_id, parents[offset]))
            familiarity = f"{self.familiarity[offset]:.3f}"
            lines.append("\t".join([concept_id(offset), self.names[offset], above, familiarity]))
        return "\n".join(lines) + "\n"


def concept_id(offset: str) -> str:
    return offset if offset.startswith("top:") else f"n{offset}"


def main() -> None:
    folder, output = map(Path, sys.argv[1:3])
    table = Builder(WordNet(folder)).table()
    output.write_bytes(gzip.compress(table.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
