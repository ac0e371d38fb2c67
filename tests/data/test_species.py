from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.data.taxonomies import (
    RANKS,
    Specimen,
    read_specimens,
    species_hierarchies,
    specimen_texts,
    split_specimens,
)
from hiersearch.errors import UsageError
from hiersearch.files import Problem

CROW = "Animalia,Chordata,Aves,Passeriformes,Corvidae,Corvus,Corvus brachyrhynchos"
RAVEN = "Animalia,Chordata,Aves,Passeriformes,Corvidae,Corvus,corax"
GULL = "Animalia,Chordata,Aves,Charadriiformes,Laridae,Larus,Larus californicus"
HEADER = "file,common_name," + ",".join(RANKS)


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    for name in ("crow.jpg", "gull.jpg"):
        (folder / name).write_bytes(b"")
    path = folder / "taxonomy.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_photos_with_their_ranks(tmp_path):
    path = write(tmp_path, f"crow.jpg,American  Crow,{CROW}", f",,{RAVEN}")
    first, second = read_specimens(path).specimens
    assert first == Specimen(
        names=("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus",
               "Corvus brachyrhynchos"),
        ranks=RANKS,
        photo=tmp_path / "crow.jpg",
        common_name="American Crow",
    )  # fmt: skip
    assert (second.names[-1], second.photo, second.common_name) == ("Corvus corax", None, "")


def test_photos_elsewhere(tmp_path):
    path = write(tmp_path, f"crow.jpg,,{CROW}")
    (tmp_path / "table").mkdir()
    moved = path.rename(tmp_path / "table" / "taxonomy.csv")
    with pytest.raises(UsageError, match=r"line 2: no photo 'crow\.jpg'"):
        read_specimens(moved)
    (specimen,) = read_specimens(moved, photos=tmp_path).specimens
    assert specimen.photo == tmp_path / "crow.jpg"


def test_malformed_rows_are_named_by_line(tmp_path):
    path = write(
        tmp_path,
        f"crow.jpg,,{CROW}",
        f"none.jpg,,{CROW}",
        f"gull.jpg,,{GULL.replace('Laridae', ' ')}",
        "gull.jpg,Animalia",
        f"gull.jpg,,{GULL}",
    )
    file = read_specimens(path, max_bad_share=0.6)
    assert [s.names[-1] for s in file.specimens] == ["Corvus brachyrhynchos", "Larus californicus"]
    assert file.problems == (
        Problem(3, "no photo 'none.jpg'"),
        Problem(4, "family: an empty text"),
        Problem(5, "2 cells instead of 9"),
    )
    with pytest.raises(UsageError, match="3 of 5 rows"):
        read_specimens(path)


def test_other_ranks(tmp_path):
    path = write(tmp_path, "crow.jpg,Fruit,Apple", header="file,aisle,shelf")
    (specimen,) = read_specimens(path, ranks=["shop", "aisle", "shelf"]).specimens
    assert (specimen.names, specimen.ranks) == (("Fruit", "Apple"), ("aisle", "shelf"))
    with pytest.raises(UsageError, match="no two columns of kingdom"):
        read_specimens(path)


def test_ranks_as_texts():
    names = tuple(CROW.split(","))
    crow = Specimen(names, RANKS)
    assert specimen_texts(crow, "name") == names
    assert specimen_texts(crow)[0] == "Animalia"
    assert specimen_texts(crow)[-1] == (
        "Animalia Chordata Aves Passeriformes Corvidae Corvus brachyrhynchos"
    )


def kinds(*rows: str) -> list[Specimen]:
    return [Specimen(tuple(row.split(",")), RANKS[3:]) for row in rows]


def test_hard_negatives_part_at_the_rank_and_lie_deeper():
    found = species_hierarchies(
        kinds("O,F,G,G a", "O,F,G,G b", "O,F,H,H c", "P,Q,R,R d"), seed=0, texts="name"
    )
    assert len(found) == 4
    by_name = {h.positive[-1]: h for h in found}
    assert by_name["G a"].positive == ("O", "F", "G", "G a")
    assert by_name["G a"].negative == ("R", "R d", "H c", "G b")  # order to species, and so on
    # Family F has no sister in its order, and R d no other species in anything of its own.
    assert by_name["R d"].negative[0] in {"G", "H"}
    assert set(by_name["R d"].negative[1:]) <= {"G a", "G b", "H c"}
    shallow = species_hierarchies(kinds("O,F,G,G a", "P,Q,R,R d"), seed=0, texts="name", deeper=0)
    assert shallow[0].negative == ("P", "Q", "R", "R d")


def test_ranks_that_are_the_same_for_all_are_left_out():
    found = species_hierarchies(kinds("O,F,G,G a", "O,F,H,H c"), seed=0, texts="name")
    assert {h.positive for h in found} == {("G", "G a"), ("H", "H c")}
    assert species_hierarchies(kinds("O,F,G,G a"), seed=0) == ()


NAMES = st.tuples(*[st.sampled_from([f"{rank}{at}" for at in range(3)] + ["x"]) for rank in "OFGS"])


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=12), st.integers(0, 9), st.integers(0, 4))
def test_no_negative_is_above_or_below(rows, seed, deeper):
    specimens = kinds(*map(",".join, rows))
    found = species_hierarchies(specimens, seed=seed, texts="name", deeper=deeper)
    assert found == species_hierarchies(specimens[::-1], seed=seed, texts="name", deeper=deeper)
    for hierarchy in found:
        for text, negative in zip(hierarchy.positive, hierarchy.negative, strict=True):
            assert text != negative
            whole = [row for row in rows if row[-len(hierarchy.positive) :] == hierarchy.positive]
            assert any(negative not in row for row in whole)


def test_a_species_photos_stay_on_one_side():
    rows = [f"O,F,G,G {letter}" for letter in "abcdefghij" for _ in range(3)]
    parts = split_specimens(kinds(*rows), share=0.3, seed=0)
    held_out = {s.names for s in parts.validation}
    assert len(held_out) == 3
    assert len(parts.validation) == 9
    assert held_out.isdisjoint(s.names for s in parts.train)


def test_the_real_birds_and_rare_species(shared_data):
    birds = read_specimens(shared_data / "photos" / "birds" / "taxonomy.csv")
    assert len(birds.specimens) == 247
    assert birds.problems == ()
    assert all(s.photo is not None and s.photo.is_file() for s in birds.specimens)
    hierarchies = species_hierarchies(birds.specimens, seed=0)
    assert len(hierarchies) == 60
    assert {len(h.positive) for h in hierarchies} == {4}  # all are birds
    rare = read_specimens(shared_data / "taxonomies" / "rare_species.csv")
    assert len(rare.specimens) == 400
    assert rare.problems == ()
    names = [specimen.names for specimen in rare.specimens]
    assert "Cyclonaias tuberculata" in names[0]
    both = species_hierarchies([*birds.specimens, *rare.specimens], seed=0, texts="name")
    above = {pair for row in [*names, *(s.names for s in birds.specimens)]
             for pair in itertools.combinations(row, 2)}  # fmt: skip
    for hierarchy in both:
        for text, negative in zip(hierarchy.positive, hierarchy.negative, strict=True):
            assert (text, negative) not in above
            assert (negative, text) not in above
