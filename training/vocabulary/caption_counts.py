"""Count in how many photos people say each noun, out of captions that people wrote.

Usage: python -m training.vocabulary.caption_counts CAPTIONS.csv WORDNET_FOLDER
The CSV file has the columns file, caption and split; only the rows of the split "train" count.
It writes caption_counts.tsv beside this script, the same bytes from the same captions.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from hiersearch.concepts.spelling import IRREGULAR, singulars
from training.vocabulary import words
from training.vocabulary.extras import EXTRA
from training.vocabulary.wordnet import WordNet

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")

COUNTS = Path(__file__).with_name("caption_counts.tsv")

# Words of the longest noun that is looked for.
LONGEST = 3

# A word of fewer photos may be a slip of the pen.
LEAST = 3

NOTICE = """\
# In how many photos people say a noun: counts alone, no captions.
# From the captions of COCO (cocodataset.org, CC BY 4.0) and of Flickr8k (for research).
# Made by training/vocabulary/caption_counts.py.
"""


def read_counts(file: Path = COUNTS) -> dict[str, int]:
    """The photos of each word."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    rows = (line.split("\t") for line in lines[1:])
    return {word: int(photos) for word, photos in rows}


def known_nouns(wordnet: WordNet) -> set[str]:
    """What is counted: WordNet's nouns and the words that are added by hand."""
    known = set(wordnet.senses) | set(words.MEANS)
    for extra in EXTRA.values():
        known |= {extra.name, *extra.synonyms}
    return {word for word in known if len(word) > 2 or word == "tv"} - words.NO_NOUNS


def nouns_of(caption: str, known: Container[str]) -> Iterator[str]:
    """The nouns of a caption, of the same words the longest, plurals as singulars."""
    said = _WORD.findall(caption.casefold())
    start = 0
    while start < len(said):
        length = 1
        for tried in range(min(LONGEST, len(said) - start), 0, -1):
            noun = _known_form(said[start : start + tried], known)
            if noun is not None:
                yield noun
                length = tried
                break
        start += length


def _known_form(said: list[str], known: Container[str]) -> str | None:
    *before, last = said
    forms = list(singulars(last))
    if last not in words.PLURALS and last not in IRREGULAR:
        # "cows" is a word of WordNet's by itself, and here it is a cow all the same.
        forms = [*(form for form in forms if form != last), last]
    return next((noun for form in forms if (noun := " ".join([*before, form])) in known), None)


def count(rows: Iterable[dict[str, str]], known: Container[str]) -> dict[str, int]:
    """The photos of each noun; several captions of one photo count once."""
    photos: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["split"] == "train":
            for noun in nouns_of(row["caption"], known):
                photos[noun].add(row["file"])
    return {noun: len(files) for noun, files in photos.items() if len(files) >= LEAST}


def main() -> None:
    captions, folder = map(Path, sys.argv[1:3])
    with captions.open(newline="", encoding="utf-8") as stream:
        counted = count(csv.DictReader(stream), known_nouns(WordNet(folder)))
    rows = [f"{noun}\t{photos}\n" for noun, photos in sorted(counted.items())]
    COUNTS.write_text(NOTICE + "word\tphotos\n" + "".join(rows))


if __name__ == "__main__":
    main()
