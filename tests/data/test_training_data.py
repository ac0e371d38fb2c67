from __future__ import annotations

import gzip

import httpx
import pytest

from hiersearch.data.hierarchies import Hierarchy, without_pairs
from hiersearch.data.training_data import load_data
from hiersearch.errors import HiersearchError, UsageError

ROWS = "positive,negative\n" + "a => b => c => d,s => t => u => v\n" * 3
EXPECTED = Hierarchy(("a", "b", "c", "d"), ("s", "t", "u", "v"))
SHOP = "# Shop\nfood > fruit > apple\nfood > fruit > pear\ntool > saw\ntool > axe\n"


@pytest.fixture
def empty(tmp_path, monkeypatch) -> dict[str, str]:
    """The environment of a machine that has neither data nor WordNet."""
    monkeypatch.setattr("hiersearch.data.wordnet.USUAL_FOLDERS", ())
    return {"HIERSEARCH_CACHE": str(tmp_path / "cache")}


def test_hierarcaps_by_name(empty):
    packed = gzip.compress(ROWS.encode())
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=packed))
    data = load_data("hierarcaps", environ=empty, seed=0, transport=transport)
    assert (data.name, data.hierarchies) == ("hierarcaps", (EXPECTED,) * 3)
    assert "no checksum of it has been published" in data.notes[0]
    refused = httpx.MockTransport(lambda _: httpx.Response(503))
    assert load_data("hierarcaps", environ=empty, seed=0, transport=refused).id == data.id
    with pytest.raises(UsageError, match="4 tiers"):
        load_data("hierarcaps", environ=empty, seed=0, tiers=3)


def test_hierarcaps_offline(empty):
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Network is unreachable")

    with pytest.raises(HiersearchError, match="Network is unreachable"):
        load_data("hierarcaps", environ=empty, seed=0, transport=httpx.MockTransport(answer))


def test_files_of_hierarchies(empty, tmp_path):
    (tmp_path / "own.csv").write_text(ROWS + "a,b\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 5: 1 tiers"):
        load_data(tmp_path / "own.csv", environ=empty, seed=0)
    data = load_data(str(tmp_path / "own.csv"), environ=empty, seed=0, max_bad_share=0.5)
    assert (data.name, len(data.hierarchies), len(data.problems)) == ("own.csv", 3, 1)
    by_name = load_data(
        "own.csv", environ=empty | {"HIERSEARCH_DATA": str(tmp_path)}, seed=0, max_bad_share=0.5
    )
    assert by_name == data
    cut = load_data(
        tmp_path / "own.csv", environ=empty, seed=0, max_bad_share=0.5, exclude=[("a", "b")]
    )
    assert cut.hierarchies == without_pairs(data.hierarchies, [("b", "a")])
    assert cut.id != data.id


def test_vocabularies(empty, tmp_path):
    (tmp_path / "shop.txt").write_text(SHOP, encoding="utf-8")
    (tmp_path / "shop.csv").write_text(
        "concept,parent\napple,fruit\npear,fruit\nfruit,food\nsaw,tool\naxe,tool\n",
        encoding="utf-8",
    )
    for name in ("shop.txt", "shop.csv"):
        data = load_data(tmp_path / name, environ=empty, seed=0, count=8)
        assert {h.positive for h in data.hierarchies} == {
            *(("food", "fruit", "apple"), ("food", "fruit", "pear"), ("tool", "saw")),
            ("tool", "axe"),
        }
        assert data.graph is not None
        assert data == load_data(tmp_path / name, environ=empty, seed=0, count=8)
        assert data.id != load_data(tmp_path / name, environ=empty, seed=1, count=8).id
    short = load_data(tmp_path / "shop.txt", environ=empty, seed=0, tiers=2)
    assert {len(h.positive) for h in short.hierarchies} == {2}
    clean = load_data(tmp_path / "shop.txt", environ=empty, seed=0, exclude=[("food", "apple")])
    assert ("food", "fruit", "apple") not in {h.positive for h in clean.hierarchies}
    (tmp_path / "words.txt").write_text("apple\npear\n", encoding="utf-8")
    with pytest.raises(UsageError, match="have no parents"):
        load_data(tmp_path / "words.txt", environ=empty, seed=0)


def test_a_folder_of_photos(empty, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "taxonomy.csv").write_text(
        "file,genus,species\na.jpg,Corvus,corax\na.jpg,Larus,canus\n", encoding="utf-8"
    )
    data = load_data(tmp_path, environ=empty, seed=0)
    assert len(data.specimens) == len(data.hierarchies) == 2
    assert data.specimens[0].photo == tmp_path / "a.jpg"


def test_wordnet_and_its_builtin_part(empty, tmp_path):
    data = load_data("wordnet", environ=empty, seed=0, count=50)
    assert "not on this machine" in data.notes[0]
    builtin = load_data("builtin", environ=empty, seed=0, count=50)
    assert builtin.hierarchies == data.hierarchies
    assert builtin.notes == ()
    line = "{:08d} 05 n 01 {} 0 001 @ {:08d} n 0000 | x  \n"
    nouns = "00000001 05 n 01 thing 0 000 | x  \n"
    nouns += line.format(2, "dog", 1) + line.format(3, "cat", 1) + line.format(4, "pug", 2)
    (tmp_path / "data.noun").write_text(nouns, encoding="latin-1")
    (tmp_path / "data.verb").write_text("", encoding="latin-1")
    data = load_data("wordnet", environ=empty | {"WNSEARCHDIR": str(tmp_path)}, seed=0)
    assert [h.positive for h in data.hierarchies] == [("dog", "pug")]
    assert str(tmp_path) in data.notes[0]


def test_what_is_not_there(empty, tmp_path):
    with pytest.raises(UsageError, match="no file of training data") as caught:
        load_data("hierarcap", environ=empty, seed=0)
    assert "hierarcaps, wordnet, builtin" in caught.value.hint
    with pytest.raises(UsageError, match=f"nor is there one in {tmp_path}"):
        load_data("a.csv", environ=empty | {"HIERSEARCH_DATA": str(tmp_path)}, seed=0)
    with pytest.raises(UsageError, match="no file of training data"):
        load_data(tmp_path, environ=empty, seed=0)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"concept,parent\na,b\n"))
    with pytest.raises(UsageError, match="must not be compressed"):
        load_data(tmp_path / "a.csv.gz", environ=empty, seed=0)


def test_the_real_data(shared_data, empty):
    environ = empty | {"HIERSEARCH_DATA": str(shared_data)}
    pairs = load_data("hierarcaps/hierarcaps_pairs.csv.gz", environ=environ, seed=0)
    assert len(pairs.hierarchies) == 18_770
    assert len(load_data("photos/birds", environ=environ, seed=0).specimens) == 247
    rare = load_data("taxonomies/rare_species.csv", environ=environ, seed=0)
    assert len(rare.hierarchies) == 400
