from __future__ import annotations

import os
from pathlib import Path

import pytest

from hiersearch.data.sampling import sample_hierarchies
from hiersearch.data.wordnet import find_wordnet, read_wordnet
from hiersearch.errors import UsageError

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n"
NOUNS = (
    "00000001 03 n 01 entity 0 001 ~ 00000002 n 0000 | that which exists  \n"
    "00000002 03 n 02 living_thing 0 animate_thing 0 002 @ 00000001 n 0000 ~ 00000003 n 0000 |\n"
    "00000003 05 n 03 dog 0 domestic_dog 0 Dog 1 002 @ 00000002 n 0000 #m 00000001 n 0000 | x  \n"
    "00000004 18 n 01 Laika 0 001 @i 00000003 n 0000 | the first in orbit  \n"
    "00000005 05 n 01 tree 0 001 @ 00000002 n 0000 | x  \n"
    "00000006 05 n 01 rock 0 001 @ 00000001 n 0000 | x  \n"
)
# Two of WordNet 3.0's verbs are above each other.
VERBS = (
    "00000001 41 v 01 restrain 0 002 @ 00000002 v 0000 ~ 00000003 v 0000 01 + 08 00 | x  \n"
    "00000002 41 v 01 inhibit 0 001 @ 00000001 v 0000 01 + 08 00 | x  \n"
    "00000003 41 v 02 tie_up 0 hold 1 002 @ 00000001 v 0000 + 00000003 n 0101 01 + 08 00 | x  \n"
)
COUNTS = (
    "dog%1:05:00:: 1 40\n"
    "dog%1:05:01:: 2 2\n"
    "dog%1:18:00:: 3 9\n"
    "domestic_dog%1:05:00:: 1 1\n"
    "hold%2:41:01:: 1 7\n"
    "living%3:00:01:alive:00 1 5\n"
)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "dict").mkdir()
    (tmp_path / "dict" / "data.noun").write_text(LICENCE + NOUNS, encoding="latin-1")
    (tmp_path / "dict" / "data.verb").write_text(LICENCE + VERBS, encoding="latin-1")
    (tmp_path / "dict" / "cntlist.rev").write_text(COUNTS, encoding="latin-1")
    return tmp_path / "dict"


def test_synsets_words_and_what_is_above(folder):
    graph = read_wordnet(folder)
    parents = {concept.id: concept.parents for concept in graph.vocabulary}
    assert parents.pop("v00000001") + parents.pop("v00000002") in {
        *(("v00000001",), ("v00000002",))
    }
    assert parents == {
        "n00000001": (),
        "n00000002": ("n00000001",),
        "n00000003": ("n00000002",),
        "n00000004": ("n00000003",),
        "n00000005": ("n00000002",),
        "n00000006": ("n00000001",),
        "v00000003": ("v00000001",),
    }
    assert graph.names("n00000003") == ("dog", "domestic dog")
    assert graph.names("v00000003") == ("tie up", "hold")
    assert len(read_wordnet(folder, parts=["noun"]).vocabulary) == 6
    ways = {h.positive for h in sample_hierarchies(graph, seed=0, count=60)}
    assert ("entity", "animate thing", "domestic dog") in ways


def test_how_much_each_name_is_used(folder):
    graph = read_wordnet(folder)
    assert graph.uses == {"n00000003": (42, 1), "v00000003": (0, 7)}
    drawn = sample_hierarchies(graph, seed=0, count=300)
    ends = [h.positive[-1] for h in drawn]
    assert set(ends) == {"dog", "domestic dog", "hold"}
    assert ends.count("dog") > 3 * ends.count("domestic dog")

    (folder / "cntlist.rev").write_text("dog%1:05:00:: 1 many\n")
    with pytest.raises(UsageError, match=r"line 1 of .*cntlist\.rev"):
        read_wordnet(folder)
    (folder / "cntlist.rev").unlink()
    assert read_wordnet(folder).uses == {}


@pytest.mark.parametrize(
    "bad", ["", "00000007 03 n 01\n", "x" * 20 + "\n", "00000007 03 n 01 a 0 zz\n"]
)
def test_files_that_are_not_wordnets(folder, bad):
    file = folder / "data.verb"
    if bad:
        file.write_text(LICENCE + VERBS + bad, encoding="latin-1")
    else:
        file.unlink()
    with pytest.raises(UsageError, match="line 5 of .*data.verb" if bad else "cannot be read"):
        read_wordnet(folder)
    read_wordnet(folder, parts=["noun"])


def test_half_a_file(folder):
    (folder / "data.noun").write_text(NOUNS[NOUNS.index("00000003 05") :], encoding="latin-1")
    with pytest.raises(UsageError, match="unknown parent"):
        read_wordnet(folder)


def test_where_it_is_looked_for(folder, monkeypatch):
    monkeypatch.setattr("hiersearch.data.wordnet.USUAL_FOLDERS", ())
    assert find_wordnet({"WNSEARCHDIR": str(folder)}) == folder
    assert find_wordnet({"WNHOME": str(folder.parent)}) == folder
    assert find_wordnet({"WNHOME": str(folder / "none")}) is None
    assert find_wordnet({}) is None


def test_the_real_files():
    real = find_wordnet(os.environ)
    if real is None:
        pytest.skip("WordNet's files are not on this machine (Debian: wordnet-base)")
    graph = read_wordnet(real)
    assert len(graph.vocabulary) == 95_882
    dog = graph.names("n02084071")
    assert dog == ("dog", "domestic dog", "Canis familiaris")
    assert graph.uses["n02084071"] == (42, 0, 0)
